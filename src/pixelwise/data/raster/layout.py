"""What a file format makes of a label map that comes in blocks of rows. Knows no format."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pixelwise.data.raster.part_file import PartFile, Span

BLOCK = 512
"""Rows that are made safe together, and the side of a GeoTIFF's tiles."""

_LEVEL = 3


class Layout(Protocol):
    """A file format. It is given whole blocks of `BLOCK` rows, and then what is left."""

    @property
    def head(self) -> bytes:
        """How the file begins, before any row."""
        ...

    @property
    def changing(self) -> Sequence[Span]:
        """Parts of the head that change as rows come."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What the file cannot hold of what it was given."""
        ...

    def resume(self, part: PartFile) -> bool:
        """Goes on from the part's state; False where the file does not fit it."""
        ...

    def add(self, part: PartFile, rows: npt.NDArray[np.uint8]) -> None:
        """Writes the next rows `(h, W) uint8` and makes them safe."""
        ...

    def complete(self, part: PartFile) -> None:
        """Writes what comes after the last row, and commits the part as finished."""
        ...


def compress(data: bytes | memoryview, *, raw: bool) -> bytes:
    """Labels deflated, as `Segmentation.save` does it: they are runs, and nothing else is looked for.

    Args:
        data: The bytes.
        raw: Whether to leave out zlib's head and check sum, and to end on a whole byte without ending the
            stream; so that such pieces follow each other in one stream, and each is the same whoever made
            the one before. Else it is a stream of its own.
    """
    bits = -zlib.MAX_WBITS if raw else zlib.MAX_WBITS
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, bits, strategy=zlib.Z_RLE)
    return deflate.compress(data) + deflate.flush(zlib.Z_SYNC_FLUSH if raw else zlib.Z_FINISH)
