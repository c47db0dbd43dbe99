"""The soft method: what is wrong when a network answers each cell with the exact share of each class.

The shares are interpolated between the cells' centres and the largest wins. Between four cells that hold
one class alone that class wins and is right, so only the pixels between cells of several classes are looked
at, and of the classes only those of the four. All is done in whole numbers: equal shares are equal, and the
lowest id wins. Knows no file and no score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwise.ceiling.areas import Axes, Part
from pixelwise.ceiling.axis import Blocks
from pixelwise.ceiling.between import Round, find_mixed
from pixelwise.ceiling.errors import Errors

_CHUNK = 1 << 16
"""Interpolated values held at once: they stay in the processor's cache."""

_CODES = 256
"""A score is multiplied by so much and the class's code added, so that one maximum gives both: 255 less the
id, since the lowest id is to win."""


def add_soft(
    errors: Errors, truth: npt.NDArray[np.uint8], axes: Axes, parts: Sequence[Part], rows: tuple[int, int]
) -> None:
    """Counts the errors of the pixels in some rows of places between cells.

    Args:
        errors: Counted into.
        truth: `(H + 1, W + 1) uint8`: the mask, with a row below and a column right of 255.
        axes: Of the mask.
        parts: Of all cells beside these places and no others.
        rows: First and end of the places: place `d` lies between the cells `d - 1` and `d`.
    """
    if len(parts) < 2:
        return
    down, along = Blocks.of(axes[0], *rows), Blocks.of(axes[1], 0, axes[1].cells + 1)
    largest = 4 * axes[0].cell ** 2 * axes[1].cell ** 2 * _CODES
    dtype = np.int32 if largest < 1 << 31 else np.int64
    # Cells of billions of units lose their last bits, which changes ties at most.
    shift = max(0, largest.bit_length() - 63)
    distances = down.distance.astype(dtype), along.distance.astype(dtype)
    mixed = find_mixed(axes, parts, rows)
    shape = down.pixels.shape[1], along.pixels.shape[1]
    step = max(1, _CHUNK // (shape[0] * shape[1]))
    flat_truth = truth.ravel()
    for start in range(0, mixed.places.size, step):
        y, x = np.divmod(mixed.places[start : start + step], axes[1].cells + 1)
        best = np.zeros((len(y), *shape), dtype)
        for item in mixed.rounds:
            some = slice(start, min(start + step, len(item.labels)))
            count = some.stop - start
            if count <= 0:
                break
            corners = (item.corners[:, some] >> shift).astype(dtype)
            scores = _scores(
                corners, axes, distances[0][y[:count]], distances[1][x[:count]], _codes(item, some)
            )
            np.maximum(best[:count], scores, out=best[:count])
        labels = (~best).astype(np.uint8)  # its low byte is 255 less the code
        pixels = (down.pixels[y] * truth.shape[1])[:, :, None] + along.pixels[x][:, None, :]
        errors.add(flat_truth[pixels], labels)


def _codes(item: Round, some: slice) -> npt.NDArray[np.int64]:
    return 255 - item.labels[some]


def _scores(
    corners: npt.NDArray[Any],
    axes: Axes,
    down: npt.NDArray[Any],
    along: npt.NDArray[Any],
    codes: npt.NDArray[np.int64],
) -> npt.NDArray[Any]:
    """Bilinear between the corners `(4, n)`, at distances `(n, a)` and `(n, b)`: scores with codes."""
    upper_left, upper_right, lower_left, lower_right = (corners * _CODES)[:, :, None]
    left = upper_left * (2 * axes[0].cell) + (lower_left - upper_left) * down
    right = upper_right * (2 * axes[0].cell) + (lower_right - upper_right) * down
    first = left * (2 * axes[1].cell) + codes.astype(left.dtype)[:, None]
    scores = (right - left)[:, :, None] * along[:, None, :]
    scores += first[:, :, None]
    return scores
