"""Where several classes meet: the places between four cells' centres that have more than one, and which.

Knows no pixel and no score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

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
        parts: Of all cells beside these places and no others, at least one.
        rows: First and end.
    """
    areas = _side_by_side(axes, parts, rows)
    there = areas != 0
    there = there[:, :-1] | there[:, 1:]
    there = there[:, :, :-1] | there[:, :, 1:]
    many = cast("npt.NDArray[np.uint8]", np.sum(there, axis=0, dtype=np.uint8))
    there &= many > 1
    # Class by class, and in each place by place.
    number, places = np.divmod(np.flatnonzero(there), many.size)
    y, x = np.divmod(places, many.shape[1])
    flat, width = areas.ravel(), areas.shape[2]
    upper_left = (number * areas.shape[1] + y) * width + x
    corners = np.stack([flat[upper_left + step] for step in (0, 1, width, width + 1)])
    labels = np.array([part.label for part in parts])[number]
    return _in_rounds(many.ravel(), places, labels, corners)


def _side_by_side(axes: Axes, parts: Sequence[Part], rows: tuple[int, int]) -> npt.NDArray[Any]:
    """`(classes, rows + 1, cells + 2)`: the areas in the cells above and below these places, with a frame.

    A cell beyond the picture's edge repeats the last one: there is nothing to interpolate with.
    """
    areas = np.zeros((len(parts), rows[1] - rows[0] + 1, axes[1].cells + 2), parts[0].areas.dtype)
    for own, part in zip(areas, parts, strict=True):
        height, width = part.areas.shape
        top, left = part.top - rows[0] + 1, part.left + 1
        own[top : top + height, left : left + width] = part.areas
    if rows[0] == 0:
        areas[:, 0] = areas[:, 1]
    if rows[1] > axes[0].cells:
        areas[:, -1] = areas[:, -2]
    areas[:, :, 0] = areas[:, :, 1]
    areas[:, :, -1] = areas[:, :, -2]
    return areas


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
