"""What is measured of a data set: hand-counted pixels, sizes and breadths, even samples, faults."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pixelwise.config import DataConfig
from pixelwise.data import breadths, open_dataset
from pixelwise.data import statistics as module
from pixelwise.data.statistics import Statistics, measure, spread
from pixelwise.errors import DataError


def write(root: Path, masks: list[npt.NDArray[np.uint8]], names: str = "ground\nbox\nnever\n") -> Path:
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    for number, mask in enumerate(masks):
        Image.fromarray(np.zeros((*mask.shape, 3), np.uint8)).save(root / "images" / f"{number:03d}.png")
        Image.fromarray(mask).save(root / "masks" / f"{number:03d}.png")
    (root / "classes.txt").write_text(names)
    return root


def box(size: tuple[int, int], side: int) -> npt.NDArray[np.uint8]:
    """A square of class 1 on class 0."""
    mask = np.zeros(size, np.uint8)
    mask[2 : 2 + side, 3 : 3 + side] = 1
    return mask


def look(root: Path, *, last: int = 1, most: int = 500) -> Statistics:
    return measure(open_dataset(root, DataConfig(val_last=last, map=("255=ignore",))), most=most)


def test_counts_sizes_and_breadths_by_hand(tmp_path: Path) -> None:
    ignored = np.full((20, 40), 255, np.uint8)
    ignored[0, :3] = 0  # 3 of 800 pixels are labelled: less than 1%
    masks = [box((20, 40), 10), box((20, 40), 5), np.zeros((40, 40), np.uint8), ignored, box((30, 20), 10)]
    found = look(write(tmp_path, masks))
    assert found.classes == ("ground", "box", "never")
    train, val = found.train, found.val
    assert (train.pictures, train.looked_at, val.pictures, val.looked_at) == (4, 4, 1, 1)
    # Boxes of 100 and 25; ground 700 + 775 + 1600 + 3.
    assert train.class_pixels == (3078, 125, 0)
    assert train.class_pictures == (4, 2, 0)
    assert train.only_class == (2, 0, 0)
    assert train.ignored_pixels == 797
    assert train.nearly_empty == 1
    assert train.shares == pytest.approx((3078 / 3203, 125 / 3203, 0))
    assert val.class_pixels == (500, 100, 0)
    # Heights 20 20 40 20 30, widths 40 40 40 40 20.
    assert (found.size, found.smallest, found.largest) == ((20, 40), (20, 20), (40, 40))
    # Aspects sorted: 2/3 1 2 2 2; the 10th percentile lies 0.4 of the way from the first to the second.
    assert found.aspects == pytest.approx((2 / 3 + 0.4 * (1 / 3), 2, 2))
    # Of the boxes' 125 pixels a tenth, 12.5, lies in the small one: a square of 5 in a picture of sqrt(800).
    assert found.breadths[1] == pytest.approx(5 / np.sqrt(800), rel=0.05)
    assert found.breadths[2] is None


def test_the_narrow_tenth_is_of_pixels_and_not_of_objects(tmp_path: Path) -> None:
    """Nine specks of one pixel beside a box of 100 are 9 of 109 pixels: less than a tenth."""
    mask = box((40, 40), 10)
    mask[30, 1:36:4] = 1
    few = look(write(tmp_path / "few", [mask, mask])).breadths[1]
    mask[35, 1:36:4] = 1  # 18 of 118 are more
    many = look(write(tmp_path / "many", [mask, mask])).breadths[1]
    assert few == pytest.approx(10 / 40, rel=0.05)
    assert many == pytest.approx(1 / 40, rel=0.05)


def test_large_masks_are_measured_on_fewer_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mask = np.zeros((200, 200), np.uint8)
    mask[40:120, 40:120] = 1
    root = write(tmp_path, [mask, mask])
    whole = look(root)
    monkeypatch.setattr(breadths, "_LARGEST_LABELLED", 200 * 200 // 4)
    halved = look(root)
    assert halved.breadths[1] == pytest.approx(whole.breadths[1], rel=0.1)
    assert halved.train.class_pixels == whole.train.class_pixels


def test_a_sample_is_said_to_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write(tmp_path, [box((20, 20), 5) for _ in range(30)])
    found = look(root, last=10, most=4)
    assert (found.train.pictures, found.train.looked_at, found.val.looked_at) == (20, 4, 4)
    assert found.train.class_pictures == (4, 4, 0)
    # Very large masks end the walk early, but not before a dozen.
    monkeypatch.setattr(module, "_MOST_PIXELS", 500)
    assert look(root, last=10).train.looked_at == 12


@settings(deadline=None, derandomize=True, max_examples=100)
@given(st.integers(1, 400), st.integers(1, 100))
def test_samples_are_even_at_every_length(count: int, most: int) -> None:
    chosen = spread(range(count), most)
    assert len(set(chosen)) == len(chosen) == min(count, most)
    assert set(chosen) <= set(range(count))
    gaps = np.diff([-1, *sorted(chosen), count])
    assert gaps.max() <= 2 * count / len(chosen) + 1
    half = chosen[: max(1, len(chosen) // 2)]
    assert np.diff([-1, *sorted(half), count]).max() <= 3 * count / len(half) + 2


def test_faults_are_those_of_training(tmp_path: Path) -> None:
    root = write(tmp_path, [box((20, 20), 5) for _ in range(6)])
    (root / "masks" / "001.png").write_bytes(b"no picture")
    (root / "images" / "002.png").write_bytes(b"neither")
    with pytest.raises(DataError, match=r"2 of 5 samples cannot be used: .*001\.png"):
        look(root)
    skipping = open_dataset(root, DataConfig(val_last=1, skip_broken=True))
    found = measure(skipping)
    assert (found.train.pictures, found.train.looked_at) == (5, 3)
    Image.fromarray(box((20, 20), 5) * 7).save(root / "masks" / "003.png")
    with pytest.raises(DataError, match=r"the value 7"):
        measure(skipping)
    only = write(tmp_path / "only", [box((20, 20), 5)])
    with pytest.raises(DataError, match="no validation picture"):
        measure(open_dataset(only, DataConfig()))
