"""Files that are written whole or not at all, and their digests. Knows nothing of what is in them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

from pixelwise.errors import DataError

_BEGUN = re.compile(r"\.(\d+)-\d+\.part\.")
"""Process and thread in the name of a file that is not whole yet."""


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file so that a crash leaves the old content or the new one, never a part.

    Raises:
        DataError: The disk is full, or the folder cannot be written; nothing is left behind.
    """
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(content)


@contextlib.contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Where to write a file that takes the place of `path` when all went well, and goes away when not.

    Args:
        path: The file; its folder is made.
        durable: Wait until the disk has it, so that a power cut leaves no part either. That takes
            milliseconds, too long for each of many thousand files that can be made again.

    Yields:
        A path in the same folder, with the same ending.

    Raises:
        DataError: The disk is full, or the folder cannot be written; nothing is left behind.
    """
    temporary = path.with_name(f".{os.getpid()}-{threading.get_ident()}.part.{path.name}")
    try:
        made = _make_folder(path.parent)
        yield temporary
        if durable:
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
        temporary.replace(path)
        if durable:
            for folder in (path.parent, *made):
                sync_folder(folder)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(
            f"{path} cannot be written ({reason}): choose another folder, or make room and try again"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _make_folder(folder: Path) -> list[Path]:
    """Makes a folder and those above it, and returns the folders that got a new name in them."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return [place.parent for place in missing]


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in lower-case hexadecimal."""
    return digest_of(path, "sha256")


def digest_of(path: Path, method: str) -> str:
    """Of a file's bytes, by a method that `hashlib` knows, in lower-case hexadecimal."""
    digest = hashlib.new(method, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def stamp(path: Path) -> str:
    """Path, size and times of the last change: equal as long as nobody touched the file."""
    try:
        state = path.stat()
    except OSError:
        return f"{path} unreadable"
    return f"{path} {state.st_size} {state.st_mtime_ns} {state.st_ctime_ns}"


def remove_leftovers(folder: Path, name: str = "*", *, alone: bool = False) -> None:
    """Removes what `replacing` began in a folder, and below, in processes that were killed.

    Args:
        folder: Where; it need not be there.
        name: Of the files that were to be written, as a pattern.
        alone: Nobody writes there, as the caller knows by a lock, so that all of it is left over. Else only
            what is of no living process of this machine: a number that came to another process, as in a
            container that starts again, or one of another machine, would be taken for it.
    """
    if os.name != "posix" and not alone:  # elsewhere nothing asks harmlessly whether a process lives
        return
    for path in folder.rglob(f".*.part.{name}"):
        begun = _BEGUN.match(path.name)
        if begun and (alone or not _lives(int(begun.group(1)))):
            with contextlib.suppress(OSError):
                path.unlink()


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def sync_folder(folder: Path) -> None:
    """Makes a rename in the folder survive a power cut; Windows has no such call and needs none."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
