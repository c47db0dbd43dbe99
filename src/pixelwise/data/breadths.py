"""How narrow the objects of each class are, counted so that the counts of many masks add up.

The breadth of an object is 4 area / boundary (`components.Components.breadths`), here as a share of its
picture's size, sqrt(height * width). Pixels are counted by class and breadth, in steps of a twelfth. Knows
one mask at a time, and no data set.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from pixelwise.data.components import connected_components

_LARGEST_LABELLED = 1 << 24
"""A mask of more pixels has its objects measured on every second (third, …) pixel of each axis."""

_NARROW_SHARE = 0.1
_PER_OCTAVE = 8
_LOWEST, _HIGHEST = -20, 4
BINS = (_HIGHEST - _LOWEST) * _PER_OCTAVE
"""The breadths are counted in so many classes, from 2**-20 of a picture's size on."""


def count_breadths(mask: npt.NDArray[np.uint8], classes: int) -> npt.NDArray[np.int64]:
    """Pixels of a mask `(H, W)` of train ids by class and breadth of their object, `(classes, BINS)`."""
    height, width = mask.shape
    step = math.ceil(math.sqrt(height * width / _LARGEST_LABELLED))
    pieces = connected_components(mask[::step, ::step])
    kept = pieces.labels < classes
    shares = pieces.breadths()[kept] * step / math.sqrt(height * width)
    bins = np.floor((np.log2(shares) - _LOWEST) * _PER_OCTAVE).astype(np.int64)
    bins = np.minimum(np.maximum(bins, 0), BINS - 1)
    counts = np.zeros((classes, BINS), np.int64)
    np.add.at(counts, (pieces.labels[kept], bins), pieces.areas[kept])
    return counts


def narrowest(pixels: npt.NDArray[np.int64]) -> float | None:
    """The breadth, as a share, below which a tenth of a class's pixels `(BINS,)` lie; None without pixels."""
    if not pixels.any():
        return None
    place = int((np.cumsum(pixels) < _NARROW_SHARE * pixels.sum()).sum())
    return 2.0 ** (_LOWEST + (place + 0.5) / _PER_OCTAVE)
