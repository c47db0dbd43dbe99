"""Which samples are copies of each other, and how far their masks differ.

Knows a survey, and no finding: what is wrong with copies is the business of `rules.duplicates`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelwise.check.rows import ChosenRows, Indices
from pixelwise.check.survey import SIDES, Survey
from pixelwise.check.twins import Compared, Twins, find_twins
from pixelwise.data.reader import Reader
from pixelwise.errors import DataError

Floats = npt.NDArray[np.float32]
Marks = npt.NDArray[np.bool_]

_SMALL_ENOUGH = (16, 16)
"""To have a mask read is to have its picture read too; so small, a JPEG is hardly decoded."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Near:
    """Pairs of samples of one photo that are not identical, as columns.

    Attributes:
        first: One index in the reader.
        second: The other, which is larger.
        resemblance: In 0..1.
        mirrored: Whether one is the other's mirror image.
        film: Whether both are frames of one film.
    """

    first: Indices
    second: Indices
    resemblance: Floats
    mirrored: Marks
    film: Marks


@dataclass(frozen=True, eq=False)
class Copies:
    """Sets of identical samples, each of at least two and sorted, and where the near ones are.

    Of identical samples each stands in a near pair if it is the first of its side.
    """

    identical: list[list[int]]
    _survey: Survey
    _indices: Indices
    _twins: Twins

    def near(self) -> Iterator[Near]:
        """The pairs of near ones, some at a time."""
        film_of = _films(self._survey)
        first_of = _first_of_each_side(self._survey, self._indices, self._twins.same)
        for compared in self._twins.blocks():
            for side in first_of:
                for other_side in first_of:
                    yield _pairs(compared, side, other_side, film_of)


def find_duplicates(survey: Survey) -> Copies:
    """Which samples are identical, or nearly."""
    indices = np.flatnonzero(survey.pictured)
    twins = find_twins(survey.digests[indices], ChosenRows(survey.thumbnails, indices), survey.folder)
    again = np.flatnonzero(twins.same != np.arange(len(indices)))
    members: dict[int, list[int]] = {}
    for place, first in zip(again.tolist(), twins.same[again].tolist(), strict=True):
        members.setdefault(first, [int(indices[first])]).append(int(indices[place]))
    return Copies([members[first] for first in sorted(members)], survey, indices, twins)


def _pairs(compared: Compared, side: Indices, other_side: Indices, film_of: Indices) -> Near:
    one, other = side[compared["first"]], other_side[compared["second"]]
    there = (one >= 0) & (other >= 0)
    one, other, chosen = one[there], other[there], compared[there]
    return Near(
        first=np.minimum(one, other),
        second=np.maximum(one, other),
        resemblance=chosen["alike"],
        mirrored=chosen["mirrored"],
        film=(film_of[one] == film_of[other]) & (film_of[one] >= 0),
    )


def _films(survey: Survey) -> Indices:
    """`(n,)` which film each sample is a frame of; -1 for none."""
    film_of = np.full(len(survey), -1, np.int64)
    for number, film in enumerate(survey.films):
        film_of[film.frames] = number
    return film_of


def _first_of_each_side(survey: Survey, indices: Indices, same: Indices) -> list[Indices]:
    """For each side, by the number of a set's first picture: its first sample on that side, or -1."""
    found: list[Indices] = []
    sides = survey.sides[indices]
    for side in range(len(SIDES)):
        own = np.flatnonzero(sides == side)[::-1]
        first = np.full(len(indices), -1, np.int64)
        first[same[own]] = indices[own]  # of several the last one stays: backwards, that is the first
        found.append(first)
    return found


class Nearest:
    """For each sample that has one the sample that is most alike, of all pairs that were told.

    Args:
        count: Samples.
        earliest: Take the first one in the order of the data set instead, however alike it is.
    """

    def __init__(self, count: int, *, earliest: bool = False) -> None:
        self._earliest = earliest
        self.other = np.full(count, -1, np.int32)
        self.resemblance = np.zeros(count, np.float32)
        self.mirrored = np.zeros(count, np.bool_)

    def add(self, key: Indices, other: Indices, near: Near, chosen: Marks) -> None:
        """Takes the chosen pairs: `key` has `other`."""
        key, other = key[chosen], other[chosen]
        alike, mirrored = near.resemblance[chosen], near.mirrored[chosen]
        weight = np.zeros_like(alike) if self._earliest else alike
        order = np.lexsort((other, -weight, key))
        order = order[np.append(True, np.diff(key[order]) != 0)[: len(order)]]
        key, other, alike = key[order], other[order], alike[order]
        mirrored, weight = mirrored[order], weight[order]
        before, known = self.other[key], self.resemblance[key]
        even = weight == (0 if self._earliest else known)
        better = (before < 0) | (even & (other < before)) | (~even & (weight > known))
        key = key[better]
        self.other[key], self.resemblance[key] = other[better], alike[better]
        self.mirrored[key] = mirrored[better]

    @property
    def found(self) -> Indices:
        """The samples that have one, in order."""
        return np.flatnonzero(self.other >= 0)


def other_masks(survey: Survey, identical: Sequence[list[int]]) -> dict[int, int]:
    """Sample -> the first one with the same picture, of the same size, and another mask."""
    others: dict[int, int] = {}
    for group in identical:
        # A mask of another size differs without saying anything else, so only equal sizes are compared.
        by_size: dict[tuple[int, int], list[int]] = defaultdict(list)
        for index in group:
            height, width = survey.sizes[index].tolist()
            by_size[height, width].append(index)
        for same_size in by_size.values():
            first_of: dict[int, int] = {}
            for index in same_size:
                first_of.setdefault(int(survey.masks[index]), index)
            firsts = list(first_of.values())[:2]  # whose mask is not the first one's differs from the first
            if len(firsts) == 2:
                for index in same_size:
                    others[index] = firsts[int(survey.masks[index] == survey.masks[firsts[0]])]
    return others


def disagreement(reader: Reader, one: int, other: int) -> float:
    """How far two masks of one size differ, in 0..1: of the pixels outside their commonest class.

    So an object that only one of them has is a disagreement of 1, however small it is. Masks that can no
    longer be read disagree by 1 too.
    """
    try:
        a, b = (reader.for_network(index, _SMALL_ENOUGH)[1] for index in (one, other))
    except DataError:
        return 1.0
    counts = np.bincount(a.ravel(), minlength=256) + np.bincount(b.ravel(), minlength=256)
    common = int(np.argmax(counts))
    outside = np.count_nonzero((a != common) | (b != common))
    return np.count_nonzero(a != b) / max(outside, 1)
