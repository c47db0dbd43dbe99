"""`--fit-masks`: where the EXIF turn or a scale alone lies between them, a mask gets its picture's size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from stripes import ids

from pixelwise.config import DataConfig, changed
from pixelwise.data import open_dataset
from pixelwise.data.cache import prepare
from pixelwise.data.io import Header, turn, unturn
from pixelwise.data.mendable import MendableError
from pixelwise.data.resize import resize_mask
from pixelwise.data.sizes import SizesDifferError, kind_of
from pixelwise.errors import DataError

NAMED = DataConfig(classes=("ground", "box"))
FIT = DataConfig(classes=("ground", "box"), fit_masks=True)
DRAWN = np.zeros((6, 8), np.uint8)
DRAWN[1:3, 2:7] = 1
DRAWN[4, 0] = 1


def scene(mask: np.ndarray) -> np.ndarray:
    """A picture whose bright pixels are the class."""
    return np.repeat(mask[..., None] * np.uint8(250), 3, axis=2)


def refused(root: Path, config: DataConfig = NAMED) -> SizesDifferError:
    with pytest.raises(SizesDifferError) as caught:
        open_dataset(root, config).reader[0]
    return caught.value


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_a_mask_that_missed_the_turn_of_its_picture(save, tmp_path, orientation, ending):
    save(f"set/images/a.{ending}", scene(DRAWN), orientation=orientation)
    save("set/masks/a.png", DRAWN)
    error = refused(tmp_path / "set")
    assert (error.kind, error.picture.size, error.mask.size) == ("turned", (8, 6), (6, 8))
    assert "the picture's EXIF tag turns it by 90 degrees" in str(error)
    assert str(error).endswith(", or add --fit-masks")
    sample = open_dataset(tmp_path / "set", changed(NAMED, error.changes)).reader[0]
    assert sample.mask.shape == (8, 6)
    assert np.array_equal(sample.mask, sample.image[..., 0] // 250)


@pytest.mark.parametrize(("picture", "mask"), [(1, 6), (3, 8), (2, 5), (1, 7)])
def test_a_mask_with_a_turn_that_its_picture_lacks(save, tmp_path, picture, mask):
    save("set/images/a.png", scene(DRAWN), orientation=picture)
    save("set/masks/a.png", DRAWN, orientation=mask)
    assert refused(tmp_path / "set").kind == "turned"
    sample = open_dataset(tmp_path / "set", FIT).reader[0]
    assert np.array_equal(sample.mask, sample.image[..., 0] // 250)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_unturn_undoes_turn_as_pillow_means_it(orientation):
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    image = Image.fromarray(array)
    image.getexif()[0x0112] = orientation
    upright = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(turn(array, orientation), upright)
    assert np.array_equal(unturn(upright, orientation), array)


def test_a_mask_at_another_scale(save, tmp_path):
    save("set/images/a.png", np.zeros((60, 80, 3), np.uint8))
    small = np.zeros((6, 8), np.uint8)
    small[2, 3] = 1
    save("set/masks/a.png", small)
    error = refused(tmp_path / "set")
    assert (error.kind, dict(error.changes)) == ("scaled", {"fit_masks": True})
    reader = open_dataset(tmp_path / "set", FIT).reader
    mask = reader[0].mask
    assert mask.shape == (60, 80)
    assert mask.sum() == 100
    assert mask[20:30, 30:40].all()
    image, own = reader.for_network(0, (12, 16))
    assert (image.shape, own.shape) == ((12, 16, 3), (60, 80))
    assert np.array_equal(reader.at(0, (12, 16))[1], resize_mask(mask, (12, 16)))


def test_what_does_not_fit_is_refused_all_the_same(save, tmp_path):
    save("set/images/a.png", np.zeros((60, 80, 3), np.uint8))
    save("set/masks/a.png", ids(0, 1, size=(60, 60)))
    for config in (NAMED, FIT):
        error = refused(tmp_path / "set", config)
        assert (error.kind, dict(error.changes)) == ("other", {})
        assert "pair the right files" in str(error)
        assert "--fit-masks" not in str(error)


def header(height: int, width: int, orientation: int = 1) -> Header:
    return Header((height, width), orientation, "PNG", "L")


@pytest.mark.parametrize(
    ("picture", "mask", "kind"),
    [
        (header(480, 640), header(240, 320), "scaled"),
        (header(240, 320), header(480, 640), "scaled"),
        (header(375, 500), header(188, 250), "scaled"),  # 187.5, rounded up
        (header(375, 500), header(187, 250), "scaled"),
        (header(375, 500), header(376, 500), "scaled"),  # one row more
        (header(375, 500), header(190, 250), "other"),
        (header(480, 640), header(640, 480), "other"),  # no tag says that it was turned
        (header(480, 640, 6), header(640, 480), "turned"),
        (header(480, 640, 6), header(640, 480, 8), "other"),
        (header(480, 640, 3), header(640, 480), "other"),
        (header(100, 75), header(101, 74), "other"),
    ],
)
def test_kinds(picture, mask, kind):
    assert kind_of(picture, mask) == kind


@settings(max_examples=80, deadline=None)
@given(
    st.integers(20, 4000),
    st.integers(20, 4000),
    st.floats(0.05, 1),
    st.sampled_from([np.floor, np.round, np.ceil]),
)
def test_every_rounding_of_a_scale_is_one(height, width, scale, rounding):
    small = int(rounding(height * scale)) or 1, int(rounding(width * scale)) or 1
    picture, mask = header(height, width), header(*small)
    if small != (height, width):
        assert kind_of(picture, mask) == kind_of(mask, picture) == "scaled"


def test_the_cache_tells_fitted_from_unfitted(save, tmp_path):
    for name in "abc":
        save(f"set/images/{name}.png", np.zeros((60, 80, 3), np.uint8))
        save(f"set/masks/{name}.png", ids(0, 1, size=(6, 8)))
    cache = tmp_path / "cache"
    fit = DataConfig(classes=("ground", "box"), fit_masks=True, cache_dir=cache)
    dataset = open_dataset(tmp_path / "set", fit)
    assert any("brought to its size" in note for note in dataset.notes)
    prepared = prepare(dataset, (12, 16), fit)
    assert np.array_equal(prepared.train.masks(0), ids(0, 1, size=(12, 16)))
    assert any("come from the cache" in note for note in prepare(dataset, (12, 16), fit).notes)
    without = DataConfig(classes=("ground", "box"), cache_dir=cache)
    with pytest.raises(MendableError, match=r"3 of 3 samples cannot be used.*--fit-masks") as caught:
        prepare(open_dataset(tmp_path / "set", without), (12, 16), without)
    assert dict(caught.value.changes) == {"fit_masks": True}


def test_keys_of_sets_that_need_no_fitting_stay_apart_but_data_hashes_equal(make_set, tmp_path):
    root = make_set({"a": ids(0, 1), "b": ids(0, 1)})
    hashes, folders = set(), set()
    for fit in (False, True):
        config = DataConfig(fit_masks=fit, cache_dir=tmp_path / "cache")
        prepared = prepare(open_dataset(root, config), (6, 8), config)
        hashes.add(prepared.data_hash)
        folders.add(next(note for note in prepared.notes if "are kept in" in note))
    assert (len(hashes), len(folders)) == (1, 2)


def test_formats_that_share_mask_files(save, tmp_path):
    """Cityscapes' ids at half the size; the same `MaskFiles` serves ADE20K and PASCAL-Context."""
    save("city/leftImg8bit/train/ulm/ulm_1_leftImg8bit.png", np.zeros((8, 12, 3), np.uint8))
    save("city/leftImg8bit/val/ulm/ulm_2_leftImg8bit.png", np.zeros((8, 12, 3), np.uint8))
    for side, number in (("train", 1), ("val", 2)):
        save(f"city/gtFine/{side}/ulm/ulm_{number}_gtFine_labelIds.png", ids(7, 26, size=(4, 6)))
    with pytest.raises(DataError, match="--fit-masks"):
        open_dataset(tmp_path / "city").reader[0]
    mask = open_dataset(tmp_path / "city", DataConfig(fit_masks=True)).reader[0].mask
    assert np.array_equal(mask, ids(0, 13, size=(8, 12)))
