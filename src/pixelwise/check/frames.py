"""Films among the pictures: frames that follow each other, by their numbers and by how they look.

Numbers alone say little: cameras and collectors number photos as well. Frames of a film look more like the
frame before than like one from elsewhere in the film. Knows neither splits nor masks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelwise.check.likeness import Likeness
from pixelwise.check.resemblance import is_comparable, resemblance
from pixelwise.check.twins import thumbnails_of
from pixelwise.data.groups import group_of

FEWEST = 8
"""Frames that make a film; what fewer pictures have in common may be chance."""

_GAP = 3  # times the usual step: frames that are further apart don't follow each other
_STEADY = 0.8  # share of the steps that must be smaller
_USUAL = 0.9  # of pairs from afar that neighbours must surpass in resemblance
_SURPASS = 0.5  # share of the neighbours that do; of unrelated photos it is 0.1
_MORE = 0.1  # resemblance of neighbours, beyond pairs from afar
_LOOKED_AT = 1000  # pairs of neighbours


@dataclass(frozen=True, eq=False)
class Film:
    """Frames of one film.

    Attributes:
        name: What their names have in common, `#` for the number.
        frames: Their indices in the data set, in the order of their numbers.
        follows: For each frame but the last whether the next one follows it without a large gap.
    """

    name: str
    frames: tuple[int, ...]
    follows: tuple[bool, ...]


def find_films(names: Sequence[str], likenesses: Sequence[Likeness | None]) -> list[Film]:
    """The films of a data set.

    Args:
        names: One per sample.
        likenesses: What each looks like; None for one that cannot be used and is passed over.
    """
    found: list[Film] = []
    for name, numbered in _numbered(names, likenesses).items():
        if len(numbered) < FEWEST:
            continue
        numbered.sort()
        numbers = np.array([number for number, _ in numbered])
        frames = [index for _, index in numbered]
        steps = np.diff(numbers)
        follows = steps <= _GAP * np.median(steps)
        if follows.mean() >= _STEADY and _flows([likenesses[index] for index in frames], follows):
            found.append(Film(name, tuple(frames), tuple(follows.tolist())))
    return found


def _numbered(
    names: Sequence[str], likenesses: Sequence[Likeness | None]
) -> dict[str, list[tuple[int, int]]]:
    """Group -> (number, index) of its samples; apart by their folders where a number comes twice."""
    groups: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for index, name in enumerate(names):
        group, number = group_of(name)
        if number is not None and likenesses[index] is not None:
            groups[group].append((number, index))
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for group, members in groups.items():
        if len({number for number, _ in members}) == len(members):
            found[group] = members
            continue
        for number, index in members:
            folder = names[index].rpartition("/")[0]
            found[f"{folder}/{group.rpartition('/')[2]}"].append((number, index))
    return {
        group: members
        for group, members in found.items()
        if len({number for number, _ in members}) == len(members)
    }


def _flows(likenesses: Sequence[Likeness | None], follows: npt.NDArray[np.bool_]) -> bool:
    """Whether neighbours look more alike than frames that are half a film apart."""
    thumbnails = thumbnails_of([item for item in likenesses if item is not None])
    enough = is_comparable(thumbnails)
    before = np.flatnonzero(follows & enough[:-1] & enough[1:])
    if len(before) < FEWEST - 1:
        return False
    before = before[np.linspace(0, len(before) - 1, min(len(before), _LOOKED_AT)).astype(np.int64)]
    afar = (before + len(thumbnails) // 2) % len(thumbnails)
    near = resemblance(thumbnails[before], thumbnails[before + 1])
    far = resemblance(thumbnails[before], thumbnails[afar])
    surpassed = np.mean(near > np.quantile(far, _USUAL)) >= _SURPASS
    return bool(surpassed and np.median(near) - np.median(far) >= _MORE)
