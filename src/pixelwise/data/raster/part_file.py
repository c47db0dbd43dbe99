"""A file that is written over hours and may be killed, or meet a full disk, at any moment.

Knows bytes, and how far they are safe; not what they mean.

The file grows as `.NAME.part` beside its later name, with the state in `.NAME.state`. What is appended and
patched counts from `commit` on: the bytes are on the disk before the state says so. An error takes back what
was not committed, so the file is left as the last commit had it. A killed process leaves more than that;
going on from the state takes it away.
"""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from pixelwise.data.raster.state import State
from pixelwise.errors import DataError
from pixelwise.files import remove_leftovers, sync_folder

Span = tuple[int, int]
"""The first byte and the count of bytes of a part of a file."""

_CHUNK = 1 << 20


class PartFile:
    """A file in the making; nobody else can write it meanwhile.

    Args:
        target: What it will be called.
        identity: A text with all that makes the content what it is.
        size: `(height, width)` of the picture in it.

    Attributes:
        path: Where it grows.
        state: What is safe.

    Raises:
        DataError: The folder cannot be written, or another process is writing the same file.
    """

    def __init__(self, target: Path, *, identity: str, size: tuple[int, int]) -> None:
        self.target = target
        self.path = target.with_name(f".{target.name}.part")
        self.state = State(identity, size)
        self._state_path = target.with_name(f".{target.name}.state")
        self._file: BinaryIO | None = None
        self._head = 0
        self._position = 0
        self._check = 0
        self._tail = b""
        self._undo: list[tuple[int, bytes]] = []

    def begin(self, head: bytes) -> None:
        """Begins anew; `head` is what the file begins with, which only `patch` alters.

        Raises:
            DataError: The disk is full, or the folder cannot be written.
        """
        with self._writing() as file:
            self._state_path.unlink(missing_ok=True)  # first: a state must never describe other bytes
            file.truncate(0)
            self._write(0, head)
        self._head = self._position = len(head)
        self.commit(0)

    def resume(self, head: bytes, changing: Sequence[Span]) -> str | None:
        """Goes on from the state beside the file.

        The bytes behind the last commit are still there afterwards; `settle` takes them away.

        Args:
            head: What the file must begin with.
            changing: Parts of the head that `patch` alters, which are not compared.

        Returns:
            Why that cannot be; None if it can. There is nothing to say where nothing was written: "".
        """
        there = self.path.stat().st_size if self.path.is_file() else 0
        if not self._state_path.exists():
            return f"{self._state_path.name} is missing" if there > len(head) else ""
        try:
            state = State.read(self._state_path)
        except DataError as error:
            return str(error)
        if (state.identity, state.size) != (self.state.identity, self.state.size):
            return "it belongs to another picture, model or setting"
        if there:
            with self._writing() as file:
                reason = _differs(file, head, changing, state)
        elif state.finished:  # killed after the last rename
            reason = _differs_at(self.target, head, changing, state)
        else:
            reason = f"{self.path.name} is missing"
        if reason is None:
            self.state, self._head, self._position, self._check = state, len(head), state.end, state.check
        return reason

    def settle(self, tail: bytes, patches: Sequence[tuple[int, bytes]]) -> None:
        """After `resume`: makes the file what it was after the commit that the state describes."""
        if self._file is not None:
            with self._writing() as file:
                for at, data in patches:
                    self._write(at, data)
                self._write(self.state.end, tail)
                file.truncate(self.state.end + len(tail))
            self._tail = tail
            self._undo.clear()

    def append(self, data: bytes) -> int:
        """Appends bytes, and returns where they begin.

        Raises:
            DataError: The disk is full; the file is as the last commit left it, and so it is closed.
        """
        at = self._position
        with self._writing():
            self._write(at, data)
        self._position += len(data)
        self._check = zlib.crc32(data, self._check)
        return at

    def patch(self, at: int, data: bytes) -> None:
        """Overwrites bytes of the head.

        Raises:
            DataError: As `append`.
        """
        with self._writing():
            self._undo.append((at, self.read(at, len(data))))
            self._write(at, data)

    def read(self, at: int, count: int) -> bytes:
        """Bytes that were written."""
        if self._file is None:
            with self.target.open("rb") as file:
                return _read(file, at, count)
        return _read(self._file, at, count)

    def commit(
        self,
        rows: int,
        *,
        tail: bytes = b"",
        memory: Mapping[str, int] | None = None,
        finished: bool = False,
    ) -> None:
        """Makes all that was appended and patched safe.

        Args:
            rows: So many rows of the picture are whole now.
            tail: What closes the file for readers until the next `append`, which overwrites it.
            memory: What the format needs to go on.
            finished: Whether nothing will be appended any more.

        Raises:
            DataError: As `append`.
        """
        identity, size = self.state.identity, self.state.size
        state = State(identity, size, rows, self._position, self._check, finished, dict(memory or {}))
        with self._writing() as file:
            self._write(self._position, tail)
            file.truncate(self._position + len(tail))
            os.fsync(file.fileno())
            state.write(self._state_path)
        self.state, self._tail = state, tail
        self._undo.clear()

    def finish(self) -> None:
        """Gives the file its name; what had that name before is gone.

        Raises:
            DataError: The folder cannot be written.
        """
        try:
            if self._file is not None:
                self.close()
                self.path.replace(self.target)
                sync_folder(self.target.parent)
            self._state_path.unlink(missing_ok=True)
            remove_leftovers(self.target.parent, self._state_path.name)
        except OSError as error:
            raise self._said(error) from error

    def close(self) -> None:
        """Lets the file go as it is."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None

    def _open(self) -> BinaryIO:
        if self._file is None:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
            file = os.fdopen(descriptor, "r+b", buffering=0)  # no buffer: errors come when they happen
            try:
                _lock(descriptor, self.path)
            except DataError:
                file.close()
                raise
            self._file = file
        return self._file

    def _write(self, at: int, data: bytes) -> None:
        file = self._open()
        file.seek(at)
        view = memoryview(data)
        while view:  # a disk that fills up takes a part first
            view = view[file.write(view) :]

    @contextmanager
    def _writing(self) -> Generator[BinaryIO]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            yield self._open()
        except (OSError, DataError) as error:
            cause = error.__cause__ if isinstance(error, DataError) else error
            if not isinstance(cause, OSError):
                raise  # the lock's
            self._take_back()
            self.close()
            raise self._said(cause) from cause

    def _take_back(self) -> None:
        """Leaves the file as the last commit had it; needs no room that the file did not have then."""
        if self._file is None:
            return
        with suppress(OSError):
            self._file.truncate(self.state.end + len(self._tail))
        with suppress(OSError):
            for at, data in reversed(self._undo):
                self._write(at, data)
            self._write(self.state.end, self._tail)

    def _said(self, error: OSError) -> DataError:
        rows, height = self.state.rows, self.state.size[0]
        whole = (
            f"rows 0 to {rows - 1} of {height} are whole in {self.path.name}" if rows else "no row is whole"
        )
        return DataError(
            f"{self.target}: cannot be written further ({error.strerror or error}), {whole}; "
            "make room, or choose another folder, and run it again"
        )


def _differs_at(path: Path, head: bytes, changing: Sequence[Span], state: State) -> str | None:
    try:
        with path.open("rb") as file:
            return _differs(file, head, changing, state)
    except OSError as error:
        return str(error)


def _differs(file: BinaryIO, head: bytes, changing: Sequence[Span], state: State) -> str | None:
    """Why the bytes of a file are not those that a state describes; None if they are."""
    begins, wanted = bytearray(_read(file, 0, len(head))), bytearray(head)
    for at, count in changing:
        begins[at : at + count] = wanted[at : at + count] = bytes(count)
    if begins != wanted:
        return "it begins otherwise than it should"
    if file.seek(0, os.SEEK_END) < state.end:
        return "it is truncated"
    file.seek(len(head))
    check, left = 0, state.end - len(head)
    while left > 0:
        data = file.read(min(left, _CHUNK))
        if not data:
            return "it is truncated"
        check = zlib.crc32(data, check)
        left -= len(data)
    return None if left == 0 and check == state.check else "its bytes were altered"


def _read(file: BinaryIO, at: int, count: int) -> bytes:
    file.seek(at)
    parts: list[bytes] = []
    while count > 0 and (data := file.read(count)):
        parts.append(data)
        count -= len(data)
    return b"".join(parts)


def _lock(descriptor: int, path: Path) -> None:
    """Held until the descriptor is closed, or the process dies; file systems without locks go without."""
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataError(
                f"{path}: another process is writing this file; wait for it, or choose another name"
            ) from None
        except OSError:
            return
