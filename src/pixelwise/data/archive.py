"""Unpacks a tar archive from somewhere else without trusting it.

Knows tar; nothing of where the archive came from and what its files mean.
"""

from __future__ import annotations

import lzma
import os
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from pixelwise.errors import DataError
from pixelwise.progress import Progress


def unpack(archive: Path, target: Path, *, limit: int, progress: Progress | None = None) -> int:
    """Writes the plain files of a tar archive under `target`, and nothing anywhere else.

    Each file appears whole or not at all, with this user's default permissions. Files named `._*` (macOS'
    attributes) and files that are there already with the same size are passed over. Links, devices,
    absolute paths and paths with `..` are refused, whatever the version of Python's own filter.

    Args:
        archive: A .tar, or one packed with gzip, bzip2 or xz.
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
        with archive.open("rb") as raw, tarfile.open(fileobj=raw, mode="r:*") as tar:
            for member in tar:
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
                written += _write(tar, member, target / path)
    except (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, ValueError) as error:
        raise _damaged(archive, error) from error
    except OSError as error:
        if error.errno is None:  # gzip and bzip2 speak of bad data as OSError, but never with a number
            raise _damaged(archive, error) from error
        raise
    return written


def _damaged(archive: Path, error: Exception) -> DataError:
    return DataError(f"{archive}: the archive is damaged ({error}); remove it and download it again")


def _safe_path(member: tarfile.TarInfo, archive: Path) -> PurePosixPath | None:
    """The member's path under the target; None for a folder, which its files bring along."""
    path = PurePosixPath(member.name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (path.parts and ":" in path.parts[0]):
        raise DataError(f"{archive}: {member.name!r} points outside the folder; don't use this archive")
    if member.isdir():
        return None
    if not path.parts:
        raise DataError(f"{archive}: a file without a name is in it; don't use this archive")
    if not member.isreg():
        raise DataError(f"{archive}: {member.name!r} is a link or device, no file; don't use this archive")
    return path


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> int:
    """Copies one file by way of a temporary name; 0 if it is there already."""
    if target.is_file() and not target.is_symlink() and target.stat().st_size == member.size:
        return 0
    source = tar.extractfile(member)
    if source is None:
        return 0
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with source, temporary.open("wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return 1
