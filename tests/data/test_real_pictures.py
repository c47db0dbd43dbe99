"""The readers on real data sets; skipped where they are not there."""

from __future__ import annotations

import numpy as np
import pytest

from pixelwise.config import DataConfig
from pixelwise.data import open_dataset
from pixelwise.data.io import read_mask_values, read_picture
from pixelwise.errors import DataError

CAMVID = (
    *("sky", "building", "pole", "road", "pavement", "tree"),
    *("sign", "fence", "car", "pedestrian", "bicyclist"),
)


def test_cats(real_data):
    dataset = open_dataset(real_data / "cats", DataConfig(val_last=195))
    assert dataset.reader.format == "oxford_pets"
    assert len(dataset.reader) == 895
    names = [dataset.reader.entries[i].name for i in dataset.split.val]
    assert len(names) == 195
    assert all(name.startswith("yard_cat_") for name in names)
    assert all(dataset.reader.entries[i].name.startswith("alley_cat_") for i in dataset.split.train)
    sample = dataset.reader[0]
    assert sample.image.shape == (320, 320, 3)
    assert set(np.unique(sample.mask)) == {0, 1, 2}


def test_people_have_the_0_255_trap(real_data):
    classes = ("background", "person")
    with pytest.raises(DataError, match="--map 255=1"):
        open_dataset(real_data / "people", DataConfig(classes=classes))
    dataset = open_dataset(real_data / "people", DataConfig(classes=classes, map=("255=1",)))
    shares = [dataset.reader[i].mask.mean() for i in range(0, 1004, 50)]
    assert 0.1 < float(np.mean(shares)) < 0.4  # 23% of the pixels over the whole set
    assert len(dataset.split.val) == 201


def test_camvid_has_its_own_split_and_a_void_class(real_data):
    plain = DataConfig(format="folder", classes=CAMVID)
    with pytest.raises(DataError, match="--map 11=ignore"):
        open_dataset(real_data / "camvid", plain).reader[0]
    dataset = open_dataset(real_data / "camvid")
    assert dataset.reader.format == "camvid"
    assert dataset.classes.names[:4] == ("sky", "building", "pole", "road")
    assert len(dataset.split.train) == 367
    assert len(dataset.split.val) == 101
    sample = dataset.reader[0]
    assert sample.image.shape == (360, 480, 3)
    assert set(np.unique(sample.mask)) <= {*range(11), 255}


def test_voc_palettes_are_indices(real_data):
    masks = sorted((real_data / "formats" / "voc").glob("*.png"))
    assert masks
    for path in masks:
        raw = read_mask_values(path)
        assert raw.ndim == 2
        assert set(np.unique(raw)) <= {*range(21), 255}
        assert read_picture(path.with_suffix(".jpg")).shape[:2] == raw.shape
