"""Pictures that are one photo, found among a hundred thousand in less than a minute.

Pairs that are worth comparing come from `candidates`; whether a pair is one photo says `resemblance`. Groups
follow from who is alike to whom: the first and the last frame of a scene may be in one group and differ.
Knows neither names, splits nor masks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelwise.check.candidates import Indices, Pairs, find_candidates
from pixelwise.check.likeness import SIDE, Likeness
from pixelwise.check.resemblance import (
    Floats,
    Thumbnails,
    details,
    is_comparable,
    resemblance,
    resemblance_cropped,
)
from pixelwise.data.join import join

ALIKE = 0.8
"""Resemblance of two pictures that are one photo, beyond what all pictures of the set have in common.

Of 1,899 real photos, however cropped and mirrored, two different ones reach 0.61, two of one moment or two
cuts of one photo 0.66; a photo saved again, made lighter, mirrored or cropped by 5% a side stays above 0.81.
"""

_PAIRS = 1024
_SCALE = 1000.0  # of details, of which few are as large as 0.1, to whole numbers in a byte
_ENOUGH = 50  # pictures that say what a set's pictures have in common


@dataclass(frozen=True, eq=False)
class Twins:
    """Which of n pictures are one.

    Attributes:
        same: `(n,)` for each picture the first one that is identical to it, perhaps itself.
        first: `(p,)` and
        second: `(p,)` pairs of near-duplicates, `first < second`; of identical ones the first stands for all.
        resemblance: `(p,) float32` of each pair, in 0..1.
        mirrored: `(p,) bool` whether it is the one's mirror image that resembles the other.
        groups: `(n,)` for each picture the first one of its group; identical and near ones belong together.
    """

    same: Indices
    first: Indices
    second: Indices
    resemblance: Floats
    mirrored: npt.NDArray[np.bool_]
    groups: Indices


def find_twins(likenesses: Sequence[Likeness]) -> Twins:
    """Identical pictures and near-duplicates; takes about 3 kB of memory a picture."""
    count = len(likenesses)
    firsts: dict[str, int] = {}
    same = np.array([firsts.setdefault(item.digest, i) for i, item in enumerate(likenesses)], np.int64)
    places = np.flatnonzero(same == np.arange(count))
    thumbnails = thumbnails_of([likenesses[int(place)] for place in places])
    enough = is_comparable(thumbnails)
    places, thumbnails = places[enough], thumbnails[enough]
    if len(places) >= 2:
        pairs = find_candidates(thumbnails)
        pairs, alike = _best(pairs, _compare(thumbnails, pairs))
        first, second, mirrored = places[pairs.first], places[pairs.second], pairs.mirrored
    else:
        first = second = np.zeros(0, np.int64)
        alike, mirrored = np.zeros(0, np.float32), np.zeros(0, np.bool_)
    everyone = np.arange(count)
    groups = join(count, np.concatenate((same, first)), np.concatenate((everyone, second)))
    return Twins(same, first, second, alike, mirrored, groups)


def thumbnails_of(likenesses: Sequence[Likeness]) -> Thumbnails:
    """`(n, 32, 32) uint8`, in order."""
    block = b"".join(item.thumbnail for item in likenesses)
    return np.reshape(np.frombuffer(block, np.uint8), (len(likenesses), SIDE, SIDE))


def in_common(thumbnails: Thumbnails) -> float:
    """Resemblance of any two pictures of a set, in 0..1: the frame, the pose or the view that all share.

    Half of the pairs have less. It is about 0 for photos, and 0.5 where all are round on black; a set of
    fewer than 50 pictures says nothing of what is usual, and counts as 0.
    """
    count = len(thumbnails)
    if count < _ENOUGH:
        return 0.0
    drawn = np.random.default_rng(0).integers(count, size=(2, 2000))  # the same on every machine
    a, b = drawn[:, drawn[0] != drawn[1]]
    return max(float(np.median(resemblance(thumbnails[a], thumbnails[b]))), 0.0)


def _best(pairs: Pairs, alike: Floats) -> tuple[Pairs, Floats]:
    """Those that are alike, each pair once: as it is most alike."""
    order = np.lexsort((-alike, pairs.second, pairs.first))
    order = order[alike[order] >= ALIKE]
    first, second = pairs.first[order], pairs.second[order]
    new = np.ones(len(order), np.bool_)
    new[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    kept = order[new]
    chosen = Pairs(first[new], second[new], pairs.mirrored[kept], pairs.cropped[kept])
    return chosen, alike[kept]


def _compare(thumbnails: Thumbnails, pairs: Pairs) -> Floats:
    """`(p,)` resemblance of the pairs, less what is common to the set."""
    common = in_common(thumbnails)
    enough = common + ALIKE * (1 - common)
    alike = _compare_whole(thumbnails, pairs)
    sure = alike >= enough
    groups = join(len(thumbnails), pairs.first[sure], pairs.second[sure])
    # Cropping costs most by far, and says nothing new of those who belong together already.
    apart = groups[pairs.first] != groups[pairs.second]
    for turned in (False, True):
        open_ = np.flatnonzero(pairs.cropped & apart & ~sure & (pairs.mirrored == turned))
        for start in range(0, len(open_), _PAIRS):
            chunk = open_[start : start + _PAIRS]
            one, other = thumbnails[pairs.first[chunk]], thumbnails[pairs.second[chunk]]
            cropped = resemblance_cropped(one, other, mirrored=turned)
            alike[chunk] = np.maximum(alike[chunk], cropped)
    return np.minimum((alike - common) / max(1 - common, 1e-6), 1)


def _compare_whole(thumbnails: Thumbnails, pairs: Pairs) -> Floats:
    """`(p,)` resemblance of the pairs uncropped."""
    coarse = _coarse_details(thumbnails)
    found = np.zeros(len(pairs.first), np.float32)
    for start in range(0, len(found), _PAIRS):
        chunk = slice(start, start + _PAIRS)
        left = coarse[pairs.first[chunk]].astype(np.float32)
        turned = pairs.mirrored[chunk]
        left[turned] = left[turned, :, ::-1]
        right = coarse[pairs.second[chunk]].astype(np.float32)
        found[chunk] = np.einsum("nyx,nyx->n", left, right) / _SCALE**2
    return found


def _coarse_details(thumbnails: Thumbnails) -> npt.NDArray[np.int8]:
    """`(n, 32, 32)` details times `_SCALE`: a byte each is exact to a thousandth of the resemblance."""
    found = np.empty(thumbnails.shape, np.int8)
    for start in range(0, len(thumbnails), _PAIRS):
        exact = details(thumbnails[start : start + _PAIRS]) * _SCALE
        whole = np.maximum(np.minimum(np.rint(exact), 127), -127).astype(np.int8)
        found[start : start + _PAIRS] = np.reshape(whole, (-1, SIDE, SIDE))
    return found
