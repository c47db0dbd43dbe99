"""Pictures that are one photo, found among a hundred thousand in a few minutes and little memory.

Pairs that are worth comparing come from `candidates`; whether a pair is one photo says `resemblance`. What is
compared, and what comes of it, is on disk. Knows neither names, splits nor masks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwise.check.candidates import find_candidates
from pixelwise.check.likeness import SIDE
from pixelwise.check.resemblance import (
    Floats,
    details,
    is_comparable,
    resemblance,
    resemblance_cropped,
)
from pixelwise.check.rows import ChosenRows, DiskRows, Indices, Rows, blocks
from pixelwise.data.join import join

ALIKE = 0.8
"""Resemblance of two pictures that are one photo, beyond what all pictures of the set have in common.

Of 1,899 real photos, however cropped and mirrored, two different ones reach 0.61, two of one moment or two
cuts of one photo 0.66; a photo saved again, made lighter, mirrored or cropped by 5% a side stays above 0.81.
"""

_PAIRS = 1024
_SCALE = 1000.0  # of details, of which few are as large as 0.1, to whole numbers in a byte
_ENOUGH = 50  # pictures that say what a set's pictures have in common
_DRAWN = 2000  # pairs of them
_COMPARED = np.dtype(
    [
        ("first", np.int32),
        ("second", np.int32),
        ("alike", np.float32),
        ("mirrored", np.bool_),
        ("cropped", np.bool_),
    ]
)

Compared = npt.NDArray[Any]
"""Pairs as records: `first` < `second`, `alike` in 0..1, `mirrored`, `cropped`."""


@dataclass(frozen=True, eq=False)
class Twins:
    """Which of n pictures are one.

    Attributes:
        same: `(n,)` for each picture the first one that is identical to it, perhaps itself.
        near: Pairs of near-duplicates, by their first; of identical ones the first stands for all. Whether
            one is `mirrored` says how it resembles the other best.
    """

    same: Indices
    near: DiskRows

    def blocks(self) -> Iterator[Compared]:
        """The near-duplicates, some at a time."""
        for places in blocks(len(self.near), 16 * _PAIRS):
            yield self.near[places]


def find_twins(digests: npt.NDArray[np.uint64], thumbnails: Rows, folder: Path) -> Twins:
    """Identical pictures and near-duplicates.

    Args:
        digests: `(n, 2)` equal for identical pictures.
        thumbnails: `(n, 32, 32)` grey values.
        folder: For what does not stay in memory.
    """
    same = _same(digests)
    places = np.flatnonzero(same == np.arange(len(same)))
    places = places[is_comparable(ChosenRows(thumbnails, places))]
    near = DiskRows((), _COMPARED, folder)
    if len(places) >= 2:
        for found in _alike(ChosenRows(thumbnails, places), folder):
            found["first"], found["second"] = places[found["first"]], places[found["second"]]
            near.append(found)
    return Twins(same, near)


def _same(digests: npt.NDArray[np.uint64]) -> Indices:
    order = np.lexsort((digests[:, 1], digests[:, 0]))  # stable: the first of the equal ones comes first
    ranked = digests[order]
    new = np.append(True, (ranked[1:] != ranked[:-1]).any(axis=1))[: len(order)]
    same = np.empty(len(order), np.int64)
    same[order] = order[new][np.cumsum(new) - 1]
    return same


def in_common(thumbnails: Rows) -> float:
    """Resemblance of any two pictures of a set, in 0..1: the frame, the pose or the view that all share.

    Half of the pairs have less. It is about 0 for photos, and 0.5 where all are round on black; a set of
    fewer than 50 pictures says nothing of what is usual, and counts as 0.
    """
    count = len(thumbnails)
    if count < _ENOUGH:
        return 0.0
    drawn = np.random.default_rng(0).integers(count, size=(2, _DRAWN))  # the same on every machine
    a, b = drawn[:, drawn[0] != drawn[1]]
    alike = [
        resemblance(thumbnails[a[places]], thumbnails[b[places]]) for places in blocks(len(a), _PAIRS // 4)
    ]
    return max(float(np.median(np.concatenate(alike))), 0.0)


def _alike(thumbnails: Rows, folder: Path) -> Iterator[Compared]:
    """The pairs that are one photo, each once: as it is most alike, less what is common to the set."""
    common = in_common(thumbnails)
    enough = common + ALIKE * (1 - common)
    compared, ends = DiskRows((), _COMPARED, folder), [0]
    coarse = _coarse_details(thumbnails, folder)
    groups = np.arange(len(thumbnails))
    for pairs in find_candidates(thumbnails, folder):
        found = np.zeros(len(pairs.first), _COMPARED)
        found["first"], found["second"] = pairs.first, pairs.second
        found["mirrored"], found["cropped"] = pairs.mirrored, pairs.cropped
        found["alike"] = _compare_whole(coarse, found)
        compared.append(found)
        ends.append(len(compared))
        sure = found["alike"] >= enough
        # The group of a picture is the first one in it, so that groups are joined as their first ones are.
        groups = join(len(groups), groups[pairs.first[sure]], groups[pairs.second[sure]])[groups]
    for first, end in pairwise(ends):
        found = compared[np.arange(first, end)]
        # Cropping costs most by far, and says nothing new of those who belong together already.
        apart = groups[found["first"]] != groups[found["second"]]
        _compare_cropped(thumbnails, found, found["cropped"] & apart & (found["alike"] < enough))
        found["alike"] = np.minimum((found["alike"] - common) / max(1 - common, 1e-6), 1)
        yield _best(found)


def _best(found: Compared) -> Compared:
    """Those that are alike, each pair once: as it is most alike."""
    found = found[np.lexsort((-found["alike"], found["second"], found["first"]))]
    found = found[found["alike"] >= ALIKE]
    new = (found["first"][1:] != found["first"][:-1]) | (found["second"][1:] != found["second"][:-1])
    return found[np.append(True, new)[: len(found)]]


def _compare_cropped(thumbnails: Rows, found: Compared, open_: npt.NDArray[np.bool_]) -> None:
    """Raises the resemblance of the pairs that are open, where cropping does."""
    for turned in (False, True):
        rows = np.flatnonzero(open_ & (found["mirrored"] == turned))
        for places in blocks(len(rows), _PAIRS // 4):
            chunk = found[rows[places]]
            one, other = thumbnails[chunk["first"]], thumbnails[chunk["second"]]
            cropped = resemblance_cropped(one, other, mirrored=turned)
            found["alike"][rows[places]] = np.maximum(chunk["alike"], cropped)


def _compare_whole(coarse: DiskRows, found: Compared) -> Floats:
    """`(p,)` resemblance of the pairs uncropped."""
    alike = np.zeros(len(found), np.float32)
    for places in blocks(len(found), _PAIRS):
        chunk = found[places]
        one, back = np.unique(chunk["first"], return_inverse=True)
        left = coarse[one].astype(np.float32)[back]
        turned = chunk["mirrored"]
        left[turned] = left[turned, :, ::-1]
        right = coarse[chunk["second"]].astype(np.float32)
        alike[places] = np.einsum("nyx,nyx->n", left, right) / _SCALE**2
    return alike


def _coarse_details(thumbnails: Rows, folder: Path) -> DiskRows:
    """`(n, 32, 32)` details times `_SCALE`: a byte each is exact to a thousandth of the resemblance."""
    found = DiskRows((SIDE, SIDE), np.int8, folder)
    for places in blocks(len(thumbnails), _PAIRS // 2):
        exact = details(thumbnails[places]) * _SCALE
        whole = np.maximum(np.minimum(np.rint(exact), 127), -127).astype(np.int8)
        found.append(np.reshape(whole, (-1, SIDE, SIDE)))
    return found
