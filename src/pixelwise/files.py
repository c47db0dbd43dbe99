"""Files that are written whole or not at all. Knows nothing of what is in them."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from pixelwise.errors import DataError


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file so that a crash leaves the old content or the new one, never a part.

    Raises:
        DataError: The disk is full, or the folder cannot be written; nothing is left behind.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        reason = error.strerror or str(error)
        raise DataError(
            f"{path} cannot be written ({reason}): choose another folder, or make room and try again"
        ) from error


def sync_folder(folder: Path) -> None:
    """Makes a rename in the folder survive a power cut; Windows has no such call and needs none."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
