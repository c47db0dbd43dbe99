"""Means over square windows, in a time that does not depend on their size. Knows arrays alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

DoubleArray = npt.NDArray[np.float64]


def box_mean(values: DoubleArray, radius: int) -> DoubleArray:
    """The mean around each pixel of `(…, h, w)` over a window of `2 * radius + 1` each way.

    Beyond the border there is nothing: windows there are smaller. Running sums are in float64, since the
    difference of two large ones is wanted.
    """
    return _line_mean(_line_mean(values, radius, -2), radius, -1)


def _line_mean(values: DoubleArray, radius: int, axis: int) -> DoubleArray:
    count = values.shape[axis]
    sums = np.zeros((*values.shape[:axis], count + 1, *values.shape[axis:][1:]))
    inner = (..., slice(1, None)) if axis == -1 else (..., slice(1, None), slice(None))
    np.cumsum(values, axis=axis, out=sums[inner])
    places = np.arange(count)
    low, high = np.maximum(places - radius, 0), np.minimum(places + radius + 1, count)
    means = np.take(sums, high, axis=axis)
    means -= np.take(sums, low, axis=axis)
    means /= (high - low) if axis == -1 else (high - low)[:, None]
    return means
