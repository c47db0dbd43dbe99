"""Labels as tiles of a TIFF: written, read back, and halved for the pyramid.

Knows where tiles stand in a file, and zlib; no directory.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelwise.data.raster.layout import BLOCK, compress
from pixelwise.data.raster.part_file import PartFile
from pixelwise.drawing import IGNORE

UInt8Array = npt.NDArray[np.uint8]
Int64Array = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Tiles:
    """Tiles of 512x512 in a file, from left to right and from top to bottom.

    Attributes:
        size: `(height, width)` of the picture that they make.
        offsets: Where each begins.
        counts: How many bytes each has.
    """

    size: tuple[int, int]
    offsets: Int64Array
    counts: Int64Array

    @property
    def end(self) -> int:
        """The byte behind the last tile."""
        return int(self.offsets[-1] + self.counts[-1])


def append_row(part: PartFile, rows: UInt8Array) -> Tiles:
    """Writes rows `(at most 512, w) uint8` as a row of tiles, which are filled up with 255."""
    height, width = rows.shape
    across = -(-width // BLOCK)
    padded = np.full((BLOCK, across * BLOCK), IGNORE, np.uint8)
    padded[:height, :width] = rows
    tiles = [
        compress(np.ascontiguousarray(padded[:, left : left + BLOCK]).data, raw=False)
        for left in range(0, across * BLOCK, BLOCK)
    ]
    counts = np.array([len(tile) for tile in tiles], np.int64)
    at = part.append(b"".join(tiles))
    return Tiles((height, width), at + np.cumsum(counts) - counts, counts)


def append_half(part: PartFile, large: Tiles) -> Tiles:
    """Writes the picture of tiles at half its size, two rows of tiles at a time."""
    height, width = large.size
    rows = [append_row(part, halve(_read(part, large, top))) for top in range(0, height, 2 * BLOCK)]
    return _joined(((height + 1) // 2, (width + 1) // 2), rows)


def halve(labels: UInt8Array) -> UInt8Array:
    """Labels `(H, W)` at half the size, rounded up: of each four pixels a value that most of them have.

    An odd last row or column counts twice.
    """
    height, width = labels.shape
    if height % 2 or width % 2:
        labels = np.pad(labels, ((0, height % 2), (0, width % 2)), mode="edge")
    a, b, c, d = labels[::2, ::2], labels[::2, 1::2], labels[1::2, ::2], labels[1::2, 1::2]
    return np.where((b == c) | (b == d), b, np.where(c == d, c, a))


def _read(part: PartFile, tiles: Tiles, top: int) -> UInt8Array:
    """Two rows of tiles from row `top` on, or what is left of the picture."""
    height, width = tiles.size
    across = -(-width // BLOCK)
    rows = np.empty((min(2 * BLOCK, height - top), across * BLOCK), np.uint8)
    for row in range(0, len(rows), BLOCK):
        for column in range(across):
            number = (top + row) // BLOCK * across + column
            data = zlib.decompress(part.read(int(tiles.offsets[number]), int(tiles.counts[number])))
            tile: UInt8Array = np.ndarray((BLOCK, BLOCK), np.uint8, data)
            place = rows[row : row + BLOCK, column * BLOCK : (column + 1) * BLOCK]
            place[...] = tile[: len(place)]
    return rows[:, :width]


def _joined(size: tuple[int, int], rows: Sequence[Tiles]) -> Tiles:
    offsets = np.concatenate([each.offsets for each in rows])
    return Tiles(size, offsets, np.concatenate([each.counts for each in rows]))
