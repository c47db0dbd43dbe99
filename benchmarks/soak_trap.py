"""What goes wrong in a process of the soak test: the system's calls as they fail on a bad disk."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
from pathlib import Path
from typing import Any

from soak_files import checkpoint

ROOM = 200  # bytes that a short write finds room for


class Short(io.FileIO):
    """A file on a disk that has little room left."""

    def write(self, data: Any) -> int:
        """Fewer bytes than asked for, as the system may; then none."""
        room = ROOM - self.tell()
        if room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(bytes(memoryview(data)[: min(room, 120)]))


class Trap:
    """Stands in for the system's calls, and lets through what it is not set for.

    Args:
        fault: `short` (writes take fewer bytes than they are given, and then the disk is full), `fsync` and
            `rename` (an I/O error), `kill` (SIGKILL when one is begun), or `note` (no fault: the digest of
            each checkpoint is added to a file).
        pattern: How the names of the files end that meet it.
        notes: The file for `note`.
    """

    def __init__(self, fault: str, pattern: str, notes: Path | None = None) -> None:
        self.fault, self.pattern, self.notes = fault, pattern, notes
        self.calls = io.open, os.replace, os.fsync

    def set(self) -> None:
        """From now on."""
        if self.fault in ("short", "kill"):
            io.open = self.open  # what `Path.open` calls
        elif self.fault in ("rename", "note"):
            os.replace = self.replace
        elif self.fault == "fsync":
            os.fsync = self.fsync
        else:
            raise SystemExit(f"there is no fault {self.fault}")

    def open(self, file: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
        """A file with little room, or the end of the process."""
        if mode[0] not in "wx" or not self._meant(file):
            return self.calls[0](file, mode, *rest, **more)
        if self.fault == "kill":
            self.calls[0](file, mode, *rest, **more).close()
            os.kill(os.getpid(), signal.SIGKILL)
        return io.BufferedWriter(Short(file, "w"))

    def replace(self, source: Any, target: Any) -> None:
        """An I/O error, or a note of what was renamed."""
        if self.fault == "rename" and self._meant(target):
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(target))
        self.calls[1](source, target)
        if self.notes is not None and self._meant(target):
            _note(Path(target), self.notes)

    def fsync(self, descriptor: int) -> None:
        """An I/O error."""
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if self._meant(path) or self.pattern in path.name:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self.calls[2](descriptor)

    def _meant(self, path: Any) -> bool:
        return not isinstance(path, int) and os.fspath(path).endswith(self.pattern)


def _note(path: Path, notes: Path) -> None:
    place = checkpoint(path)
    if place is not None:
        with notes.open("a") as file:
            file.write(json.dumps([place.text, place.digest]) + "\n")
