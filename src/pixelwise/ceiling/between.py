"""Where several classes meet: the places between four cells' centres that have more than one, and which.

Knows no pixel and no score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwise.ceiling.areas import Axes, Part
from pixelwise.ceiling.axis import Places


@dataclass(frozen=True, eq=False)
class Mixed:
    """Places of several classes, those of the most classes first.

    Attributes:
        places: `(n,)`: each as `row * (cells + 1) + column`; row and column `d` lie between the cells `d - 1`
            and `d`.
        rounds: The first class of each place, then the second, …: as every place has fewer than the places
            before it, or as many, a round is about the first so many of them.
    """

    places: Places
    rounds: tuple[Round, ...]


@dataclass(frozen=True, eq=False)
class Round:
    """One class at each of the first `n` places.

    Attributes:
        labels: `(n,)` the classes, in every place greater than those of the rounds before.
        corners: `(4, n)` their areas in the cells above left, above right, below left, below right.
    """

    labels: npt.NDArray[np.int64]
    corners: npt.NDArray[np.int64]


def find_mixed(axes: Axes, parts: Sequence[Part], rows: tuple[int, int]) -> Mixed:
    """The mixed places in some rows of places.

    Args:
        axes: Of the mask.
        parts: Of all cells beside these places.
        rows: First and end.
    """
    width = axes[1].cells + 1
    many = np.zeros((rows[1] - rows[0], width), np.uint8)
    around = [_around(part, axes, rows) for part in parts]
    for item in around:
        many[item.window] += item.there
    several = many > 1
    places: list[Places] = []
    corners: list[npt.NDArray[Any]] = []
    for item in around:
        inside = np.flatnonzero(item.there & several[item.window])  # faster than places by two numbers
        y, x = np.divmod(inside, item.there.shape[1])
        places.append((y + item.window[0].start) * width + (x + item.window[1].start))
        flat, across = item.framed.ravel(), item.framed.shape[1]
        corner = y * across + x
        corners.append(np.stack([flat[corner + step] for step in (0, 1, across, across + 1)]))
    labels = np.repeat([part.label for part in parts], [len(some) for some in places])
    return _in_rounds(many.ravel(), np.concatenate(places), labels, np.concatenate(corners, axis=1))


@dataclass(frozen=True, eq=False)
class _Around:
    """A part and the places beside its cells.

    Attributes:
        window: Rows and columns of these places, from the first wanted row on.
        framed: Areas with a cell around.
        there: Which places have the class.
    """

    window: tuple[slice, slice]
    framed: npt.NDArray[Any]
    there: npt.NDArray[np.bool_]


def _around(part: Part, axes: Axes, rows: tuple[int, int]) -> _Around:
    """The cell around is zero, but at the picture's edge it repeats the last one: there is nothing beyond."""
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
    framed = framed[first - part.top : end - part.top + 1]
    there = framed != 0
    there = there[:-1] | there[1:]
    there = there[:, :-1] | there[:, 1:]
    window = slice(first - rows[0], end - rows[0]), slice(part.left, part.left + width + 1)
    return _Around(window, framed, there)


def _in_rounds(
    many: npt.NDArray[np.uint8], places: Places, labels: npt.NDArray[Any], corners: npt.NDArray[Any]
) -> Mixed:
    """Sorts what came class by class.

    Args:
        many: Classes of every place.
        places: `(entries,)` a place of each class, ascending within a class.
        labels: `(entries,)` that class, ascending.
        corners: `(4, entries)`.
    """
    mixed = np.flatnonzero(many > 1)
    mixed = mixed[np.argsort(-many[mixed].astype(np.int16), kind="stable")]
    rank = np.zeros(many.size, np.int32)
    rank[mixed] = np.arange(mixed.size, dtype=np.int32)
    counts = many[mixed].astype(np.intp)
    # By place, and there by class, since the sort is stable.
    order = np.argsort(rank[places], kind="stable")
    begins = np.cumsum(counts) - counts
    rounds: list[Round] = []
    for number in range(int(counts[0]) if mixed.size else 0):
        own = order[begins[: int(np.count_nonzero(counts > number))] + number]
        rounds.append(Round(labels[own].astype(np.int64), np.take(corners, own, axis=1).astype(np.int64)))
    return Mixed(mixed, tuple(rounds))
