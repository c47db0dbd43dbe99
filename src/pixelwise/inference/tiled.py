"""A picture read a few rows at a time, through a network tile by tile.

Each row of the source is read once, from top to bottom. Memory holds as many rows as a tile is high, and a
few tiles, whatever the picture's height. Knows a callback for the network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from pixelwise.config.predict import PredictConfig
from pixelwise.data.ahead import in_order
from pixelwise.data.raster import RowSource
from pixelwise.inference.blending import Piece, blend
from pixelwise.inference.tiling import Grid

UInt8Array = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]
Valid = npt.NDArray[np.bool_]

Answer = Callable[[list[UInt8Array]], FloatArray]
"""Pictures `(h, w, 3)` of one size to probabilities `(N, K, h, w)`."""

_MOST_TILES = 64
"""In one batch, those without a valid pixel included."""


@dataclass(frozen=True)
class Tiling:
    """How a picture is cut and computed.

    Attributes:
        config: Side, overlap and blending.
        num_classes: K.
        batch_size: Tiles for each call of the network.
        at_once: Calls at the same time.
    """

    config: PredictConfig
    num_classes: int
    batch_size: int = 1
    at_once: int = 1

    def pieces(self, source: RowSource, answer: Answer, *, from_row: int = 0) -> Iterator[Piece]:
        """The picture's probabilities, part by part: from left to right, and down.

        Args:
            source: The picture; read from the first tile on that covers `from_row`.
            answer: The network; called from several threads.
            from_row: Parts above it may be wrong.
        """
        grid = Grid.over(source.size, self.config)
        first = grid.rows.first_covering(from_row)
        batches = self._batches(_tiles(source, grid, first))
        answered = in_order(partial(_answers, answer), batches, workers=self.at_once, ahead=self.at_once + 1)
        scores = (score for batch in answered for score in batch)
        yield from blend(grid, scores, self.num_classes, first_row=first)

    def _batches(self, tiles: Iterator[UInt8Array | None]) -> Iterator[list[UInt8Array | None]]:
        """Neighbours that the network can take together."""
        batch: list[UInt8Array | None] = []
        shape, count = None, 0
        for tile in tiles:
            other = tile is not None and shape is not None and tile.shape != shape
            if other or count == self.batch_size or len(batch) == _MOST_TILES:
                yield batch
                batch, shape, count = [], None, 0
            batch.append(tile)
            if tile is not None:
                shape, count = tile.shape, count + 1
        if batch:
            yield batch


def _answers(answer: Answer, batch: list[UInt8Array | None]) -> list[FloatArray | None]:
    there = [tile for tile in batch if tile is not None]
    scores = iter(answer(there) if there else ())
    return [None if tile is None else next(scores) for tile in batch]


def _tiles(source: RowSource, grid: Grid, first: int) -> Iterator[UInt8Array | None]:
    """Each tile's pixels; None where none is valid."""
    picture, valid = np.empty((0, source.size[1], 3), np.uint8), None
    top = bottom = grid.rows.starts[first]
    for row in range(first, len(grid.rows)):
        start, end = grid.rows.starts[row], grid.rows.ends[row]
        more, more_valid = source.rows(bottom, end)
        valid = _joined(valid, start - top, bottom - top, more_valid, end - bottom, source.size[1])
        picture = np.concatenate((picture[start - top :], more))
        top, bottom = start, end
        for left, right in zip(grid.columns.starts, grid.columns.ends, strict=True):
            seen = valid is None or bool(valid[:, left:right].any())
            yield np.ascontiguousarray(picture[:, left:right]) if seen else None


def _joined(
    valid: Valid | None, dropped: int, rows: int, more: Valid | None, more_rows: int, width: int
) -> Valid | None:
    """What is valid of the rows that stay and of those that came; None where all is."""
    if valid is None and more is None:
        return None
    before = np.ones((rows, width), np.bool_) if valid is None else valid
    after = np.ones((more_rows, width), np.bool_) if more is None else more
    return np.concatenate((before[dropped:], after))
