"""Corner points from anybody, checked before anything is drawn with them.

Knows coordinates and picture sizes; how a format draws its shapes is that format's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from pixelwise.errors import DataError
from pixelwise.types import size_text

Points = npt.NDArray[np.float64]

_FARTHEST = 1e9
MAX_POINTS = 1_000_000
"""Corners of one shape; the finest hand-drawn outlines have thousands."""


def parse_points(value: object, where: str, *, at_least: int = 1) -> Points:
    """`[[x, y], …]` from json as `(n, 2)`.

    Args:
        value: What stands in the file.
        where: File and shape; begins the messages.
        at_least: So many points are needed.

    Raises:
        DataError: It is no such list, too short, too long, or a coordinate is no finite number.
    """
    if not isinstance(value, list):
        raise DataError(f"{where}: its points must be a list of [x, y], got {_start(value)!r}")
    pairs = cast("list[object]", value)
    if not at_least <= len(pairs) <= MAX_POINTS:
        count = f"{len(pairs)} point{'s' if len(pairs) != 1 else ''}"
        raise DataError(f"{where}: it has {count}, but needs at least {at_least}; draw it anew, or remove it")
    plain = _plain(pairs)
    if plain is not None and plain.ndim == 2 and plain.shape[1] == 2:
        return plain
    numbers: list[float] = []
    for pair in pairs:
        if not isinstance(pair, list) or len(cast("list[object]", pair)) != 2:
            raise DataError(f"{where}: a point must be [x, y], got {_start(cast('Any', pair))!r}")
        numbers += _numbers(cast("list[object]", pair), where)
    return np.reshape(np.array(numbers, np.float64), (-1, 2))


def parse_flat(value: object, where: str, *, at_least: int = 3) -> Points:
    """`[x, y, x, y, …]` from json as `(n, 2)`; as `parse_points`."""
    if not isinstance(value, list) or len(cast("list[object]", value)) % 2:
        raise DataError(f"{where}: a polygon must be a list of x, y, x, y, …, got {_start(value)!r}")
    flat = cast("list[object]", value)
    if not 2 * at_least <= len(flat) <= 2 * MAX_POINTS:
        count = f"{len(flat) // 2} point{'s' if len(flat) != 2 else ''}"
        raise DataError(f"{where}: it has {count}, but needs at least {at_least}; draw it anew, or remove it")
    plain = _plain(flat)
    numbers = plain if plain is not None and plain.ndim == 1 else np.array(_numbers(flat, where), np.float64)
    return np.reshape(numbers, (-1, 2))


def check_inside(points: Points, size: tuple[int, int], where: str) -> None:
    """Refuses shapes that cannot belong to a picture of `size` = (height, width).

    A corner a little over the edge is usual, and what lies outside is cut off. A shape that misses the
    picture, or reaches a whole picture beyond it, was drawn on another one, or in other units.

    Raises:
        DataError: It lies outside, or reaches too far.
    """
    limit = np.array([size[1], size[0]], np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    if bool((high < 0).any() or (low > limit).any()):
        fault = "lies outside"
    elif bool((low < -limit).any() or (high > 2 * limit).any()):
        fault = "reaches far beyond"
    else:
        return
    raise DataError(
        f"{where}: the shape from ({low[0]:g}, {low[1]:g}) to ({high[0]:g}, {high[1]:g}) {fault} its picture "
        f"of {size_text(size)}; was the picture resized after it was drawn? Draw it anew, or remove it"
    )


def _plain(values: list[Any]) -> Points | None:
    """The values as an array, if they are nothing but small enough numbers; a hundred times as fast."""
    try:
        array: npt.NDArray[Any] = np.array(values)
    except (ValueError, OverflowError):
        return None
    if array.dtype.kind not in "if" or not bool((np.abs(array) < _FARTHEST).all()):
        return None
    return array.astype(np.float64)


def _numbers(values: Sequence[object], where: str) -> list[float]:
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _FARTHEST:
            raise DataError(f"{where}: a coordinate must be a number, got {str(value)[:40]!r}")
    return [float(cast("float", value)) for value in values]


def _start(value: Any) -> str:
    return str(value)[:60]
