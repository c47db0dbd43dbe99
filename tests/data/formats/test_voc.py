"""Reader `voc`: palette masks, lists, pictures without masks; and the four real ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from stripes import ids

from pixelwise.config import DataConfig
from pixelwise.data import READERS, open_dataset
from pixelwise.data.formats.voc import CLASSES, VOID
from pixelwise.data.lists import read_list
from pixelwise.drawing import voc_colour
from pixelwise.errors import DataError


def paletted(mask: np.ndarray) -> Image.Image:
    picture = Image.fromarray(mask, mode="P")
    picture.putpalette([value for index in range(256) for value in voc_colour(index)])
    return picture


@pytest.fixture
def voc(save, tmp_path: Path) -> Path:
    base = tmp_path / "data" / "VOCdevkit" / "VOC2012"
    (base / "SegmentationClass").mkdir(parents=True)
    for name in ("2007_1", "2007_2", "2007_3", "without"):
        save(f"data/VOCdevkit/VOC2012/JPEGImages/{name}.jpg", np.zeros((6, 8, 3), np.uint8))
        if name != "without":
            paletted(ids(0, 15, 255, 20)).save(base / "SegmentationClass" / f"{name}.png")
    lists = base / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("2007_1\r\n2007_3\r\n")
    (lists / "val.txt").write_text("2007_2\n2009_9\n")
    return tmp_path / "data"


def test_the_development_kits_colours() -> None:
    assert CLASSES.names[15] == "person"
    # Known from the kit: aeroplane, bicycle, person, tvmonitor and the border.
    assert [voc_colour(i) for i in (0, 1, 2, 15, 20)] == [
        *((0, 0, 0), (128, 0, 0), (0, 128, 0), (192, 128, 128), (0, 64, 128)),
    ]
    assert VOID == (224, 224, 192)


def test_layout_and_lists(voc: Path) -> None:
    dataset = open_dataset(voc)
    assert dataset.reader.format == "voc"
    assert [e.name for e in dataset.reader.entries] == ["2007_1", "2007_2", "2007_3"]
    assert (dataset.split.train, dataset.split.val) == ((0, 2), (1,))
    assert np.array_equal(dataset.reader[0].mask, ids(0, 15, 255, 20))
    assert "1 pictures without a mask are left out" in dataset.notes
    assert any("1 of the 2 pictures in val.txt are not there: 2009_9" in note for note in dataset.notes)


def test_masks_saved_as_rgb(voc: Path) -> None:
    path = voc / "VOCdevkit" / "VOC2012" / "SegmentationClass" / "2007_1.png"
    Image.open(path).convert("RGB").save(path)
    assert np.array_equal(open_dataset(voc).reader[0].mask, ids(0, 15, 255, 20))


def test_own_classes_in_the_layout(voc: Path) -> None:
    dataset = open_dataset(voc, DataConfig(classes=("a", "b", "c"), map=("15=1", "20=2")))
    assert np.array_equal(dataset.reader[0].mask, ids(0, 1, 255, 2))


def test_a_set_that_borrows_the_layout_names_its_own_classes(voc: Path) -> None:
    names = ["ground", *(f"thing {i}" for i in range(1, 21))]
    (voc / "VOCdevkit" / "VOC2012" / "classes.txt").write_text("\n".join(names))
    dataset = open_dataset(voc)
    assert dataset.classes.names == tuple(names)
    assert "21 classes from classes.txt" in dataset.notes
    assert np.array_equal(dataset.reader[0].mask, ids(0, 15, 255, 20))


def test_what_is_missing_is_named(voc: Path) -> None:
    (voc / "VOCdevkit" / "VOC2012" / "JPEGImages" / "2007_2.jpg").unlink()
    with pytest.raises(DataError, match=r"1 of 3 masks have no picture \(2007_2\.png\); unpack"):
        open_dataset(voc)
    with pytest.raises(DataError, match="format voc needs JPEGImages/"):
        open_dataset(voc / "VOCdevkit" / "VOC2012" / "JPEGImages", DataConfig(format="voc"))
    (voc / "VOCdevkit" / "VOC2012" / "ImageSets" / "Segmentation" / "train.txt").write_bytes(b"\xff\xfe\x00")
    shutil.copy(
        voc / "VOCdevkit/VOC2012/JPEGImages/2007_1.jpg", voc / "VOCdevkit/VOC2012/JPEGImages/2007_2.jpg"
    )
    with pytest.raises(DataError, match=r"train\.txt: the list cannot be read"):
        open_dataset(voc)


@pytest.fixture
def flat(save, tmp_path: Path) -> Path:
    """Three of the challenge's pictures, two with masks, in one folder; and a file of another name."""
    for name in ("2007_000001", "2008_000002", "2009_000003"):
        save(f"flat/{name}.jpg", np.zeros((6, 8, 3), np.uint8))
        if name != "2009_000003":
            paletted(ids(0, 15, 255, 20)).save(tmp_path / "flat" / f"{name}.png")
    save("flat/overview.png", np.zeros((2, 2), np.uint8))
    return tmp_path / "flat"


