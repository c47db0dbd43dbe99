"""The soft method: what is wrong when a network answers each cell with the exact share of each class.

The shares are interpolated between the cells' centres and the largest wins. Between four cells that hold
one class alone that class wins and is right, so only the pixels between cells of several classes are looked
at, and of the classes only those of the four. All is done in whole numbers: equal shares are equal, and the
lowest id wins. Knows no file and no score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwise.ceiling.areas import Axes, Part
from pixelwise.ceiling.axis import Blocks, Places
from pixelwise.ceiling.errors import Errors

_CHUNK = 1 << 17
"""Interpolated values held at once: they stay in the processor's cache."""

_FLOAT32_WHOLE, _FLOAT64_WHOLE = 1 << 24, 1 << 53


@dataclass(frozen=True, eq=False)
class _Between:
    """A class between cells where there are others too.

    Attributes:
        label: The class.
        rank: Which of the mixed places, ascending.
        corners: `(4, n)` areas in the cells above left, above right, below left, below right.
    """

    label: int
    rank: Places
    corners: npt.NDArray[Any]


def add_soft(
    errors: Errors, truth: npt.NDArray[np.uint8], axes: Axes, parts: Sequence[Part], rows: tuple[int, int]
) -> None:
    """Counts the errors of the pixels in some rows of places between cells.

    Args:
        errors: Counted into.
        truth: `(H + 1, W + 1) uint8`: the mask, with a row below and a column right of 255.
        axes: Of the mask.
        parts: Of all cells beside these places.
        rows: First and end of the places: place `d` lies between the cells `d - 1` and `d`.
    """
    dtype = np.float32 if _largest(axes) <= _FLOAT32_WHOLE else np.float64
    blocks = Blocks.of(axes[0], *rows), Blocks.of(axes[1], 0, axes[1].cells + 1)
    mixed, between = _find_mixed(axes, parts, rows, dtype)
    step = max(1, _CHUNK // (blocks[0].pixels.shape[1] * blocks[1].pixels.shape[1]))
    distances = blocks[0].distance.astype(dtype), blocks[1].distance.astype(dtype)
    for start in range(0, mixed.size, step):
        down, along = np.divmod(mixed[start : start + step], axes[1].cells + 1)
        flat = blocks[0].pixels[down][:, :, None] * truth.shape[1] + blocks[1].pixels[along][:, None, :]
        labels = np.zeros(flat.shape, np.uint8)
        best = np.zeros(flat.shape, dtype)
        for item in between:
            first, end = np.searchsorted(item.rank, (start, start + step))
            if first == end:
                continue
            own = item.rank[first:end] - start
            corners = item.corners[:, first:end]
            scores = _scores(corners, axes, distances[0][down[own]], distances[1][along[own]])
            before = best[own]
            better = scores > before
            best[own] = np.maximum(scores, before)
            labels[own] = np.where(better, np.uint8(item.label), labels[own])
        errors.add(np.take(truth.reshape(-1), flat), labels)


def _largest(axes: Axes) -> int:
    """The largest score: the area of a cell times the weights of its interpolation."""
    return 4 * axes[0].cell ** 2 * axes[1].cell ** 2


def _find_mixed(
    axes: Axes, parts: Sequence[Part], rows: tuple[int, int], dtype: type[np.floating[Any]]
) -> tuple[Places, list[_Between]]:
    """Places with several classes, as `row * (cells + 1) + column`, and the classes there."""
    width = axes[1].cells + 1
    many = np.zeros((rows[1] - rows[0], width), np.uint8)
    found: list[tuple[Part, int, npt.NDArray[Any], npt.NDArray[np.bool_]]] = []
    for part in parts:
        top, framed = _framed(part, axes, rows)
        there = framed != 0
        there = there[:-1] | there[1:]
        there = there[:, :-1] | there[:, 1:]
        many[top : top + there.shape[0], part.left : part.left + there.shape[1]] += there
        found.append((part, top, framed, there))
    mixed = np.flatnonzero(many > 1)
    rank = np.zeros(many.size, np.intp)
    rank[mixed] = np.arange(mixed.size)
    rank = rank.reshape(many.shape)
    between: list[_Between] = []
    for part, top, framed, there in found:
        window = slice(top, top + there.shape[0]), slice(part.left, part.left + there.shape[1])
        y, x = np.nonzero(there & (many[window] > 1))
        corners = np.stack([framed[y, x], framed[y, x + 1], framed[y + 1, x], framed[y + 1, x + 1]])
        between.append(_Between(part.label, rank[window][y, x], corners.astype(dtype)))
    return mixed, between


def _framed(part: Part, axes: Axes, rows: tuple[int, int]) -> tuple[int, npt.NDArray[Any]]:
    """A part's areas with a cell around, cut to the wanted rows of places, and the first of these.

    The cell around is zero, but at the picture's edge it repeats the last one: there is nothing to
    interpolate with.
    """
    height, width = part.areas.shape
    framed = np.zeros((height + 2, width + 2), part.areas.dtype)
    framed[1:-1, 1:-1] = part.areas
    if part.top == 0:
        framed[0] = framed[1]
    if part.top + height == axes[0].cells:
        framed[-1] = framed[-2]
    if part.left == 0:
        framed[:, 0] = framed[:, 1]
    if part.left + width == axes[1].cells:
        framed[:, -1] = framed[:, -2]
    first, end = max(part.top, rows[0]), min(part.top + height + 1, rows[1])
    return first - rows[0], framed[first - part.top : end - part.top + 1]


def _scores(
    corners: npt.NDArray[Any], axes: Axes, down: npt.NDArray[Any], along: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    """Bilinear between the corners `(4, n)`, at distances `(n, a)` and `(n, b)`, times `4 cell cell`."""
    whole = 2 * axes[0].cell, 2 * axes[1].cell
    upper_left, upper_right, lower_left, lower_right = corners[:, :, None]
    left = upper_left * whole[0] + (lower_left - upper_left) * down
    right = upper_right * whole[0] + (lower_right - upper_right) * down
    return (right - left)[:, :, None] * along[:, None, :] + (left * whole[1])[:, :, None]
