"""Rows of numbers of which only those that are asked for are in memory: the others wait in a file.

A kilobyte for each of a hundred thousand pictures is nothing on a disk, and much in the memory of a laptop.
The file has no name (or goes away with its last reader), so that nothing is left of a check that was killed.
Knows numbers; what they stand for is the caller's business.
"""

from __future__ import annotations

import math
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pixelwise.errors import DataError

Indices = npt.NDArray[np.int64]
Array = npt.NDArray[Any]


class Rows(Protocol):
    """Rows of one shape that can be asked for by their places: an array is such rows."""

    def __len__(self) -> int: ...

    def __getitem__(self, places: Indices, /) -> Array: ...


class DiskRows:
    """Rows in a file without a name.

    Args:
        shape: Of a row.
        dtype: Of its numbers.
        folder: Where the file is: a disk, not memory that looks like one.
        count: Rows that are there from the beginning; they hold zeros.

    Raises:
        DataError: The folder cannot be written.
    """

    def __init__(self, shape: tuple[int, ...], dtype: npt.DTypeLike, folder: Path, *, count: int = 0) -> None:
        self._shape, self._dtype, self._folder, self._count = shape, np.dtype(dtype), folder, count
        self._size = math.prod(shape) * self._dtype.itemsize
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # Not buffered, since a buffer would be thrown away at every jump.
            self._file = tempfile.TemporaryFile("w+b", 0, dir=folder)  # noqa: SIM115  closed with the rows
            weakref.finalize(self, self._file.close)
            self._file.truncate(count * self._size)
        except OSError as error:
            raise self._full(error) from error

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, places: Indices) -> Array:
        """A copy of the rows at the places, in any order; neighbours are read at once."""
        found = np.empty((len(places), *self._shape), self._dtype)
        view = _bytes_of(found)
        ends = np.append(np.flatnonzero(np.diff(places) != 1) + 1, len(places))
        start = 0
        for end in ends.tolist() if len(places) else ():
            self._file.seek(int(places[start]) * self._size)
            self._read(view[start * self._size : end * self._size])
            start = end
        return found

    def __setitem__(self, place: int, row: Array) -> None:
        """Writes one row.

        Raises:
            DataError: The disk is full.
        """
        self._write(place, row)

    def append(self, rows: Array) -> None:
        """Writes rows behind the last one.

        Raises:
            DataError: The disk is full.
        """
        self._write(self._count, rows)
        self._count += len(rows)

    def _write(self, place: int, rows: Array) -> None:
        left = _bytes_of(np.ascontiguousarray(rows, self._dtype))
        try:
            self._file.seek(place * self._size)
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            raise self._full(error) from error

    def _read(self, view: memoryview) -> None:
        while view:
            count = self._file.readinto(view)
            if not count:
                raise IndexError(f"there are {self._count} rows, and one behind them was asked for")
            view = view[count:]

    def _full(self, error: OSError) -> DataError:
        return DataError(
            f"{self._folder} cannot be written ({error.strerror or error}): make room, or take another "
            "folder with --out, and check again"
        )


class ChosenRows:
    """Some of the rows, by numbers of their own."""

    def __init__(self, rows: Rows, places: Indices) -> None:
        self._rows, self._places = rows, places

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, places: Indices) -> Array:
        return self._rows[self._places[places]]


def _bytes_of(array: Array) -> memoryview:
    """The bytes of an array in one piece, to be read and written."""
    flat: npt.NDArray[np.uint8] = np.ndarray((array.nbytes,), np.uint8, buffer=array)
    return memoryview(flat.data)


def blocks(count: int, size: int) -> Iterator[Indices]:
    """The places 0 to `count` in order, at most `size` at once."""
    for start in range(0, count, size):
        yield np.arange(start, min(start + size, count), dtype=np.int64)
