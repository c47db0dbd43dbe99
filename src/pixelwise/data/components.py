"""The connected pieces of a label map, exactly: their class, area and boundary. NumPy only.

A map becomes runs of equal pixels in a row; runs that touch in neighbouring rows are joined by union-find,
all at once instead of one by one. Knows ids only, neither classes nor files.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Components:
    """The n pieces of a map, numbered in the order of their first pixel, row by row.

    Attributes:
        labels: `(n,) uint8` the id of each piece's pixels.
        areas: `(n,) int64` its pixels.
        boundaries: `(n,) int64` sides of its pixels that lie on its border; the map's edge is a border too.
        numbers: `(H, W) int64` which piece each pixel belongs to.
    """

    labels: npt.NDArray[np.uint8]
    areas: _Ids
    boundaries: _Ids
    numbers: _Ids

    def breadths(self) -> npt.NDArray[np.float64]:
        """`(n,)` 4 area / boundary, in pixels: a square's side, and up to twice the thickness of a bar.

        The equivalent diameter of a thin piece says nothing of whether it survives shrinking: a bar of 4x100
        has one of 23 pixels, and a breadth of 7.7.
        """
        return 4 * self.areas / self.boundaries


def connected_components(mask: npt.NDArray[np.uint8]) -> Components:
    """The pieces of `(H, W)` ids: pixels of one id that touch at a side or at a corner.

    Touching corners count, so that a thin slanted line is one piece and not one for each step.
    """
    height, width = mask.shape
    starts = np.ones(mask.shape, np.bool_)
    starts[:, 1:] = mask[:, 1:] != mask[:, :-1]
    runs = np.reshape(np.cumsum(starts.ravel(), dtype=np.int64), mask.shape) - 1
    first = np.flatnonzero(starts.ravel())
    lengths = np.diff(first, append=height * width)
    roots = _join(len(first), *_touching(mask, runs, starts))
    # The root of a piece is its first run, so numbering the roots in order numbers pieces by first pixel.
    is_root = roots == np.arange(len(roots))
    piece = (np.cumsum(is_root) - 1)[roots]
    count = int(is_root.sum())
    areas = np.bincount(piece, lengths, minlength=count).astype(np.int64)
    # Each run has two ends; a pixel whose neighbour above or below is another id, or none, has a side there.
    sides = 2 * np.bincount(piece, minlength=count)
    numbers = piece[runs]
    differs = mask[1:] != mask[:-1]
    for row in (numbers[0], numbers[-1], numbers[:-1][differs], numbers[1:][differs]):
        sides += np.bincount(row, minlength=count)
    return Components(mask.ravel()[first[is_root]], areas, sides.astype(np.int64), numbers)


def _touching(mask: npt.NDArray[np.uint8], runs: _Ids, starts: npt.NDArray[np.bool_]) -> tuple[_Ids, _Ids]:
    """Pairs of runs of one id in neighbouring rows that touch; a pair may come more than once."""
    above, below = mask[:-1], mask[1:]
    same = above == below
    # Two runs that lie over each other do so from the pixel on where the later of the two begins.
    straight = same & (starts[:-1] | starts[1:])
    # Where a pixel differs from the one straight below, its run may still touch at a corner.
    right = (above[:, :-1] == below[:, 1:]) & ~same[:, :-1]
    left = (above[:, 1:] == below[:, :-1]) & ~same[:, 1:]
    upper, lower = runs[:-1], runs[1:]
    return (
        np.concatenate((upper[straight], upper[:, :-1][right], upper[:, 1:][left])),
        np.concatenate((lower[straight], lower[:, 1:][right], lower[:, :-1][left])),
    )


def _join(count: int, a: _Ids, b: _Ids) -> _Ids:
    """The smallest member of each of `count` nodes' set, when the nodes `a[i]` and `b[i]` are joined.

    Union-find for all pairs at once: every root that is joined to a smaller one is hung below the smallest of
    them, then all paths are shortened; what still differs goes into the next round. A root only ever moves
    below a smaller one, so there is no circle, and each round joins at least one pair for good.
    """
    parents = np.arange(count, dtype=np.int64)
    while len(a):
        low, high = np.minimum(a, b), np.maximum(a, b)
        np.minimum.at(parents, high, low)
        while True:
            shorter = parents[parents]
            if np.array_equal(shorter, parents):
                break
            parents = shorter
        a, b = parents[a], parents[b]
        different = a != b
        a, b = a[different], b[different]
    return parents