def test_pictures_and_masks_in_one_folder(flat: Path) -> None:
    dataset = open_dataset(flat)
    assert dataset.reader.format == "voc"
    assert [e.name for e in dataset.reader.entries] == ["2007_000001", "2008_000002"]
    assert np.array_equal(dataset.reader[0].mask, ids(0, 15, 255, 20))
    assert dataset.classes.names == CLASSES.names
    assert "1 pictures without a mask are left out" in dataset.notes


def test_one_folder_without_the_palette_is_opened_on_demand(flat: Path) -> None:
    """Grey ids might mean anything; colours might be PASCAL-Context's."""
    path = flat / "2007_000001.png"
    Image.open(path).convert("RGB").save(path)
    assert not READERS["voc"].recognises(flat)
    dataset = open_dataset(flat, DataConfig(format="voc"))
    assert np.array_equal(dataset.reader[0].mask, dataset.reader[1].mask)
    Image.fromarray(ids(0, 15, 255, 20)).save(path)
    assert not READERS["voc"].recognises(flat)


def test_a_mask_in_one_folder_without_its_picture(flat: Path) -> None:
    (flat / "2008_000002.jpg").unlink()
    with pytest.raises(DataError, match=r"1 of 2 masks have no picture \(2008_000002\.png\)"):
        open_dataset(flat)


def test_one_folder_of_many_is_read_wholly(flat: Path) -> None:
    for number in range(2100):
        for ending in ("jpg", "png"):
            (flat / f"2010_{number:06d}.{ending}").hardlink_to(flat / f"2007_000001.{ending}")
    assert len(open_dataset(flat).reader) == 2102


@pytest.mark.parametrize("root", ["missing", "flat/overview.png"])
def test_no_folder(flat: Path, root: str) -> None:
    with pytest.raises(DataError, match=r"no such folder|this is a file"):
        open_dataset(flat.parent / root, DataConfig(format="voc"))


def test_lists_as_people_write_them(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("\ufeff# pictures\r\n\r\nÄpfel 1\r\n  b/c.png\tx\n".encode())
    assert read_list(tmp_path / "a.txt") == ["Äpfel", "b/c.png"]


def test_the_real_pictures(real_data, tmp_path: Path) -> None:
    base = tmp_path / "VOC2012"
    for part in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (base / part).mkdir(parents=True)
    for path in (real_data / "formats" / "voc").iterdir():
        target = {".jpg": "JPEGImages", ".png": "SegmentationClass"}.get(path.suffix)
        if target:
            shutil.copy(path, base / target)
    dataset = open_dataset(tmp_path)
    assert len(dataset.reader) == 4
    seen = {int(v) for sample in dataset.reader for v in np.unique(sample.mask)}
    assert 255 in seen
    assert len(seen) > 3


def test_the_real_pictures_as_they_came(real_data: Path) -> None:
    dataset = open_dataset(real_data / "formats" / "voc")
    assert (dataset.reader.format, len(dataset.reader)) == ("voc", 4)
    for sample in dataset.reader:
        named = {dataset.classes.names[i] for i in np.unique(sample.mask) if i != 255}
        assert len(named) > 1, sample.name
