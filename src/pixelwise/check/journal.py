"""The facts on disk, a line of JSON for each sample, so that a check that was stopped goes on.

A sample is taken from there where neither its files nor what they are read by has changed since. Knows no
picture and no rule; a name in the file is never opened.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, cast

from pixelwise.check.facts import Facts
from pixelwise.data.entries import Entry
from pixelwise.data.reader import Reader
from pixelwise.errors import DataError
from pixelwise.files import stamp, write_whole

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
        self._places = _index(self._path, identity)
        self.known = len(self._places)
        self._stamps: dict[str, str] = {}
        if not self._places:
            header = json.dumps({"pixelwise_facts": _FORMAT, "identity": identity})
            write_whole(self._path, f"{header}\n".encode())
        try:
            self._old = self._path.open("rb")
            self._file = self._path.open("ab")
        except OSError as error:
            raise _unwritable(self._path, error) from error
        if not _ends_whole(self._path):  # a crash cut the last line: the next must not grow on its stump
            self._file.write(b"\n")

    def facts(self, entry: Entry) -> Facts | None:
        """What was noted of a sample, if its files are still the same."""
        # As of before the look, so that what is mended meanwhile is looked at again.
        now = self._stamps[entry.name] = _stamp(entry)
        place = self._places.get(_key(entry.name))
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


def _index(path: Path, identity: str) -> dict[int, int]:
    """Key of each sample's name -> where its last line begins; nothing where the facts are of no use."""
    places: dict[int, int] = {}
    try:
        with path.open("rb") as file:
            header = _parsed(file.readline(_LONGEST_LINE))
            if header != {"pixelwise_facts": _FORMAT, "identity": identity}:
                return {}
            place = file.tell()
            while line := file.readline(_LONGEST_LINE):
                value = _parsed(line)
                if isinstance(name := value.get("name"), str):
                    places[_key(name)] = place
                place = file.tell()
    except OSError:
        return {}
    return places


def _key(name: str) -> int:
    """64 bits in place of a name: of a hundred thousand names two are alike once in four billion sets."""
    digest = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "big")


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
