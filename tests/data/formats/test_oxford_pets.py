"""Reader `oxford_pets`: the official layout and lists, with the oddities of the official archive."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from stripes import ids

from pixelwise.config import DataConfig
from pixelwise.data import open_dataset
from pixelwise.errors import DataError


@pytest.fixture
def pets(tmp_path: Path, save) -> Path:
    """The official layout, with what the official archive has: files that are not what their ending says."""
    picture = np.zeros((6, 8, 3), np.uint8)
    trimap = ids(1, 2, 3, 2)
    for name in ("Abyssinian_1", "Abyssinian_2", "beagle_1", "beagle_2", "pug_1"):
        save(f"pets/images/{name}.jpg", picture)
        save(f"pets/annotations/trimaps/{name}.png", trimap)
    images = tmp_path / "pets" / "images"
    Image.fromarray(picture).save(images / "Abyssinian_2.jpg", format="PNG")
    Image.fromarray(picture).convert("P").save(images / "beagle_1.jpg", format="GIF")
    Image.fromarray(picture).convert("CMYK").save(images / "beagle_2.jpg", format="JPEG")
    (images / "Abyssinian_1.mat").write_bytes(b"matlab")
    (tmp_path / "pets" / "annotations" / "trimaps" / "._Abyssinian_1.png").write_bytes(b"macOS")
    return tmp_path / "pets"


def test_oxford_pets(pets):
    dataset = open_dataset(pets, DataConfig(val_last=2))
    assert dataset.reader.format == "oxford_pets"
    assert dataset.classes.names == ("pet", "background", "border")
    assert [e.name for e in dataset.reader.entries] == [
        *("Abyssinian_1", "Abyssinian_2", "beagle_1", "beagle_2", "pug_1"),
    ]
    assert dataset.split.val == (3, 4)
    for i in range(5):
        sample = dataset.reader[i]
        assert sample.image.shape == (6, 8, 3)
        assert np.array_equal(sample.mask, ids(0, 1, 2, 1))


def test_oxford_pets_official_lists(pets):
    lists = pets / "annotations"
    lists.joinpath("trainval.txt").write_text("Abyssinian_1 1 1 1\nbeagle_1 2 2 1\npug_1 3 2 2\n")
    lists.joinpath("test.txt").write_text("# a comment\r\nAbyssinian_2 1 1 1\r\n")
    dataset = open_dataset(pets)
    assert dataset.split.train == (0, 2, 4)
    assert dataset.split.val == (1,)
    assert "own split" in dataset.split.rule
    assert dataset.indices("test") == (1,)


def test_oxford_pets_values_beyond_the_trimap(pets, save):
    save("pets/annotations/trimaps/pug_1.png", ids(0, 1, 2))
    with pytest.raises(DataError, match=r"pug_1\.png holds the value 0"):
        open_dataset(pets).reader[4]
