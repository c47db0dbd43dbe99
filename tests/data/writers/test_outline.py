"""Outlines of regions: drawn one over the other they give the mask back, to the pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw

from pixelwise.data.writers.outline import regions

Mask = npt.NDArray[np.uint8]


def drawn(mask: Mask) -> Mask:
    """As LabelMe draws polygons: outline and filling, one after the other."""
    canvas = Image.new("L", mask.shape[::-1], 99)
    draw = ImageDraw.Draw(canvas)
    for region in regions(mask):
        points = [(int(x), int(y)) for x, y in region.points]
        if len(points) < 3:
            draw.line([*points, points[-1]], fill=region.value)
        else:
            draw.polygon(points, fill=region.value, outline=region.value)
    return np.asarray(canvas)


def test_by_hand() -> None:
    """A ring of 1 around a single 2: the ring's outline encloses all nine pixels and is drawn first."""
    mask = np.array([[1, 1, 1], [1, 2, 1], [1, 1, 1]], np.uint8)
    ring, centre = regions(mask)
    assert (ring.value, ring.area) == (1, 9)
    assert sorted(map(tuple, ring.points.tolist())) == [(0, 0), (0, 2), (2, 0), (2, 2)]
    assert (centre.value, centre.area, centre.points.tolist()) == (2, 1, [[1, 1]])


def test_corners_that_touch_are_two_regions() -> None:
    assert sorted(r.area for r in regions(np.eye(2, dtype=np.uint8))) == [1, 1, 1, 1]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(
        lambda s: arrays(np.uint8, s, elements=st.integers(0, 3))
    )
)
def test_any_mask_comes_back(mask: Mask) -> None:
    assert np.array_equal(drawn(mask), mask)
    assert sum(r.area for r in regions((mask > 9).astype(np.uint8))) == mask.size


@settings(max_examples=60, deadline=None, derandomize=True)
@given(arrays(np.uint8, (9, 7), elements=st.integers(0, 2)), st.integers(1, 4), st.integers(1, 4))
def test_blocks_come_back(mask: Mask, rows: int, columns: int) -> None:
    large = np.kron(mask, np.ones((rows, columns), np.uint8))
    assert np.array_equal(drawn(large), large)


@pytest.mark.parametrize("pattern", ["camvid/valannot/*.png", "formats/voc/*.png"])
def test_real_masks_come_back(real_data: Path, pattern: str) -> None:
    paths = sorted(real_data.glob(pattern))[:5]
    assert paths
    for path in paths:
        mask = np.asarray(Image.open(path))
        assert np.array_equal(drawn(mask), mask)
