"""Bilinear interpolation between pixels taken as areas, and who wins a pixel: pieces of deciding classes.

Pure NumPy. Knows neither what is interpolated nor where it came from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

UInt8Array = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]
Value = TypeVar("Value", bound=np.generic)


@dataclass(frozen=True)
class Taps:
    """For each output row or column the two of a small map that it lies between: `(n,)` arrays.

    Attributes:
        low: The one before; the first where there is none.
        high: The one after; the last where there is none.
        share: Of `high` in the mean, `float32` in 0..1.
    """

    low: npt.NDArray[np.intp]
    high: npt.NDArray[np.intp]
    share: FloatArray


def taps(old: int, new: int, *, scale: float | None = None) -> Taps:
    """Of a bilinear resize that does not shrink, pixel centres aligned.

    Args:
        old: Rows of the small map.
        new: Rows of the output.
        scale: Of a small row in output rows, where the output is not all of it; else `new / old`.
    """
    place = (np.arange(new) + 0.5) * (old / new if scale is None else 1 / scale) - 0.5
    before = np.floor(place).astype(np.intp)
    share = (place - before).astype(np.float32)
    return Taps(np.maximum(before, 0), np.minimum(before + 1, old - 1), share)


def values_before(small: npt.NDArray[Value], rows: Taps, columns: Taps) -> npt.NDArray[Value]:
    """The value `(H, W)` of the small map before each output pixel, up and to the left."""
    return np.take(np.take(small, rows.low, axis=0), columns.low, axis=1)


def interpolated(
    values: FloatArray, places: npt.NDArray[np.intp], rows: Taps, columns: Taps, pixels: npt.NDArray[np.intp]
) -> FloatArray:
    """All classes `(K, n)` at output pixels, counted row by row.

    Args:
        values: `(K, m)`, at those pixels of the small map that are known.
        places: `(h, w)`, which of them a pixel of the small map is.
        rows: Of the output.
        columns: Of the output.
        pixels: `(n,)`; those of the small map that they lie between are known.
    """
    y, x = np.divmod(pixels, columns.low.size)
    flat, width = places.reshape(-1), places.shape[1]
    left, right, share = columns.low[x], columns.high[x], columns.share[x]

    def across(row: npt.NDArray[np.intp]) -> FloatArray:
        before = np.take(values, flat[row * width + left], axis=1)
        after = np.take(values, flat[row * width + right], axis=1)
        after -= before
        after *= share
        before += after
        return before

    upper, lower = across(rows.low[y]), across(rows.high[y])
    lower -= upper
    lower *= rows.share[y]
    upper += lower
    return upper


def winners(scores: FloatArray, labels: UInt8Array, best: FloatArray) -> None:
    """Writes the class with the largest score of each pixel, the lowest id of equal ones, and that score.

    Plane by plane and without a branch, which processors do many pixels at a time: 10 to 30 times as fast as
    NumPy's argmax over the first axis.
    """
    best[...] = scores[0]
    labels[...] = 0
    for number in range(1, len(scores)):
        take_better(scores[number], number, labels, best)


def take_better(score: FloatArray, number: int, labels: UInt8Array, best: FloatArray) -> None:
    """Gives a class those pixels where its score is above the best of all classes with lower ids."""
    better = score > best
    np.maximum(best, score, out=best)
    # Ids only grow, so the last that was better is the largest.
    np.maximum(labels, better.view(np.uint8) * np.uint8(number), out=labels)
