"""How much of each cell each class covers.

A running sum over the rectangle in which a class lies gives the area of any cell by its four corners, on all
grids from the same sums. Knows no method and no score.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwise.ceiling.axis import Axis, Places
from pixelwise.types import IGNORE

Axes = tuple[Axis, Axis]
_INT32 = 1 << 31


@dataclass(frozen=True, eq=False)
class Part:
    """The cells that a class touches.

    Attributes:
        label: The class.
        top: Row of the first of these cells.
        left: Column.
        areas: `(h, w)`, in square units of the axes; zero in every other cell.
    """

    label: int
    top: int
    left: int
    areas: npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class _Sums:
    """A class's pixels, summed from the upper left of the rectangle in which it lies."""

    label: int
    rows: tuple[int, int]
    columns: tuple[int, int]
    sums: npt.NDArray[np.int32]


class ClassAreas:
    """The classes of some rows of a mask.

    Args:
        mask: `(H, W) uint8`; 255 is no class.
        first: The first row.
        end: The row behind the last.
    """

    def __init__(self, mask: npt.NDArray[np.uint8], first: int, end: int) -> None:
        own = mask[first:end]
        present = np.flatnonzero(np.bincount(own.ravel(), minlength=256)[:IGNORE]).tolist()
        self._all = [_sums(own, label, first) for label in present]

    def on(self, axes: Axes, first: int, end: int) -> list[Part]:
        """The parts, in the order of the classes, in the cells' rows `first` to `end - 1`.

        These cells must touch no pixel outside the rows that were summed.
        """
        parts: list[Part] = []
        for item in self._all:
            part = _part(item, axes, first, end)
            if part is not None:
                parts.append(part)
        return parts


def _sums(mask: npt.NDArray[np.uint8], label: int, first: int) -> _Sums:
    own = mask == label
    in_row, in_column = np.flatnonzero(own.any(axis=1)), np.flatnonzero(own.any(axis=0))
    rows, columns = (int(in_row[0]), int(in_row[-1]) + 1), (int(in_column[0]), int(in_column[-1]) + 1)
    sums = np.zeros((rows[1] - rows[0] + 1, columns[1] - columns[0] + 1), np.int32)
    np.cumsum(own[slice(*rows), slice(*columns)], axis=1, dtype=np.int32, out=sums[1:, 1:])
    np.cumsum(sums, axis=0, out=sums)
    return _Sums(label, (first + rows[0], first + rows[1]), columns, sums)


def _part(item: _Sums, axes: Axes, first: int, end: int) -> Part | None:
    top, bottom = axes[0].cell_range(*item.rows)
    left, right = axes[1].cell_range(*item.columns)
    top, bottom = max(top, first), min(bottom, end)
    if top >= bottom:
        return None
    most = axes[0].cells * axes[0].cell * axes[1].cells * axes[1].cell
    dtype = np.int32 if most < _INT32 else np.int64
    rows = _upto(item.sums, axes[0], item.rows, _edges(axes[0], item.rows, top, bottom), dtype)
    rows = rows[1:] - rows[:-1]
    both = _upto(np.transpose(rows), axes[1], item.columns, _edges(axes[1], item.columns, left, right), dtype)
    areas = np.transpose(both[1:] - both[:-1])
    return Part(item.label, top, left, areas.astype(np.min_scalar_type(axes[0].cell * axes[1].cell)))


def _edges(axis: Axis, own: tuple[int, int], first: int, end: int) -> Places:
    """Where the cells begin and end, in units from the rectangle's first pixel, no further than it goes.

    Where the rectangle reaches the picture's edge, its last pixel goes on to the end of the last cell.
    """
    edges = np.arange(first, end + 1, dtype=np.intp) * axis.cell - own[0] * axis.pixel
    last = edges[-1] if own[1] == axis.pixels else (own[1] - own[0]) * axis.pixel
    return np.minimum(np.maximum(edges, 0), last)


def _upto(
    sums: npt.NDArray[Any],
    axis: Axis,
    own: tuple[int, int],
    edges: Places,
    dtype: type[np.signedinteger[Any]],
) -> npt.NDArray[Any]:
    """The sums up to each edge, along the first axis, in units of it; within a pixel they grow evenly."""
    count = own[1] - own[0]
    if axis.pixel == 1 and edges[-1] <= count:
        return sums.take(edges, axis=0).astype(dtype, copy=False)
    whole = np.minimum(edges // axis.pixel, count - 1)
    part = (edges - whole * axis.pixel).astype(dtype)[:, None]
    before = sums.take(whole, axis=0).astype(dtype, copy=False)
    step = sums.take(whole + 1, axis=0).astype(dtype, copy=False) - before
    return before * dtype(axis.pixel) + step * part
