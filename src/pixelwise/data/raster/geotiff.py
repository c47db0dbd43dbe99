"""A GeoTIFF of tiles that can be opened at any moment.

Knows TIFF. GDAL writes only the head (`geotiff_head`), as it promises no order of what it writes and leaves
half a tile on a full disk. Here tiles are appended, and then their places are filled in where the head has
room for them. GDAL reads missing tiles as nodata. See docs/decisions/0009-giant-pictures.md.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pixelwise.data.raster.georeference import Georeference
from pixelwise.data.raster.geotiff_head import geotiff_head
from pixelwise.data.raster.layout import BLOCK
from pixelwise.data.raster.part_file import PartFile, Span
from pixelwise.data.raster.tiff import (
    HEIGHT,
    LONG,
    SUBFILE,
    TILE_COUNTS,
    TILE_OFFSETS,
    WIDTH,
    read_directory,
    write_directory,
)
from pixelwise.data.raster.tiles import Int64Array, Tiles, UInt8Array, append_half, append_row
from pixelwise.errors import DataError
from pixelwise.types import Classes

_SHARED = (258, 259, 262, 277, 284, 317, 320, 322, 323, 339, 42113)
"""What smaller pictures of the pyramid have from the large one: bits, compression, palette, tiles, nodata."""


class GeoTiffLayout:
    """Tiles of 512x512, deflated, with palette, nodata 255 and the place of the source.

    Args:
        path: For messages.
        size: `(height, width)`.
        classes: Whose names and colours it holds.
        place: Where it lies on the earth.
        overviews: Whether smaller pictures follow, each half the size of the one before, down to one tile.

    Raises:
        DataError: rasterio is missing, or GDAL refuses.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        classes: Classes,
        *,
        place: Georeference | None,
        overviews: bool,
    ) -> None:
        self._path, self._size, self._overviews = path, size, overviews
        self.head, self.notes = geotiff_head(path, size, classes, place)
        self._directory = read_directory(io.BytesIO(self.head))
        self._offset = self._directory.dialect.offset
        following = (self._directory.next_at, struct.calcsize(self._offset))
        self.changing: Sequence[Span] = (self._span(TILE_OFFSETS), self._span(TILE_COUNTS), following)

    def resume(self, part: PartFile) -> bool:
        """Takes away what came after the last commit; False where its tiles are not one behind the other."""
        begin, memory = len(self.head), part.state.memory
        tiles, done = self._tiles(part), self._tiles_in(part.state.rows)
        safe = np.arange(len(tiles.counts)) < done
        counts: Int64Array = np.where(safe, tiles.counts, 0)
        offsets: Int64Array = np.where(safe, begin + np.cumsum(counts) - counts, 0)
        if not np.array_equal(tiles.offsets[:done], offsets[:done]):
            return False
        if begin + int(counts.sum()) != memory.get("tiles_end", begin):
            return False
        patches = [
            (self._span(TILE_OFFSETS)[0], self._packed(TILE_OFFSETS, offsets)),
            (self._span(TILE_COUNTS)[0], self._packed(TILE_COUNTS, counts)),
            (self._directory.next_at, struct.pack(self._offset, memory.get("pyramid", 0))),
        ]
        part.settle(b"", patches)
        return True

    def add(self, part: PartFile, rows: UInt8Array) -> None:
        """Writes a row of tiles."""
        top = part.state.rows
        tiles = append_row(part, rows)
        self._check_end(tiles.end)
        for tag, values in ((TILE_OFFSETS, tiles.offsets), (TILE_COUNTS, tiles.counts)):
            packed = self._packed(tag, values)
            part.patch(self._span(tag)[0] + self._tiles_in(top) * self._type(tag).itemsize, packed)
        part.commit(top + len(rows), memory={"tiles_end": tiles.end})

    def complete(self, part: PartFile) -> None:
        """Appends the pyramid, made of the file's own tiles, and only then says where it is."""
        memory = dict(part.state.memory)
        if self._overviews and max(self._size) > BLOCK:
            memory["pyramid"] = self._append_pyramid(part)
            part.patch(self._directory.next_at, struct.pack(self._offset, memory["pyramid"]))
        part.commit(part.state.rows, memory=memory, finished=True)

    def _append_pyramid(self, part: PartFile) -> int:
        """Writes all smaller pictures; returns where the directory of the largest of them stands."""
        levels = [self._tiles(part)]
        while max(levels[-1].size) > BLOCK:
            levels.append(append_half(part, levels[-1]))
        following = 0
        for level in reversed(levels[1:]):
            following = self._append_directory(part, level, following)
        return following

    def _append_directory(self, part: PartFile, tiles: Tiles, following: int) -> int:
        long, entries = self._directory.dialect.order + "I", self._directory.entries
        tags: dict[int, tuple[int, int, bytes]] = {
            SUBFILE: (LONG, 1, struct.pack(long, 1)),  # a smaller version of another picture
            WIDTH: (LONG, 1, struct.pack(long, tiles.size[1])),
            HEIGHT: (LONG, 1, struct.pack(long, tiles.size[0])),
        }
        for tag in _SHARED:
            if tag in entries:
                tags[tag] = (entries[tag].kind, entries[tag].count, self._inline_or_offset(entries[tag].at))
        for tag, values in ((TILE_OFFSETS, tiles.offsets), (TILE_COUNTS, tiles.counts)):
            packed = self._packed(tag, values)
            if len(packed) > struct.calcsize(self._offset):
                packed = struct.pack(self._offset, self._append_even(part, packed))
            tags[tag] = (entries[tag].kind, len(values), packed)
        return self._append_even(part, write_directory(tags, self._directory.dialect, following))

    def _inline_or_offset(self, at: int) -> bytes:
        """What stands in the large picture's directory for a tag whose values are at byte `at`."""
        first, last = self._directory.entries_at
        if first <= at < last:
            return self.head[at : at + struct.calcsize(self._offset)]
        return struct.pack(self._offset, at)

    def _append_even(self, part: PartFile, data: bytes) -> int:
        """Appends at an even byte, as TIFF wants its directories and values."""
        if part.append(b"") % 2:
            part.append(b"\0")
        at = part.append(data)
        self._check_end(at + len(data))
        return at

    def _check_end(self, end: int) -> None:
        if end > self._directory.dialect.largest_offset:
            raise DataError(
                f"{self._path}: the file grows beyond 4 GiB, which its kind of TIFF cannot; write a PNG"
            )

    def _tiles(self, part: PartFile) -> Tiles:
        offsets, counts = (
            np.frombuffer(part.read(*self._span(tag)), self._type(tag)).astype(np.int64)
            for tag in (TILE_OFFSETS, TILE_COUNTS)
        )
        return Tiles(self._size, offsets, counts)

    def _tiles_in(self, rows: int) -> int:
        return -(-rows // BLOCK) * -(-self._size[1] // BLOCK)

    def _span(self, tag: int) -> Span:
        entry = self._directory.entries[tag]
        return entry.at, entry.count * self._type(tag).itemsize

    def _type(self, tag: int) -> np.dtype[np.uint32 | np.uint64]:
        return np.dtype(self._directory.whole(tag))

    def _packed(self, tag: int, values: Int64Array) -> bytes:
        return values.astype(self._type(tag)).tobytes()
