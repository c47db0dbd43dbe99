"""The facts on disk, a line of JSON for each sample, so that a check that was stopped goes on.

A sample is taken from there where neither its files nor what they are read by has changed since. Lines are
only added; when more than half of them count no more, the file is written anew. Knows no picture and no rule;
a name in the file is never opened.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from pixelwise.check.facts import Facts
from pixelwise.check.keys import short_key
from pixelwise.data.entries import Entry
from pixelwise.data.reader import Reader
from pixelwise.errors import DataError
from pixelwise.files import replacing, stamp, write_whole

NAME = "facts.jsonl"
"""Of the file, in the folder of the report."""

_FORMAT = 2
"""Goes up whenever a look notes something else."""

_LONGEST_LINE = 1 << 20


class Journal:
    """The facts of a data set, in the folder of its report.

    Attributes:
        known: How many samples an earlier check had noted.

    Args:
        folder: Of the report.
        reader: What is checked. Other classes, or another table of values, make the old facts worthless.

    Raises:
        DataError: The file cannot be written.
    """

    def __init__(self, folder: Path, reader: Reader) -> None:
        self._path = folder / NAME
        identity = _identity(reader)
        index = _index(self._path, identity)
        if index.stale:
            _compact(self._path, index)
            index = _index(self._path, identity)
        self._index = index
        self.known = len(index.keys)
        self._stamps: dict[str, str] = {}
        if not self.known:
            header = json.dumps({"pixelwise_facts": _FORMAT, "identity": identity})
            write_whole(self._path, f"{header}\n".encode())
        with contextlib.ExitStack() as opened:
            try:
                self._old = opened.enter_context(self._path.open("rb"))
                self._file = opened.enter_context(self._path.open("ab"))
                if not _ends_whole(self._path):  # a crash cut the last line: nothing must grow on its stump
                    self._file.write(b"\n")
            except OSError as error:
                raise _unwritable(self._path, error) from error
            opened.pop_all()  # from here on `close` is answerable

    def facts(self, entry: Entry) -> Facts | None:
        """What was noted of a sample, if its files are still the same."""
        # As of before the look, so that what is mended meanwhile is looked at again.
        now = self._stamps[entry.name] = _stamp(entry)
        place = self._index.place(entry.name)
        if place is None:
            return None
        self._old.seek(place)
        value = _parsed(self._old.readline(_LONGEST_LINE))
        if value.get("name") != entry.name or value.get("stamp") != now:  # two names may have one key
            return None
        facts = Facts.from_json(value.get("facts"))
        if facts is not None:
            del self._stamps[entry.name]
        return facts

    def add(self, entry: Entry, facts: Facts) -> None:
        """Notes a sample that `facts` was asked for before it was looked at.

        Raises:
            DataError: The disk is full.
        """
        before = self._stamps.pop(entry.name)
        line = json.dumps({"name": entry.name, "stamp": before, "facts": facts.to_json()})
        try:
            self._file.write(f"{line}\n".encode())
        except OSError as error:
            raise _unwritable(self._path, error) from error

    def close(self) -> None:
        """Writes what is waiting.

        Raises:
            DataError: The disk is full.
        """
        self._old.close()
        try:
            self._file.close()
        except OSError as error:
            raise _unwritable(self._path, error) from error


def _identity(reader: Reader) -> str:
    """What the facts depend on besides the samples' own files."""
    stamps = [stamp(path) for path in reader.shared]
    table = reader.table.digest()
    text = json.dumps([reader.format, reader.classes.to_json(), table, reader.fit_masks, stamps])
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


@dataclass(frozen=True, eq=False)
class _Index:
    """Where in the file the last line of each sample begins.

    Attributes:
        keys: `(n,)` of the samples' names, rising.
        places: `(n,)` in bytes.
        lines: That the file has, with those of samples that were looked at again since.
    """

    keys: npt.NDArray[np.uint64]
    places: npt.NDArray[np.int64]
    lines: int

    @property
    def stale(self) -> bool:
        """Whether more than half of the lines count no more."""
        return self.lines > 2 * len(self.keys)

    def place(self, name: str) -> int | None:
        """Of a sample's last line; two names may have one key."""
        key = np.uint64(short_key(name))
        row = int(np.searchsorted(self.keys, key))
        return int(self.places[row]) if row < len(self.keys) and self.keys[row] == key else None


def _index(path: Path, identity: str) -> _Index:
    """Of a file; empty where its facts are of no use."""
    keys, places = array("Q"), array("q")
    try:
        with path.open("rb") as file:
            header = _parsed(file.readline(_LONGEST_LINE))
            place = file.tell()
            while header == {"pixelwise_facts": _FORMAT, "identity": identity} and (
                line := file.readline(_LONGEST_LINE)
            ):
                if isinstance(name := _parsed(line).get("name"), str):
                    keys.append(short_key(name))
                    places.append(place)
                place += len(line)
    except OSError:
        keys, places = array("Q"), array("q")
    every = np.array(keys, np.uint64)
    kept, last = np.unique(every[::-1], return_index=True)  # backwards, the first one found is the last one
    return _Index(kept, np.array(places, np.int64)[::-1][last], len(every))


def _compact(path: Path, index: _Index) -> None:
    """Writes the file anew with the last line of each sample.

    Raises:
        DataError: The disk is full; the file is as it was.
    """
    with replacing(path) as temporary, path.open("rb") as old, temporary.open("wb") as new:
        new.write(old.readline(_LONGEST_LINE))
        for place in np.sort(index.places).tolist():
            old.seek(place)
            new.write(old.readline(_LONGEST_LINE).rstrip(b"\n") + b"\n")


def _stamp(entry: Entry) -> str:
    text = f"{stamp(entry.image)}\n{stamp(entry.labels)}"
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)  # there is a header at least
        return file.read(1) == b"\n"


def _parsed(line: bytes) -> dict[str, Any]:
    """The object of a line; an empty one where a crash cut it, or something else wrote it."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _unwritable(path: Path, error: OSError) -> DataError:
    return DataError(
        f"{path} cannot be written ({error.strerror or error}): make room, or take another folder with "
        "--out, and check again; what is noted already is not looked at again"
    )
