"""A palette PNG that is whole after every block of rows: it ends there, and its height says so.

Knows PNG and zlib; Pillow cannot write a picture in parts. Each block is an IDAT chunk that needs none before
it, so the bytes do not depend on where a run was killed. The file always ends with the end of the stream and
of the PNG, which the next block overwrites.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pixelwise import drawing
from pixelwise.data.raster.layout import compress
from pixelwise.data.raster.part_file import PartFile, Span
from pixelwise.types import Classes

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER_AT = len(_SIGNATURE)
_ZLIB_HEAD = b"\x78\x5e"  # deflate with a window of 32 KB, compressed fast
_LAST_BLOCK = b"\x03\x00"  # of deflate: an empty one that says that it is the last
_PALETTE_PNG = (8, 3, 0, 0, 0)  # bits, colour type, compression, filter, not interlaced


class PngLayout:
    """Palette PNG of 8 bits whose values are the labels, as `Segmentation.save` writes it."""

    notes: tuple[str, ...] = ()

    def __init__(self, size: tuple[int, int], classes: Classes) -> None:
        self._size = size
        palette = drawing.palette_array(classes.colours).tobytes()
        self.head = _SIGNATURE + self._header(size[0]) + _chunk(b"PLTE", palette)
        self.changing: Sequence[Span] = ((_HEADER_AT, len(self._header(1))),)

    def resume(self, part: PartFile) -> bool:
        """Takes away what came after the last commit."""
        adler = part.state.memory.get("adler")
        if adler is None and part.state.rows:
            return False
        tail = _tail(adler) if adler is not None else b""
        part.settle(tail, [(_HEADER_AT, self._header(part.state.rows or self._size[0]))])
        return True

    def add(self, part: PartFile, rows: npt.NDArray[np.uint8]) -> None:
        """Writes a block as one chunk."""
        filtered = np.zeros((len(rows), self._size[1] + 1), np.uint8)  # each row begins with filter 0: none
        filtered[:, 1:] = rows
        adler = zlib.adler32(filtered.data, part.state.memory.get("adler", 1))
        begins = _ZLIB_HEAD if part.state.rows == 0 else b""
        part.append(_chunk(b"IDAT", begins + compress(filtered.data, raw=True)))
        done = part.state.rows + len(rows)
        part.patch(_HEADER_AT, self._header(done))
        part.commit(done, tail=_tail(adler), memory={"adler": adler})

    def complete(self, part: PartFile) -> None:
        """Nothing is missing."""
        memory = part.state.memory
        part.commit(part.state.rows, tail=_tail(memory["adler"]), memory=memory, finished=True)

    def _header(self, height: int) -> bytes:
        return _chunk(b"IHDR", struct.pack(">II5B", self._size[1], height, *_PALETTE_PNG))


def _tail(adler: int) -> bytes:
    return _chunk(b"IDAT", _LAST_BLOCK + struct.pack(">I", adler & 0xFFFFFFFF)) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
