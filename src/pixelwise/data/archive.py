"""Unpacks a tar or zip archive from somewhere else without trusting it.

Knows archives; nothing of where they came from and what their files mean.
"""

from __future__ import annotations

import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from pixelwise.errors import DataError
from pixelwise.progress import Progress

_BLOCK = 1 << 20
_UNIX_KIND = 0o170000
_UNIX_FILE = 0o100000


@dataclass(frozen=True)
class _Member:
    """A file in an archive.

    Attributes:
        name: As the archive spells it.
        size: Bytes, as the archive says.
        kind: `file`, `folder`, or `other` for links and devices.
        open: Gives its content, None if there is none.
    """

    name: str
    size: int
    kind: str
    open: Callable[[], IO[bytes] | None]


def unpack(archive: Path, target: Path, *, limit: int, progress: Progress | None = None) -> int:
    """Writes the plain files of an archive under `target`, and nothing anywhere else.

    Each file appears whole or not at all, with this user's default permissions. Files named `._*` (macOS'
    attributes) and files that are there already with the same size are passed over. Links, devices,
    absolute paths and paths with `..` are refused, whatever the version of Python's own filter.

    Args:
        archive: A zip, a .tar, or one packed with gzip, bzip2 or xz.
        target: An existing folder.
        limit: The most bytes that may come out.
        progress: Told of the archive's bytes that are read.

    Returns:
        The number of files written.

    Raises:
        DataError: The archive is damaged, too large, or holds what is refused; the member is named.
        OSError: The disk is full or read-only.
    """
    written, total, size = 0, 0, archive.stat().st_size
    try:
        with archive.open("rb") as raw:
            for member in _members(raw):
                if progress is not None:
                    progress(f"unpacking {archive.name}", min(raw.tell(), size), size)
                path = _safe_path(member, archive)
                if path is None or path.name.startswith("._"):
                    continue
                total += member.size
                if total > limit:
                    raise DataError(
                        f"{archive}: more than {limit:,} bytes would come out, which it never held; "
                        "remove it and download it again"
                    )
                written += _write(member, target / path)
    except (
        *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
        *(EOFError, ValueError, NotImplementedError, RuntimeError),  # the last: an encrypted zip
    ) as error:
        raise _damaged(archive, error) from error
    except OSError as error:
        if error.errno is None:  # gzip and bzip2 speak of bad data as OSError, but never with a number
            raise _damaged(archive, error) from error
        raise
    return written


def _members(raw: IO[bytes]) -> Iterator[_Member]:
    zipped = raw.read(4) == b"PK\x03\x04"
    raw.seek(0)
    if zipped:
        with zipfile.ZipFile(raw) as pack:
            for info in pack.infolist():
                kind = info.external_attr >> 16 & _UNIX_KIND  # zero where another system wrote the zip
                plain = "file" if kind in (0, _UNIX_FILE) else "other"
                name = "folder" if info.is_dir() else plain
                yield _Member(info.filename, info.file_size, name, partial(pack.open, info))
        return
    with tarfile.open(fileobj=raw, mode="r:*") as tar:
        for info in tar:
            name = "folder" if info.isdir() else "file" if info.isreg() else "other"
            yield _Member(info.name, info.size, name, partial(tar.extractfile, info))


def _damaged(archive: Path, error: Exception) -> DataError:
    return DataError(f"{archive}: the archive is damaged ({error}); remove it and download it again")


def _safe_path(member: _Member, archive: Path) -> PurePosixPath | None:
    """The member's path under the target; None for a folder, which its files bring along."""
    path = PurePosixPath(member.name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (path.parts and ":" in path.parts[0]):
        raise DataError(f"{archive}: {member.name!r} points outside the folder; don't use this archive")
    if member.kind == "folder":
        return None
    if not path.parts:
        raise DataError(f"{archive}: a file without a name is in it; don't use this archive")
    if member.kind != "file":
        raise DataError(f"{archive}: {member.name!r} is a link or device, no file; don't use this archive")
    return path


def _write(member: _Member, target: Path) -> int:
    """Copies one file by way of a temporary name; 0 if it is there already."""
    if target.is_file() and not target.is_symlink() and target.stat().st_size == member.size:
        return 0
    source = member.open()
    if source is None:
        return 0
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with source, temporary.open("wb") as file:
            left = member.size
            while block := source.read(_BLOCK):
                left -= len(block)
                if left < 0:
                    raise ValueError(f"{member.name!r} is longer than the archive says")
                file.write(block)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return 1
