"""Which samples are copies of each other, and how far their masks differ.

Knows a survey, and no finding: what is wrong with copies is the business of `rules.duplicates`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pixelwise.check.survey import Survey
from pixelwise.check.twins import find_twins
from pixelwise.data.reader import Reader
from pixelwise.errors import DataError


@dataclass(frozen=True, kw_only=True, slots=True)
class Near:
    """Two samples of one photo that are not identical.

    Attributes:
        first: One index in the reader.
        second: The other.
        resemblance: In 0..1.
        mirrored: Whether one is the other's mirror image.
        film: Whether both are frames of one film.
    """

    first: int
    second: int
    resemblance: float
    mirrored: bool
    film: bool


def find_duplicates(survey: Survey) -> tuple[list[list[int]], list[Near]]:
    """Sets of identical samples, each of at least two, and pairs of near ones; sorted by index.

    Of identical samples each stands in a pair if it is the first of its side.
    """
    indices = [index for index, item in enumerate(survey.likenesses) if item is not None]
    likenesses = [item for item in survey.likenesses if item is not None]
    twins = find_twins(likenesses)
    members: dict[int, list[int]] = defaultdict(list)
    for place, first in enumerate(twins.same.tolist()):
        members[first].append(indices[place])
    film_of = _films(survey)
    pairs: list[Near] = []
    for a, b, alike, mirrored in zip(
        twins.first.tolist(),
        twins.second.tolist(),
        twins.resemblance.tolist(),
        twins.mirrored.tolist(),
        strict=True,
    ):
        for one in _first_of_each_side(survey, members[a]):
            for other in _first_of_each_side(survey, members[b]):
                film = film_of.get(one, -1) == film_of.get(other, -2)
                first, second = min(one, other), max(one, other)
                pairs.append(
                    Near(first=first, second=second, resemblance=alike, mirrored=mirrored, film=film)
                )
    pairs.sort(key=lambda pair: (pair.first, pair.second))
    return [group for group in members.values() if len(group) > 1], pairs


def _films(survey: Survey) -> dict[int, int]:
    """Index of a sample -> which film it is a frame of."""
    return {index: number for number, film in enumerate(survey.films) for index in film.frames}


def _first_of_each_side(survey: Survey, group: Iterable[int]) -> list[int]:
    first: dict[int, int] = {}
    for index in group:
        first.setdefault(int(survey.sides[index]), index)
    return list(first.values())


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
        a, b = reader[one].mask, reader[other].mask
    except DataError:
        return 1.0
    counts = np.bincount(a.ravel(), minlength=256) + np.bincount(b.ravel(), minlength=256)
    common = int(np.argmax(counts))
    outside = np.count_nonzero((a != common) | (b != common))
    return np.count_nonzero(a != b) / max(outside, 1)
