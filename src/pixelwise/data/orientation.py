"""How a picture is to be turned, as its metadata says, without decoding pixels for it.

Sources: CIPA DC-008, "Exif 2.32", tag 0x0112; W3C, "Portable Network Graphics (PNG) Specification", third
edition 2025, section 5.3.
"""

from __future__ import annotations

import struct
from typing import IO

from PIL import Image

SIDEWAYS = (5, 6, 7, 8)
"""Orientations that exchange height and width."""

_TAG = 0x0112
_DAMAGED = (ValueError, TypeError, KeyError, OSError, SyntaxError, IndexError, OverflowError, struct.error)
"""What Pillow raises for damaged metadata around whole pixels."""

_SIGNATURE = 8
"""Bytes in front of a PNG's first chunk."""

_METADATA = (b"eXIf", b"tEXt", b"zTXt", b"iTXt")


def read_orientation(image: Image.Image, stream: IO[bytes] | None = None) -> int:
    """The tag of EXIF or XMP, 1..8; 1 where there is none, or it makes no sense.

    Args:
        image: As Pillow opened it.
        stream: Where it was opened, if its pixels have not been decoded and shall not be: Pillow decodes
            those of a PNG, because metadata may follow them. Here they are only where some does.
    """
    whole = stream is None or image.format != "PNG" or metadata_behind_pixels(stream)
    try:
        exif = image.getexif() if whole else Image.Image.getexif(image)
        value = int(exif.get(_TAG, 1))
    except _DAMAGED:
        return 1
    return value if 1 <= value <= 8 else 1


def metadata_behind_pixels(stream: IO[bytes]) -> bool:
    """Whether text or EXIF data follow the pixels of a PNG, found from chunk to chunk.

    The stream is left where it was. What is no row of chunks, or goes on with further frames, counts as
    having some: then the decoder decides.
    """
    place = stream.tell()
    stream.seek(_SIGNATURE)
    pixels = False
    try:
        while True:
            head = stream.read(8)
            if len(head) < 8:
                return True
            kind = head[4:]
            if kind == b"IEND":
                return False
            if pixels and (kind in _METADATA or kind == b"fcTL"):
                return True
            pixels = pixels or kind == b"IDAT"
            stream.seek(int.from_bytes(head[:4], "big") + 4, 1)  # the data and their checksum
    finally:
        stream.seek(place)
