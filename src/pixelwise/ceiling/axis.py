"""Pixels of a picture and cells of a network's answer along one axis, in whole numbers.

A cell need not be a whole number of pixels: both are measured in the largest unit that divides both, so that
every share and every weight below is a whole number of units and no result hangs on rounding.
Knows no picture, no class and no second axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.intp]
Whole = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Axis:
    """One axis: cell `i` covers the units `i * cell` to `(i + 1) * cell`, pixel `p` likewise.

    The last cell may reach over the picture's edge; there the last pixel goes on, as networks pad.

    Attributes:
        pixels: Of the picture.
        cells: Of the answer.
        cell: Units of a cell.
        pixel: Units of a pixel.
    """

    pixels: int
    cells: int
    cell: int
    pixel: int

    @staticmethod
    def of(pixels: int, side: int, stride: int) -> Axis:
        """The axis of a picture that a network takes at `side` pixels and answers one in `stride` of them."""
        breadth = Fraction(stride * pixels, side)
        return Axis(pixels, -(-side // stride), breadth.numerator, breadth.denominator)

    def pixel_range(self, first: int, end: int) -> tuple[int, int]:
        """The pixels that the cells `first` to `end - 1` touch, as first and end."""
        return first * self.cell // self.pixel, min(-(-end * self.cell // self.pixel), self.pixels)

    def cell_range(self, first: int, end: int) -> tuple[int, int]:
        """The cells that the pixels `first` to `end - 1` touch, those beyond the last pixel with it."""
        last = self.cells if end == self.pixels else -(-end * self.pixel // self.cell)
        return first * self.pixel // self.cell, last

    def centres(self) -> Places:
        """For each cell the pixel that holds its centre; the last pixel where that lies beyond the edge."""
        places = (2 * np.arange(self.cells, dtype=np.int64) + 1) * self.cell // (2 * self.pixel)
        return np.minimum(places, self.pixels - 1).astype(np.intp)

    def holders(self) -> Places:
        """For each pixel the cell that holds its centre."""
        places = (2 * np.arange(self.pixels, dtype=np.int64) + 1) * self.pixel // (2 * self.cell)
        return places.astype(np.intp)

    def between(self) -> tuple[Places, Whole]:
        """Between which two cells' centres each pixel's centre lies, and how far from the first.

        Returns:
            The number of the second cell, in `0..cells`: 0 lies before the first cell's centre and `cells`
            behind the last one's. And the distance from the first cell's centre, in half units, in
            `0..2 * cell - 1`.
        """
        centre = (2 * np.arange(self.pixels, dtype=np.int64) + 1) * self.pixel - self.cell
        low, distance = np.divmod(centre, 2 * self.cell)
        return (low + 1).astype(np.intp), distance


@dataclass(frozen=True, eq=False)
class Blocks:
    """The pixels between two cells' centres each, padded to one number.

    Attributes:
        pixels: `(n, most)` pixel numbers; the picture's length where a block has fewer.
        distance: `(n, most)` half units from the first of the two centres.
    """

    pixels: Places
    distance: Whole

    @staticmethod
    def of(axis: Axis, first: int, end: int) -> Blocks:
        """Those whose second cell is one of `first` to `end - 1`."""
        second, distance = axis.between()
        start = np.searchsorted(second, np.arange(first, end))
        stop = np.searchsorted(second, np.arange(first, end), side="right")
        places = start[:, None] + np.arange(max(int((stop - start).max()), 1))
        inside = places < stop[:, None]
        places = np.where(inside, places, axis.pixels)
        return Blocks(places, np.append(distance, 0)[places])
