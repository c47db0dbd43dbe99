"""Films among the pictures: frames that follow each other, by their numbers and by how they look.

Numbers alone say little: cameras and collectors number photos as well. Frames of a film look more like the
frame before than like one from elsewhere in the film. Knows neither splits nor masks.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelwise.check.keys import short_key
from pixelwise.check.resemblance import is_comparable, resemblance
from pixelwise.check.rows import ChosenRows, Indices, Rows
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
        frames: `(f,)` their indices in the data set, in the order of their numbers.
        follows: `(f - 1,) bool` for each frame but the last whether the next one follows it without a large
            gap.
    """

    name: str
    frames: Indices
    follows: npt.NDArray[np.bool_]


def find_films(names: Sequence[str], thumbnails: Rows, usable: npt.NDArray[np.bool_]) -> list[Film]:
    """The films of a data set, by their first frames.

    Args:
        names: One per sample.
        thumbnails: `(n, 32, 32)` likewise.
        usable: `(n,)` which samples can be used; the others are passed over.
    """
    found: list[Film] = []
    for name, numbers, frames in _numbered(names, usable):
        if len(frames) < FEWEST:
            continue
        steps = np.diff(numbers)
        follows = steps <= _GAP * np.median(steps)
        if follows.mean() >= _STEADY and _flows(ChosenRows(thumbnails, frames), follows):
            found.append(Film(name, frames, follows))
    return found


def _numbered(names: Sequence[str], usable: npt.NDArray[np.bool_]) -> Iterator[tuple[str, Indices, Indices]]:
    """Group, numbers and indices of its samples; apart by their folders where a number comes twice."""
    for members, numbers in _groups(names, usable, lambda name: group_of(name)[0]):
        first = int(members[0])
        group = group_of(names[first])[0]
        if _differ(numbers):
            yield group, numbers, members
            continue
        place = np.zeros(len(names), np.bool_)
        place[members] = True
        for part, own in _groups(names, place, lambda name: name.rpartition("/")[0]):
            if _differ(own):
                folder = names[int(part[0])].rpartition("/")[0]
                yield f"{folder}/{group.rpartition('/')[2]}", own, part


def _groups(
    names: Sequence[str], usable: npt.NDArray[np.bool_], key: Callable[[str], str]
) -> list[tuple[Indices, Indices]]:
    """Indices and numbers, in the order of the numbers, of the samples that have one key.

    By the first of them. A key is kept as 64 bits, as every picture may have one of its own.
    """
    places, numbers, keys = array("q"), array("q"), array("Q")
    for index in map(int, np.flatnonzero(usable)):
        number = group_of(names[index])[1]
        if number is not None:
            places.append(index)
            numbers.append(number)
            keys.append(short_key(key(names[index])))
    if not places:
        return []
    members, counted, kept = np.array(places), np.array(numbers), np.array(keys)
    order = np.lexsort((counted, kept))
    ranked = kept[order]
    bounds = np.concatenate(([0], np.flatnonzero(ranked[1:] != ranked[:-1]) + 1, [len(order)]))
    large = np.flatnonzero(np.diff(bounds) >= FEWEST)
    parts = (order[bounds[group] : bounds[group + 1]] for group in large.tolist())
    found = [(members[part], counted[part]) for part in parts]
    return sorted(found, key=lambda item: int(item[0].min()))


def _differ(numbers: Indices) -> bool:
    return bool((np.diff(numbers) > 0).all())


def _flows(thumbnails: Rows, follows: npt.NDArray[np.bool_]) -> bool:
    """Whether neighbours look more alike than frames that are half a film apart."""
    enough = is_comparable(thumbnails)
    before = np.flatnonzero(follows & enough[:-1] & enough[1:])
    if len(before) < FEWEST - 1:
        return False
    before = before[np.linspace(0, len(before) - 1, min(len(before), _LOOKED_AT)).astype(np.int64)]
    afar = (before + len(thumbnails) // 2) % len(thumbnails)
    near = resemblance(thumbnails[before], thumbnails[before + 1])
    far = resemblance(thumbnails[before], thumbnails[afar])
    surpassed = np.count_nonzero(near > np.quantile(far, _USUAL)) >= _SURPASS * len(near)
    return bool(surpassed) and float(np.median(near)) - float(np.median(far)) >= _MORE
