"""Where networks answer: cells, sizes and names by hand, and what cannot be."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.ceiling.axis import Axis
from pixelwise.ceiling.grid import STRIDES, Grid, make_grids
from pixelwise.data.resize import resize_mask
from pixelwise.errors import ConfigError
from pixelwise.nn.frame import pad_to_multiple


def test_a_stride_at_the_pictures_own_size() -> None:
    rows, columns = Grid(stride=32).axes((360, 480))
    assert (rows.cells, columns.cells) == (12, 15)  # 11.25 and 15
    assert (rows.cell, rows.pixel) == (32, 1)
    assert rows.pixel_range(11, 12) == (352, 360)  # the last cell has 8 rows of its 32
    assert rows.cell_range(352, 360) == (11, 12)
    padded = pad_to_multiple(torch.zeros(1, 1, 360, 480), 32)
    assert padded.shape[2:] == (32 * rows.cells, 32 * columns.cells)


def test_a_size_makes_cells_of_parts_of_pixels() -> None:
    rows, columns = Grid(stride=1, size=(80, 80), policy="resize").axes((720, 1024))
    assert (rows.cells, rows.cell, rows.pixel) == (80, 9, 1)  # 9 pixels a cell
    assert (columns.cells, columns.cell, columns.pixel) == (80, 64, 5)  # 12.8
    assert columns.pixel_range(1, 2) == (12, 26)  # 12.8 to 25.6
    assert columns.cell_range(12, 13) == (0, 2)  # 12.0 to 13.0
    rows, columns = Grid(stride=4, size=(90, 80), policy="resize").axes((720, 1024))
    assert (rows.cells, columns.cells) == (23, 20)  # 22.5
    assert columns.cell / columns.pixel == 51.2


@pytest.mark.parametrize(
    ("picture", "room", "taken"),
    [
        ((720, 1024), (80, 80), (56, 80)),  # 80 * 720 / 1024 = 56.25
        ((1024, 720), (80, 80), (80, 56)),
        ((100, 300), (60, 90), (30, 90)),
        ((1, 1000), (50, 50), (1, 50)),  # 0.05 is a pixel all the same
        ((30, 20), (60, 60), (60, 40)),  # small pictures grow
    ],
)
def test_letterbox_keeps_the_aspect(
    picture: tuple[int, int], room: tuple[int, int], taken: tuple[int, int]
) -> None:
    rows, columns = Grid(stride=1, size=room, policy="letterbox").axes(picture)
    assert (rows.cells, columns.cells) == taken
    assert Grid(stride=1, size=taken, policy="resize").axes(picture) == (rows, columns)


@settings(deadline=None, derandomize=True, max_examples=80)
@given(st.integers(1, 60), st.integers(1, 90))
def test_centres_and_holders_are_those_of_resized_masks(pixels: int, side: int) -> None:
    axis = Axis.of(pixels, side, 1)
    line = np.arange(pixels, dtype=np.int64)[:, None]
    assert np.array_equal(axis.centres(), resize_mask(line, (side, 1))[:, 0])
    cells = np.arange(side, dtype=np.int64)[:, None]
    assert np.array_equal(axis.holders(), resize_mask(cells, (pixels, 1))[:, 0])


@settings(deadline=None, derandomize=True, max_examples=80)
@given(st.integers(1, 60), st.integers(1, 90), st.integers(1, 9))
def test_pixels_lie_between_the_right_centres(pixels: int, side: int, stride: int) -> None:
    axis = Axis.of(pixels, side, stride)
    second, distance = axis.between()
    place = (np.arange(pixels) + 0.5) * side / pixels / stride - 0.5
    assert np.allclose(second - 1 + distance / (2 * axis.cell), place)
    assert second.min() >= 0
    assert second.max() <= axis.cells


def test_grids_of_a_run() -> None:
    assert [grid.stride for grid in make_grids()] == list(STRIDES)
    assert make_grids((4,))[0] == Grid(stride=4)
    sized = make_grids((), ((80, 60), (160, 120)), "letterbox")
    assert [(grid.stride, grid.size, grid.policy) for grid in sized] == [
        (1, (80, 60), "letterbox"),
        (1, (160, 120), "letterbox"),
    ]
    names = [grid.name for grid in make_grids((1, 4), ((240, 320),))]
    assert names == ["320x240", "320x240 / 4"]  # width times height, as people say it
    assert Grid(stride=8).name == "stride 8"
    assert sized[0].to_json() == {"name": "60x80", "stride": 1, "size": [80, 60], "policy": "letterbox"}


@pytest.mark.parametrize(
    ("strides", "sizes", "says"),
    [
        ((0,), (), "a stride is a whole number in 1..16384, got 0"),
        ((4, 4), (), "must differ"),
        ((), ((0, 5),), "a size is two whole numbers"),
        ((), ((5, 20000),), "a size is two whole numbers"),
        ((), ((5, 5), (5, 5)), "must differ"),
        (tuple(range(1, 34)), (), "33 strides times sizes are more than the 32"),
    ],
)
def test_what_cannot_be(strides: tuple[int, ...], sizes: tuple[tuple[int, int], ...], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        make_grids(strides, sizes)


def test_a_size_needs_a_policy() -> None:
    with pytest.raises(ConfigError, match="resize and letterbox need a size"):
        Grid(stride=1, policy="resize")
    with pytest.raises(ConfigError, match="native has none"):
        Grid(stride=1, size=(3, 3))
