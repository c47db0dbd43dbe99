"""The first directory of a TIFF or BigTIFF: where its tags' values stand, and how one is written.

Knows bytes and tags, no pixel. Offsets and counts of a file of others are hostile: nothing is read that is
larger than asked for.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

SUBFILE, WIDTH, HEIGHT, ORIENTATION = 254, 256, 257, 274
TILE_OFFSETS, TILE_COUNTS = 324, 325
GEOGRAPHIC = frozenset({33550, 33922, 34264, 34735})
"""Pixel scale, tie points, transformation and keys of a GeoTIFF."""

SHORT, LONG, LONG8 = 3, 4, 16

_WHOLE = {SHORT: "H", LONG: "I", LONG8: "Q"}
_WIDE = {SHORT: 2, 8: 2, LONG: 4, 9: 4, 11: 4, 13: 4, 5: 8, 10: 8, 12: 8, LONG8: 8, 17: 8, 18: 8}  # else 1
_MOST_TAGS = 4096


class NoTiffError(ValueError):
    """The bytes are no TIFF, or end before its first directory does."""


@dataclass(frozen=True)
class Entry:
    """A tag: `count` values of type `kind`, the first at byte `at` of the file."""

    kind: int
    count: int
    at: int


@dataclass(frozen=True)
class Dialect:
    """How numbers are written: byte order `<` or `>`, and whether offsets have 8 bytes (BigTIFF)."""

    order: str
    big: bool

    @property
    def offset(self) -> str:
        """The `struct` format of an offset in the file."""
        return self.order + ("Q" if self.big else "I")

    @property
    def largest_offset(self) -> int:
        """No byte behind this one can be pointed to."""
        return 2 ** (64 if self.big else 32) - 1


@dataclass(frozen=True)
class Directory:
    """The tags of the first picture of a file.

    Attributes:
        dialect: How the file writes numbers.
        entries: By tag.
        entries_at: The first byte of its tags, and the one behind the last.
    """

    dialect: Dialect
    entries: Mapping[int, Entry]
    entries_at: tuple[int, int]

    @property
    def next_at(self) -> int:
        """The byte where the offset of the next directory stands."""
        return self.entries_at[1]

    def whole(self, tag: int) -> str:
        """The type of a tag's whole numbers, as `struct` and NumPy write it for one of them."""
        return self.dialect.order + _WHOLE[self.entries[tag].kind]

    def number(self, file: BinaryIO, tag: int) -> int | None:
        """The value of a tag that holds one whole number; None where it is missing, or of another kind."""
        entry = self.entries.get(tag)
        if entry is None or entry.count != 1 or entry.kind not in _WHOLE:
            return None
        form = self.whole(tag)
        return int(struct.unpack(form, _read(file, entry.at, struct.calcsize(form)))[0])


def read_directory(file: BinaryIO) -> Directory:
    """Reads the first directory.

    Raises:
        NoTiffError: This is no TIFF, or it is truncated.
    """
    head = _read(file, 0, 8)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    version = struct.unpack(f"{order}H", head[2:4])[0] if order else 0
    if order is None or version not in (42, 43):
        raise NoTiffError("this is no TIFF")
    dialect = Dialect(order, version == 43)
    start_at, count_form, entry_form = (8, "Q", "HHQ") if dialect.big else (4, "H", "HHI")
    (start,) = struct.unpack(dialect.offset, _read(file, start_at, struct.calcsize(dialect.offset)))
    counted = struct.calcsize(order + count_form)
    (count,) = struct.unpack(order + count_form, _read(file, start, counted))
    if count > _MOST_TAGS:
        raise NoTiffError(f"its directory claims to have {count:,} tags")
    head_bytes, inline = struct.calcsize(order + entry_form), struct.calcsize(dialect.offset)
    entries: dict[int, Entry] = {}
    for number in range(count):
        at = start + counted + number * (head_bytes + inline)
        record = _read(file, at, head_bytes + inline)
        tag, kind, values = struct.unpack(order + entry_form, record[:head_bytes])
        place = at + head_bytes
        if _WIDE.get(kind, 1) * values > inline:
            (place,) = struct.unpack(dialect.offset, record[head_bytes:])
        entries[tag] = Entry(kind, values, place)
    first = start + counted
    return Directory(dialect, entries, (first, first + count * (head_bytes + inline)))


def write_directory(entries: Mapping[int, tuple[int, int, bytes]], dialect: Dialect, following: int) -> bytes:
    """A directory as bytes.

    Args:
        entries: Tag -> its kind, count, and values as bytes, or the offset of the values as bytes, which must
            not be longer than an offset.
        dialect: How the file writes numbers.
        following: The offset of the next directory; 0 for none.
    """
    inline = struct.calcsize(dialect.offset)
    count_form, entry_form = ("Q", "HHQ") if dialect.big else ("H", "HHI")
    parts = [struct.pack(dialect.order + count_form, len(entries))]
    for tag, (kind, count, value) in sorted(entries.items()):
        parts.append(struct.pack(dialect.order + entry_form, tag, kind, count) + value.ljust(inline, b"\0"))
    return b"".join(parts) + struct.pack(dialect.offset, following)


def _read(file: BinaryIO, at: int, count: int) -> bytes:
    if at >= 1 << 62:
        raise NoTiffError(f"it points to byte {at:,}")
    file.seek(at)
    data = file.read(count)
    if len(data) < count:
        raise NoTiffError(f"it ends before byte {at + count:,}")
    return data
