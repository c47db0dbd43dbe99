"""Reader `coco_stuff`: ids less one with 255, or ids with 0 and 183."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pixelwise.config import DataConfig
from pixelwise.data import open_dataset
from pixelwise.errors import ConfigError, DataError

PICTURE = np.zeros((1, 4, 3), np.uint8)


def test_things_and_stuff(save, tmp_path: Path) -> None:
    """person is 1, dog 18, banner 92, wood 182: values one less; ids 12, 26 … were never used."""
    for split in ("train", "val"):
        save(f"set/images/{split}2017/{split}.jpg", PICTURE)
        save(
            f"set/stuffthingmaps_trainval2017/{split}2017/{split}.png", np.array([[0, 17, 91, 255]], np.uint8)
        )
    save("set/images/val2017/without.jpg", PICTURE)
    dataset = open_dataset(tmp_path / "set")
    assert dataset.reader.format == "coco_stuff"
    assert len(dataset.classes) == 171
    mask = dataset.reader[0].mask[0]
    assert [dataset.classes.names[i] for i in mask[:3]] == ["person", "dog", "banner"]
    assert mask[3] == 255
    assert (dataset.split.train, dataset.split.val) == ((0,), (1,))
    assert "1 pictures without a map are left out" in dataset.notes
    with pytest.raises(ConfigError, match="choose among them"):
        open_dataset(tmp_path / "set", DataConfig(classes=("a", "b")))


def test_stuff_alone(save, tmp_path: Path) -> None:
    save("set/train2017/a.jpg", PICTURE)
    save("set/annotations/stuff_train2017_pixelmaps/a.png", np.array([[92, 182, 183, 0]], np.uint8))
    dataset = open_dataset(tmp_path / "set")
    assert len(dataset.classes) == 92
    mask = dataset.reader[0].mask[0]
    assert [dataset.classes.names[i] for i in mask[:3]] == ["banner", "wood", "other"]
    assert mask[3] == 255


def test_what_does_not_fit(save, tmp_path: Path) -> None:
    save("set/train2017/a.jpg", PICTURE)
    save("set/stuffthingmaps/train2017/b.png", PICTURE[..., 0])
    with pytest.raises(DataError, match=r"1 of 1 maps have no picture in .*train2017/ \(b\.png\)"):
        open_dataset(tmp_path / "set")
    with pytest.raises(DataError, match="format coco_stuff needs stuffthingmaps_trainval2017"):
        open_dataset(tmp_path / "set" / "train2017", DataConfig(format="coco_stuff"))
