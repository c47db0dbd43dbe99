"""Where the bytes of shards come from, and a sample's picture and mask out of them, checked.

Knows tables and bytes. What a source is, a folder or a server, is its own business; it gives the bytes that
it is asked for, or says why it cannot.
"""

from __future__ import annotations

import threading
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pixelwise.data.io import UnreadableError
from pixelwise.data.shards.table import UNKNOWN_CRC, Located, Member, SampleTable, Shard
from pixelwise.data.shards.tar import BLOCK, header_fault
from pixelwise.errors import DataError

_GAP = 16 * BLOCK
"""Bytes between a picture and its mask that are read along rather than asked for twice."""


class Source(Protocol):
    """Gives the bytes of shards; several threads ask at once."""

    def read(self, shard: Shard, offset: int, count: int) -> bytes:
        """The bytes of a shard from `offset` on; fewer only where it ends.

        Raises:
            DataError: The shard is missing, is not what it was, or cannot be read.
        """
        ...


@dataclass(frozen=True)
class FolderSource:
    """Shards that are files.

    Attributes:
        root: Their folder.
    """

    root: Path

    def read(self, shard: Shard, offset: int, count: int) -> bytes:
        """Opens the file for each read: that takes microseconds, and no number of shards is too many."""
        path = self.root / shard.name
        try:
            with path.open("rb", buffering=0) as file:
                file.seek(offset)
                found = file.read(count)
                while 0 < len(found) < count:
                    more = file.read(count - len(found))
                    if not more:
                        break
                    found += more
                return found
        except OSError as error:
            raise unreadable(path, error) from error

    def check(self, shard: Shard) -> None:
        """Looks whether the file is there and has its size.

        Raises:
            DataError: It is missing, or has another size.
        """
        path = self.root / shard.name
        try:
            size = path.stat().st_size
        except OSError as error:
            raise unreadable(path, error) from error
        if size != shard.size:
            raise DataError(
                f"{path}: the index says {shard.size:,} bytes, but the shard has {size:,}: it is truncated "
                "or was changed; copy it again"
            )


class MissingError(DataError):
    """A file is not on its server."""


def unreadable(path: Path, error: OSError) -> DataError:
    """The error for a shard that cannot be opened or read."""
    if isinstance(error, FileNotFoundError):
        return DataError(f"{path}: this shard is missing; copy the whole set again")
    return DataError(
        f"{path}: this shard cannot be read ({error.strerror or error}); check the disk and permissions"
    )


class Samples:
    """The bytes of pictures and masks by a sample's name; each thread remembers its last sample.

    Picture and mask of a sample are wanted one after the other and stand beside each other, so one read
    brings both.

    Args:
        root: The set's folder, for messages.
        table: Where the samples are; sealed.
        source: What gives the bytes.
    """

    def __init__(self, root: Path, table: SampleTable, source: Source) -> None:
        self._root, self._table, self._source = root, table, source
        self._last = threading.local()

    def picture(self, name: str) -> tuple[Path, bytes]:
        """What the picture is called in messages, and its bytes.

        Raises:
            DataError: The shard cannot be read, or does not hold what it should; `UnreadableError` for
                damage that concerns this member alone.
        """
        sample = self._table.find(name)
        return self._said(sample, sample.picture), self._content(name, sample, sample.picture)

    def mask(self, name: str) -> tuple[Path, bytes]:
        """As `picture`, of the mask."""
        sample = self._table.find(name)
        return self._said(sample, sample.mask), self._content(name, sample, sample.mask)

    def _said(self, sample: Located, member: Member) -> Path:
        return self._root / self._table.shards[sample.shard].name / member.name

    def _content(self, name: str, sample: Located, member: Member) -> bytes:
        if getattr(self._last, "name", None) != name:
            self._last.name = None
            self._last.parts = self._read(sample)
            self._last.name = name
        record: bytes
        for start, record in self._last.parts:
            if start <= member.offset - BLOCK and member.offset + member.size <= start + len(record):
                break
        else:
            raise DataError(
                f"{self._said(sample, member)}: the shard ends before the {member.size:,} bytes from "
                f"{member.offset:,} on, so it is truncated or was changed; copy it again"
            )
        at = member.offset - start
        content = record[at : at + member.size]
        self._check(sample, member, record[at - BLOCK : at], content)
        return content

    def _read(self, sample: Located) -> list[tuple[int, bytes]]:
        """The bytes of both members with their headers, and where they begin: one piece, or two."""
        shard = self._table.shards[sample.shard]
        first, second = sorted((sample.picture, sample.mask), key=lambda member: member.offset)
        spans = [(member.offset - BLOCK, member.offset + member.size) for member in (first, second)]
        if spans[1][0] - spans[0][1] <= _GAP:
            spans = [(spans[0][0], max(spans[0][1], spans[1][1]))]
        return [(start, self._source.read(shard, start, stop - start)) for start, stop in spans]

    def _check(self, sample: Located, member: Member, header: bytes, content: bytes) -> None:
        fault = header_fault(header, member.name, member.size)
        if fault:
            raise UnreadableError(
                f"{self._said(sample, member)}: at byte {member.offset:,} {fault}; the shard was changed or "
                "is damaged: copy it again, or write the set again with pixelwise convert"
            )
        if member.crc != UNKNOWN_CRC and zlib.crc32(content) != member.crc:
            raise UnreadableError(
                f"{self._said(sample, member)}: its bytes are not those that were written (CRC-32 "
                f"{zlib.crc32(content):08x} and not {member.crc:08x}); the shard is damaged: copy it again"
            )


__all__ = ["FolderSource", "MissingError", "Samples", "Source", "unreadable"]
