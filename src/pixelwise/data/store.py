"""Prepared pictures on disk: arrays of one size under a key, mapped into memory when they are read.

Knows arrays, bytes and keys; what a key stands for is `cache`'s business.

An entry is a folder that appears whole: it is written under another name and renamed when all of it is on
the disk. So a process that is killed leaves no half entry, and of two that fill the same key the first to
finish wins and the second takes what is there. Pictures are written, not mapped, while an entry is made: a
full disk is then an error and not a crash.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwise.lock import hold

VERSION = 2
_IMAGES, _MASKS, _COUNTS, _HEADER = "images.u8", "masks.u8", "counts.i64", "header.json"
_STALE_SECONDS = 24 * 3600
_BETWEEN_SECONDS = 60  # that an entry may be unlocked for, when it is begun and when it is renamed
_UNUSED_SECONDS = 30 * 24 * 3600


class DamagedEntryError(Exception):
    """An entry is there but not as it was written; the message says what is wrong."""


@dataclass(frozen=True, eq=False)
class Arrays:
    """The samples of an entry, by their place in it.

    Attributes:
        images: `(n, H, W, 3) uint8`, read-only.
        masks: `(n, H, W) uint8`, read-only.
        counts: `(n, 256) int64` pixels of each train id.
        broken: Place -> why that sample cannot be used; its rows are zero.
    """

    images: npt.NDArray[np.uint8]
    masks: npt.NDArray[np.uint8]
    counts: npt.NDArray[np.int64]
    broken: dict[int, str]


@dataclass(frozen=True)
class Store:
    """The folder of all entries."""

    root: Path

    def folder(self, key: str) -> Path:
        """Where the entry of a key lies, or would."""
        return self.root / key

    def find(self, key: str, count: int, size: tuple[int, int]) -> Arrays | None:
        """The entry of the key, None where there is none.

        Raises:
            DamagedEntryError: It is there, but truncated or foreign.
        """
        folder = self.folder(key)
        if not folder.is_dir():
            return None
        try:
            header = json.loads((folder / _HEADER).read_text(encoding="utf-8"))
            wanted = {"version": VERSION, "key": key, "count": count, "size": list(size)}
            if any(header.get(name) != value for name, value in wanted.items()):
                raise DamagedEntryError(f"{folder / _HEADER} describes other pictures")
            broken = {int(place): str(reason) for place, reason in header["broken"].items()}
            arrays = Arrays(
                _mapped(folder / _IMAGES, (count, *size, 3)),
                _mapped(folder / _MASKS, (count, *size)),
                _counts(folder / _COUNTS, count),
                broken,
            )
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            raise DamagedEntryError(f"{folder} cannot be read ({error})") from error
        with suppress(OSError):
            os.utime(folder)  # in use; see `prune`
        return arrays

    def discard(self, key: str) -> None:
        """Takes a damaged entry away."""
        shutil.rmtree(self.folder(key), ignore_errors=True)

    def prune(self) -> None:
        """Removes what killed processes left behind, and entries that nobody opened for a month."""
        now = time.time()
        for folder in list(self.root.glob("*")):
            limit = _UNUSED_SECONDS
            if folder.name.startswith("."):
                limit = _BETWEEN_SECONDS if _abandoned(folder) else _STALE_SECONDS
            try:
                if folder.is_dir() and now - folder.stat().st_mtime > limit:
                    shutil.rmtree(folder, ignore_errors=True)
            except OSError:
                continue


class EntryWriter:
    """Fills a new entry sample by sample; `commit` makes it appear, `abandon` leaves no trace.

    Raises:
        OSError: The folder cannot be written, or the disk has no room for the entry.
    """

    def __init__(self, store: Store, key: str, count: int, size: tuple[int, int]) -> None:
        self._store, self._key, self._size, self._count = store, key, size, count
        store.root.mkdir(parents=True, exist_ok=True)
        store.prune()
        needed = entry_bytes(count, size)
        free = shutil.disk_usage(store.root).free
        if free < needed + (64 << 20):
            raise OSError(0, f"{needed >> 20} MB are needed, {free >> 20} MB are free")
        unique = f".{key[:16]}.{socket.gethostname()}.{os.getpid()}.{time.monotonic_ns()}"
        self._folder = store.root / unique
        self._folder.mkdir()
        self._images = (self._folder / _IMAGES).open("wb")
        with suppress(BlockingIOError):  # somebody asks just now
            hold(self._images.fileno())  # says that we live, whatever becomes of us
        self._masks = (self._folder / _MASKS).open("wb")
        self._counts: list[npt.NDArray[np.int64]] = []
        self._broken: dict[int, str] = {}

    def add(
        self, image: npt.NDArray[np.uint8], mask: npt.NDArray[np.uint8], counts: npt.NDArray[np.int64]
    ) -> None:
        """Appends a sample."""
        self._images.write(np.ascontiguousarray(image).data)
        self._masks.write(np.ascontiguousarray(mask).data)
        self._counts.append(counts)

    def add_broken(self, reason: str) -> None:
        """Appends a sample that cannot be used: zeros and the reason."""
        self._broken[len(self._counts)] = reason
        empty = np.zeros((*self._size, 3), np.uint8)
        self.add(empty, empty[..., 0], np.zeros(256, np.int64))

    def commit(self) -> None:
        """Makes the entry appear, once all of it is on the disk."""
        header: dict[str, Any] = {
            "version": VERSION,
            "key": self._key,
            "count": self._count,
            "size": list(self._size),
            "broken": self._broken,
        }
        for file in (self._images, self._masks):
            _flush(file)
            file.close()
        with (self._folder / _COUNTS).open("wb") as file:
            file.write(np.stack(self._counts).astype(np.int64).tobytes())
            _flush(file)
        with (self._folder / _HEADER).open("w", encoding="utf-8") as file:
            json.dump(header, file)
            _flush(file)
        try:
            self._folder.rename(self._store.folder(self._key))
        except OSError:
            shutil.rmtree(self._folder, ignore_errors=True)
            if not self._store.folder(self._key).is_dir():  # else another process was first
                raise

    def abandon(self) -> None:
        """Removes what was written."""
        for file in (self._images, self._masks):
            with suppress(OSError):  # closing flushes, and so fails again on a full disk
                file.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def entry_bytes(count: int, size: tuple[int, int]) -> int:
    """The room that an entry takes on the disk."""
    return count * (4 * size[0] * size[1] + 256 * 8)


def _abandoned(folder: Path) -> bool:
    """Whether the process that fills an entry is known to be dead."""
    try:
        with (folder / _IMAGES).open("rb") as file:
            return hold(file.fileno())
    except OSError:  # held, or not there
        return False


def _flush(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())


def _mapped(path: Path, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    wanted = int(np.prod(shape, dtype=np.int64))
    return np.asarray(np.memmap(_sized(path, wanted), np.uint8, "r", shape=shape))


def _counts(path: Path, count: int) -> npt.NDArray[np.int64]:
    numbers: npt.NDArray[np.int64] = np.fromfile(_sized(path, count * 256 * 8), np.int64)
    return np.reshape(numbers, (count, 256))


def _sized(path: Path, size: int) -> Path:
    found = path.stat().st_size
    if found != size:
        raise DamagedEntryError(f"{path} has {found:,} bytes instead of {size:,}")
    return path
