"""Counts of one mask: by hand, and as the slow definition has them, on every kind of grid."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import slowly
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.ceiling.grid import Grid
from pixelwise.ceiling.tally import METHODS, Method, tally

Mask = npt.NDArray[np.uint8]


def counts(mask: Mask, grid: Grid, method: Method, classes: int = 3) -> tuple[list[int], list[int]]:
    found = tally(mask, grids=(grid,), methods=(method,), classes=classes)
    return found.missed[0, 0].tolist(), found.added[0, 0].tolist()


def test_one_bright_pixel_by_hand() -> None:
    """A 4x4 mask with one pixel of class 1 at (0, 0), at stride 2: the first cell has 3/4 of class 0."""
    mask = np.zeros((4, 4), np.uint8)
    mask[0, 0] = 1
    # Its cell is mostly 0, so majority and soft lose the pixel; nearest too, as its centre is pixel (1, 1).
    for method in METHODS:
        assert counts(mask, Grid(stride=2), method) == ([0, 1, 0], [1, 0, 0])
    mask[0, 0], mask[1, 1] = 0, 1  # now nearest makes the whole cell 1: three pixels of 0 are wrong
    assert counts(mask, Grid(stride=2), "nearest") == ([3, 0, 0], [0, 3, 0])
    assert counts(mask, Grid(stride=2), "majority") == ([0, 1, 0], [1, 0, 0])


def test_soft_finds_a_border_that_cuts_cells_by_hand() -> None:
    """One row, stride 4, class 1 from pixel 6 on: shares of class 1 in the cells are 0, 1/2, 1.

    Centres lie at 2, 6, 10 pixels. Class 1 passes a half at 6: pixels 0..5 are 0, and 6.. are 1, all right.
    Majority gives the second cell, a tie, to class 0: pixels 6 and 7 are missed.
    """
    mask = np.array([[0] * 6 + [1] * 6] * 4, np.uint8)
    assert counts(mask, Grid(stride=4), "soft") == ([0, 0, 0], [0, 0, 0])
    assert counts(mask, Grid(stride=4), "majority") == ([0, 8, 0], [8, 0, 0])
    # The centres of the cells are pixels 2, 6 and 10: 0, 1, 1, so pixels 4 and 5 are wrong.
    assert counts(mask, Grid(stride=4), "nearest") == ([8, 0, 0], [0, 8, 0])


def test_a_thin_pole_is_lost_by_hand() -> None:
    """Two of eight columns are class 1, one in each of two cells."""
    mask = np.zeros((8, 8), np.uint8)
    mask[:, 3:5] = 1  # both cells have 1/4, everywhere less than class 0
    assert counts(mask, Grid(stride=4), "soft") == ([0, 16, 0], [16, 0, 0])
    mask = np.zeros((8, 8), np.uint8)
    mask[:, 1:4] = 1  # 3/4 of the left cell: class 1 wins left of where 3/4 falls to 1/2
    # Left of centre 2 the share is 3/4: columns 0 and 1 are 1. Between 2 and 6 it is 3/4 (1 - t): at 2.5,
    # t = 1/8 and it is 21/32 > 1/2; at 3.5, t = 3/8 and it is 15/32 < 1/2. So columns 0, 1, 2 are 1; 0 is
    # wrong, 3 is missed.
    assert counts(mask, Grid(stride=4), "soft") == ([8, 8, 0], [8, 8, 0])


def test_beyond_the_edge_the_last_pixels_go_on() -> None:
    """Five pixels at stride 4: the second cell is the last pixel, four times; it keeps a class of its own."""
    mask = np.array([[0, 0, 0, 0, 1]] * 5, np.uint8)
    for method in METHODS:
        missed, _ = counts(mask, Grid(stride=4), method)
        # Centres at 2 and 6: at 4.5 class 1 has (4.5 - 2) / 4 = 5/8, at 3.5 it has 3/8.
        assert missed == [0, 0, 0]


def test_ignored_pixels_count_for_no_class_and_are_not_scored() -> None:
    mask = np.full((4, 4), 255, np.uint8)
    mask[0, 0] = 2
    found = tally(mask, grids=(Grid(stride=4),), methods=METHODS, classes=3)
    assert found.truth.tolist() == [0, 0, 1]
    assert not found.missed.any()  # class 2 covers 1/16 of the cell, and no other class covers more
    mask[3, 2:] = 1
    found = tally(mask, grids=(Grid(stride=4),), methods=METHODS, classes=3)
    # The centre is pixel (2, 2), ignored: nearest answers the most frequent class, as majority does.
    assert found.missed[0].tolist() == [[0, 0, 1]] * 3
    assert found.added[0].tolist() == [[0, 1, 0]] * 3


def test_stride_one_is_the_mask_itself() -> None:
    mask = np.random.default_rng(0).integers(0, 3, (7, 9), dtype=np.uint8)
    found = tally(mask, grids=(Grid(stride=1),), methods=METHODS, classes=3)
    assert not found.missed.any()
    assert found.cells.tolist() == [63]
    assert (found.pictures, found.pixels) == (1, 63)


@st.composite
def masks(draw: st.DrawFn) -> Mask:
    """Blobs and noise with ignored pixels, and classes that are not there."""
    height, width = draw(st.integers(1, 19)), draw(st.integers(1, 19))
    generator = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    ids = np.array(draw(st.sampled_from([(0, 1), (0, 1, 255), (1, 3), (0, 1, 2, 3, 255), (255,), (2,)])))
    coarse = draw(st.integers(1, 6))
    blobs = ids[generator.integers(0, len(ids), (-(-height // coarse), -(-width // coarse)))]
    mask = np.kron(blobs, np.ones((coarse, coarse), int))[:height, :width]
    noise = ids[generator.integers(0, len(ids), (height, width))]
    return np.where(
        generator.random((height, width)) < draw(st.sampled_from([0.0, 0.1])), noise, mask
    ).astype(np.uint8)


def assert_as_slowly(mask: Mask, grid: Grid, taken: tuple[int, int], at_once: int) -> None:
    found = tally(mask, grids=(grid,), methods=METHODS, classes=4, at_once=at_once)
    for number, method in enumerate(METHODS):
        labels = slowly.predict(mask, taken, grid.stride, 4, method)
        wanted = slowly.errors(mask, labels, 4)
        assert (found.missed[0, number].tolist(), found.added[0, number].tolist()) == wanted, method


@settings(deadline=None, derandomize=True, max_examples=40)
@given(masks(), st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 16, 32]), st.sampled_from([1, 60, 1 << 25]))
def test_strides_as_the_definition_has_them(mask: Mask, stride: int, at_once: int) -> None:
    assert_as_slowly(mask, Grid(stride=stride), (mask.shape[0], mask.shape[1]), at_once)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(
    masks(),
    st.tuples(st.integers(1, 24), st.integers(1, 24)),
    st.sampled_from([1, 1, 2, 3, 4]),
    st.sampled_from([1, 60, 1 << 25]),
)
def test_sizes_as_the_definition_has_them(
    mask: Mask, size: tuple[int, int], stride: int, at_once: int
) -> None:
    assert_as_slowly(mask, Grid(stride=stride, size=size, policy="resize"), size, at_once)


def test_several_grids_share_sums_and_change_nothing() -> None:
    mask = np.random.default_rng(1).integers(0, 3, (40, 30), dtype=np.uint8).repeat(3, 0).repeat(3, 1)
    mask[50:60, 20:70] = 255
    grids = [Grid(stride=s) for s in (2, 3, 8, 32)] + [Grid(stride=2, size=(50, 50), policy="letterbox")]
    at_once = tally(mask, grids=grids, methods=METHODS, classes=3)
    for place, grid in enumerate(grids):
        alone = tally(mask, grids=(grid,), methods=METHODS, classes=3, at_once=5000)
        assert np.array_equal(alone.missed[0], at_once.missed[place])
        assert np.array_equal(alone.added[0], at_once.added[place])


@pytest.mark.parametrize("stride", [2, 8, 64, 200])
def test_many_classes_and_large_strides(stride: int) -> None:
    """255 classes in a cell: the counter of classes, the widest weights, a cell larger than the picture."""
    mask = (np.arange(150 * 170) % 255).astype(np.uint8).reshape(150, 170)
    found = tally(mask, grids=(Grid(stride=stride),), methods=METHODS, classes=255)
    assert (found.missed.sum(axis=2) == found.added.sum(axis=2)).all()
    assert (found.missed <= found.truth).all()
    assert found.missed[0, 1].sum() >= mask.size - found.cells[0] * 255
