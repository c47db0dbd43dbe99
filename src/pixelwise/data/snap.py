"""The nearest known value or colour: for masks whose values were moved by compression or smoothing.

Knows numbers and distances; whether anything is to be moved back is the user's decision (`--snap`). A value
or colour is near if no channel differs by more than the tolerance. Of several near colours the one at the
shortest straight distance counts; between two that are equally near nothing is decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from pixelwise.data.raw_mask import codes_of
from pixelwise.drawing import Colour

STEPS = (2, 4, 8, 16, 24, 32, 40, 48, 64, 96, 127)
"""What is proposed; 127 takes every value for the nearer of 0 and 255."""

AMBIGUOUS = -1
_AT_ONCE = 1 << 20
_FAR = 1 << 30


def closest(values: Mapping[int, int]) -> tuple[int, int] | None:
    """The two values of different ids that lie nearest to each other; None if all have one id."""
    ordered = sorted(values)
    pairs = [(low, high) for low, high in pairwise(ordered) if values[low] != values[high]]
    return min(pairs, key=lambda pair: pair[1] - pair[0], default=None)


def largest_tolerance(values: Mapping[int, int]) -> int | None:
    """The largest tolerance under which no value is near two ids; None where any will do."""
    pair = closest(values)
    return None if pair is None else (pair[1] - pair[0] - 1) // 2


def widened(values: Mapping[int, int], tolerance: int, largest: int) -> npt.NDArray[np.int16]:
    """`(largest + 1,)`: the id plus one of every value that is near a known one, 0 for the others.

    The known ones must be further apart than twice the tolerance where their ids differ.
    """
    lookup = np.zeros(largest + 1, np.int16)
    for raw, target in values.items():
        lookup[max(raw - tolerance, 0) : raw + tolerance + 1] = target + 1
    return lookup


def nearest_colours(
    codes: npt.NDArray[np.unsignedinteger], known: Mapping[Colour, int], tolerance: int
) -> npt.NDArray[np.int16]:
    """The id plus one of the nearest known colour of each code `(n,)`.

    Args:
        codes: Colours as numbers, see `raw_mask.codes_of`.
        known: Colour -> id.
        tolerance: The most that a channel may differ.

    Returns:
        `(n,)`: 0 where none is near, `AMBIGUOUS` where two of different ids are equally near.
    """
    found = np.zeros(len(codes), np.int16)
    if not known:
        return found
    points = _channels(codes)
    colours = np.array(list(known), np.int32)
    ids = np.array(list(known.values()), np.int16)
    step = max(1, _AT_ONCE // len(colours))
    for start in range(0, len(points), step):
        apart = np.abs(points[start : start + step, None] - colours)  # (n, k, 3)
        distance = np.where(apart.max(axis=2) > tolerance, _FAR, (apart * apart).sum(axis=2))
        best = distance.min(axis=1, keepdims=True)
        first = ids[distance.argmin(axis=1)]
        tied = ((distance == best) & (ids != first[:, None])).any(axis=1)
        part = np.where(tied, np.int16(AMBIGUOUS), first + np.int16(1))
        found[start : start + step] = np.where(best[:, 0] == _FAR, np.int16(0), part)
    return found


def least_for_values(counts: Mapping[int, int], known: Mapping[int, int], *, near: int, share: float) -> int:
    """The smallest step under which every value is near a known one; 0 where there is none.

    Args:
        counts: Value -> pixels.
        known: Value -> id.
        near: So near to a known value must be `share` of the pixels; else it is no mask of these values.
        share: In 0..1.
    """
    largest = largest_tolerance(known)
    if not known or not counts:
        return 0
    values = np.array(list(counts), np.int64)
    apart = np.abs(values[:, None] - np.array(list(known), np.int64)).min(axis=1)
    pixels = np.array(list(counts.values()), np.int64)
    if pixels[apart <= near].sum() < share * pixels.sum():
        return 0
    step = next((step for step in STEPS if step >= apart.max()), 0)
    return step if largest is None or step <= largest else 0


def least_for_colours(
    counts: Mapping[Colour, int], known: Mapping[Colour, int], *, near: int, share: float
) -> int:
    """As `least_for_values`, for colours; steps above 64 are none, since photos would pass."""
    steps = [step for step in STEPS if step <= 64]
    codes = codes_of(counts)
    pixels = np.array(list(counts.values()), np.int64)
    if not len(codes) or (nearest_colours(codes, known, steps[-1]) == 0).any():
        return 0
    if pixels[nearest_colours(codes, known, near) > 0].sum() < share * pixels.sum():
        return 0
    return next((step for step in steps if (nearest_colours(codes, known, step) > 0).all()), 0)


def _channels(codes: npt.NDArray[np.unsignedinteger]) -> npt.NDArray[np.int32]:
    wide = codes.astype(np.int32)
    return np.stack([wide & 255, wide >> 8 & 255, wide >> 16], axis=1)
