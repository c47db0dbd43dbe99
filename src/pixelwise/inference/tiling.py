"""Where tiles lie and how much each counts: pure geometry, one axis at a time. Knows no picture.

Tiles of one side lie on a grid of `TILE_STEP` pixels; the last of an axis may be shorter, since it ends where
the picture ends. A tile's weight falls towards its borders, where it sees least around it; at each pixel the
weights of all tiles that cover it sum to one, so that a pointwise network answers the same with and without
tiles. The weight in two dimensions is the product of those along the axes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelwise.config.predict import TILE_STEP, PredictConfig

FloatArray = npt.NDArray[np.float32]

_SIGMA = 1 / 8
"""Of the Gaussian, in sides of a tile: what nnU-Net's sliding window takes (Isensee et al. 2021)."""


@dataclass(frozen=True, eq=False)
class Axis:
    """The tiles along one side of a picture.

    Attributes:
        length: Of the picture's side.
        starts: The first pixel of each tile, ascending, from 0.
        ends: One past the last pixel of each, ascending; the last is `length`.
        weights: Of each tile's pixels, `(end - start,) float32` above 0; over all tiles they sum to one.
    """

    length: int
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    weights: tuple[FloatArray, ...]

    def __len__(self) -> int:
        return len(self.starts)

    def final(self, number: int) -> int:
        """One past the last pixel that no tile after this one covers."""
        return self.starts[number + 1] if number + 1 < len(self.starts) else self.length

    def first_covering(self, pixel: int) -> int:
        """The first tile that covers this pixel, or any after it."""
        return next(number for number, end in enumerate(self.ends) if end > pixel)


def lay(length: int, config: PredictConfig) -> Axis:
    """Covers a side of `length` pixels, at least 1, with tiles."""
    side = config.tile
    stride = max(TILE_STEP, round(side * (1 - config.overlap)) // TILE_STEP * TILE_STEP)
    # The last tile begins on the grid too, so up to one step of its side may lie beyond the picture.
    last = -(-max(length - side, 0) // TILE_STEP) * TILE_STEP
    starts = (*range(0, last, stride), last)
    ends = tuple(min(start + side, length) for start in starts)
    total = np.zeros(length)
    profiles = [_profile(end - start, config) for start, end in zip(starts, ends, strict=True)]
    for start, end, profile in zip(starts, ends, profiles, strict=True):
        total[start:end] += profile
    weights = tuple(
        (profile / total[start:end]).astype(np.float32)
        for start, end, profile in zip(starts, ends, profiles, strict=True)
    )
    return Axis(length, starts, ends, weights)


def _profile(count: int, config: PredictConfig) -> npt.NDArray[np.float64]:
    """How much the pixels of a tile count, before they are weighed against other tiles'."""
    place = np.arange(count) + 0.5
    return _SLOPES[config.blend](np.minimum(place, count - place), config)


def _flat(inward: npt.NDArray[np.float64], config: PredictConfig) -> npt.NDArray[np.float64]:
    return np.ones_like(inward)


def _linear(inward: npt.NDArray[np.float64], config: PredictConfig) -> npt.NDArray[np.float64]:
    return np.minimum(1, inward / max(config.overlap * config.tile, 1))


def _gaussian(inward: npt.NDArray[np.float64], config: PredictConfig) -> npt.NDArray[np.float64]:
    from_centre = inward.max() - inward
    return np.exp(-0.5 * (from_centre / (_SIGMA * config.tile)) ** 2)


_SLOPES = {"flat": _flat, "linear": _linear, "gaussian": _gaussian}


@dataclass(frozen=True, eq=False)
class Grid:
    """The tiles of a picture, row by row.

    Attributes:
        rows: Tiles from top to bottom.
        columns: Tiles from left to right.
    """

    rows: Axis
    columns: Axis

    @staticmethod
    def over(size: tuple[int, int], config: PredictConfig) -> Grid:
        """The tiles of a picture of `size` = (height, width)."""
        return Grid(lay(size[0], config), lay(size[1], config))

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)

    def weight(self, row: int, column: int) -> FloatArray:
        """Of a tile's pixels `(h, w)`."""
        return self.rows.weights[row][:, None] * self.columns.weights[column]

    def places(self, *, first_row: int = 0) -> Iterator[tuple[int, int]]:
        """`(row, column)` of each tile from that row on, from left to right and down."""
        for row in range(first_row, len(self.rows)):
            for column in range(len(self.columns)):
                yield row, column
