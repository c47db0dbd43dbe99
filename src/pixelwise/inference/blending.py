"""Overlapping tiles become one picture, in constant memory: a part is handed on when no tile is to come.

Knows the geometry and the tiles' probabilities; knows no network and no file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelwise.inference.tiling import Axis, Grid

FloatArray = npt.NDArray[np.float32]

CARRY_BYTES = 256 << 20
"""Of what a row of tiles leaves for the next one, held in memory; beyond that it lies in a temporary file."""


@dataclass(frozen=True, eq=False)
class Piece:
    """A finished part of a picture.

    Attributes:
        top: Its first row.
        left: Its first column.
        scores: `(K, h, w) float32` probabilities, summing to one over K; zero where no tile was given.
    """

    top: int
    left: int
    scores: FloatArray

    @property
    def size(self) -> tuple[int, int]:
        """`(height, width)`."""
        return self.scores.shape[1], self.scores.shape[2]

    @property
    def within(self) -> tuple[slice, slice]:
        """Its rows and columns in the picture."""
        height, width = self.size
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


def blend(
    grid: Grid, tiles: Iterable[FloatArray | None], num_classes: int, *, first_row: int = 0
) -> Iterator[Piece]:
    """The weighted mean of tiles, part by part: from left to right, and down.

    Args:
        grid: Where they lie.
        tiles: Probabilities `(K, h, w)` of each, in the order of `grid.places`; None for one without a pixel
            that counts.
        num_classes: K.
        first_row: The row of tiles that they begin with. Parts that an earlier row covers too are wrong then.
    """
    above = _Carry(grid, num_classes)
    aside: FloatArray | None = None
    try:
        for (row, column), scores in zip(grid.places(first_row=first_row), tiles, strict=True):
            top, left = grid.rows.starts[row], grid.columns.starts[column]
            if scores is None:
                shape = (num_classes, grid.rows.ends[row] - top, grid.columns.ends[column] - left)
                sums = np.zeros(shape, np.float32)
            else:
                sums = scores * grid.weight(row, column)
            if column > 0 and aside is not None:
                sums[:, :, : aside.shape[2]] += aside
            width = grid.columns.final(column) - left
            aside, done = sums[:, :, width:].copy(), sums[:, :, :width]
            if row > first_row:
                carried = above.take(row, column)
                done[:, : carried.shape[1]] += carried
            height = grid.rows.final(row) - top
            above.keep(row, column, done[:, height:])
            yield Piece(top, left, done[:, :height])
    finally:
        above.close()


def whole_scores(pieces: Iterable[Piece], shape: tuple[int, int, int]) -> FloatArray:
    """All parts of a picture, put together to `shape` = (K, H, W)."""
    result = np.empty(shape, np.float32)
    for piece in pieces:
        result[(slice(None), *piece.within)] = piece.scores
    return result


class _Carry:
    """What tiles of one row have summed for pixels that the next row covers too, a record for each column."""

    def __init__(self, grid: Grid, num_classes: int) -> None:
        self._rows, self._columns, self._num_classes = grid.rows, grid.columns, num_classes
        widest = max(self._width(column) for column in range(len(grid.columns)))
        deepest = max(_left_over(grid.rows, row) for row in range(len(grid.rows)))
        self._record = 4 * num_classes * widest * deepest
        self._file = tempfile.SpooledTemporaryFile(max_size=CARRY_BYTES)  # noqa: SIM115 (closed by `close`)

    def keep(self, row: int, column: int, sums: FloatArray) -> None:
        if sums.size and row + 1 < len(self._rows):
            self._file.seek(column * self._record)
            self._file.write(np.ascontiguousarray(sums).data.cast("B"))

    def take(self, row: int, column: int) -> FloatArray:
        """What `keep` got of the row before."""
        shape = (self._num_classes, _left_over(self._rows, row - 1), self._width(column))
        self._file.seek(column * self._record)
        content = self._file.read(4 * shape[0] * shape[1] * shape[2])
        return np.frombuffer(content, np.float32).reshape(shape)

    def close(self) -> None:
        self._file.close()

    def _width(self, column: int) -> int:
        return self._columns.final(column) - self._columns.starts[column]


def _left_over(axis: Axis, number: int) -> int:
    """Pixels of a tile that the next one covers too."""
    return axis.ends[number] - axis.final(number)
