"""The connected pieces of a label map, exactly: their class, area and boundary. NumPy only.

A map becomes runs of equal pixels in a row; runs that touch in neighbouring rows are joined by union-find,
all at once (`join`). Knows ids only, neither classes nor files.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelwise.data.join import join

_Ids = npt.NDArray[np.int64]
_Runs = npt.NDArray[np.int32 | np.int64]


@dataclass(frozen=True, eq=False)
class Components:
    """The n pieces of a map, numbered in the order of their first pixel, row by row.

    Attributes:
        labels: `(n,) uint8` the id of each piece's pixels.
        areas: `(n,) int64` its pixels.
        boundaries: `(n,) int64` sides of its pixels that lie on its border; the map's edge is a border too.
        firsts: `(r,) int64` where each run begins, counted row by row; no run goes on into the next row.
        lengths: `(r,) int64` its pixels.
        pieces: `(r,) int64` which piece it belongs to.
        size: `(height, width)` of the map.
    """

    labels: npt.NDArray[np.uint8]
    areas: _Ids
    boundaries: _Ids
    firsts: _Ids
    lengths: _Ids
    pieces: _Ids
    size: tuple[int, int]

    def numbers(self) -> _Ids:
        """`(H, W)` which piece each pixel belongs to."""
        return np.reshape(np.repeat(self.pieces, self.lengths), self.size)

    def breadths(self) -> npt.NDArray[np.float64]:
        """`(n,)` 4 area / boundary, in pixels: a square's side, and up to twice the thickness of a bar.

        The equivalent diameter of a thin piece says nothing of whether it survives shrinking: a bar of 4x100
        has one of 23 pixels, and a breadth of 7.7.
        """
        return 4 * self.areas / self.boundaries


def connected_components(mask: npt.NDArray[np.uint8]) -> Components:
    """The pieces of `(H, W)` ids: pixels of one id that touch at a side or at a corner.

    Touching corners count, so that a thin slanted line is one piece and not one for each step. Takes about
    10 bytes of memory a pixel, and up to 100 more a run.
    """
    height, width = mask.shape
    starts = np.ones(mask.shape, np.bool_)
    starts[:, 1:] = mask[:, 1:] != mask[:, :-1]
    counted = np.cumsum(starts.ravel(), dtype=np.int32 if mask.size < 1 << 31 else np.int64)
    runs: _Runs = np.reshape(counted, mask.shape)
    runs -= 1
    firsts = np.flatnonzero(starts.ravel())
    lengths = np.diff(firsts, append=height * width)
    roots = join(len(firsts), *_touching(mask, runs, starts))
    # The root of a piece is its first run, so numbering the roots in order numbers pieces by first pixel.
    is_root = roots == np.arange(len(roots))
    pieces = (np.cumsum(is_root) - 1)[roots]
    count = int(is_root.sum())
    areas = np.bincount(pieces, lengths, minlength=count).astype(np.int64)
    # Each run has two ends; a pixel whose neighbour above or below is another id, or none, has a side there.
    sides = 2 * np.bincount(pieces, minlength=count)
    differs = mask[1:] != mask[:-1]
    for row in (runs[0], runs[-1], runs[:-1][differs], runs[1:][differs]):
        sides += np.bincount(pieces[row], minlength=count)
    labels = mask.ravel()[firsts[is_root]]
    return Components(labels, areas, sides.astype(np.int64), firsts, lengths, pieces, (height, width))


def _touching(mask: npt.NDArray[np.uint8], runs: _Runs, starts: npt.NDArray[np.bool_]) -> tuple[_Runs, _Runs]:
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
