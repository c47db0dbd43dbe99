"""A lock that one process holds, and that the system lets go when it dies, however it dies.

Knows nothing of what is done under it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from pixelwise.errors import DataError


class LockedError(Exception):
    """Another process holds the lock; the message says which one, as far as is known."""


@contextlib.contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Holds a lock while the block runs, in this process and in no other, of this machine or another.

    The file says who holds it. It goes away with the lock; what a killed process leaves is no lock.

    Args:
        path: A file for it, in a folder that is made.

    Yields:
        Whether the lock is held: some network file systems have none.

    Raises:
        LockedError: Another process holds it, or this one does already.
        DataError: The folder cannot be written.
    """
    descriptor, held = _open(path)
    try:
        with contextlib.suppress(OSError):  # a full disk takes no name, and needs none
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode())
        yield held
    finally:
        if sys.platform != "win32":  # there an open file cannot go away
            with contextlib.suppress(OSError):
                path.unlink()  # still locked: whoever opened this file meanwhile sees that it is gone
        os.close(descriptor)


def _open(path: Path) -> tuple[int, bool]:
    """A descriptor of the file at the path, and whether its lock is ours."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                held = hold(descriptor)
                if not held or _is_at(descriptor, path):
                    return descriptor, held
            except BlockingIOError:
                holder = _holder(descriptor)
                os.close(descriptor)
                raise LockedError(holder) from None
            os.close(descriptor)  # the one who held it took the file away: once more
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(
            f"{path.parent} cannot be written ({reason}): choose another folder, or make room and try again"
        ) from error


def hold(descriptor: int) -> bool:
    """Locks an open file until it is closed; False where the file system has no locks.

    Raises:
        BlockingIOError: It is locked by another descriptor.
    """
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            raise BlockingIOError from None
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return False
    return True


def _holder(descriptor: int) -> str:
    try:
        return os.read(descriptor, 200).decode("utf-8", "replace") or "another process"
    except OSError:  # Windows lets nobody read what is locked
        return "another process"


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
