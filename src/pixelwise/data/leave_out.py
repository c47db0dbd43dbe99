"""`--leave-out FILE`: a data set without the samples that lists name.

Knows names and indices. What is left has indices of its own, so that whatever comes after sees a data set
that never had the others.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pixelwise.data.entries import Entries, Entry
from pixelwise.data.raw_mask import RawMask
from pixelwise.data.reader import LabelledPictures, Labels
from pixelwise.errors import DataError

_LARGEST = 1 << 26
"""Bytes of a list: a million names have less."""


def leave_out(reader: LabelledPictures, lists: Sequence[Path]) -> tuple[LabelledPictures, list[int]]:
    """The reader without the samples that text files name, and the former indices of those that are left.

    A line is a name, or in quotes a name as JSON has it, for names with an end of line in them. Names that no
    sample has (any more) are passed over, and counted in a note: lists of several findings overlap, and files
    that are listed may have been removed.

    Raises:
        DataError: A file cannot be read, names no sample at all, or none would be left.
    """
    places = reader.entries.places()
    out: set[int] = set()
    notes: list[str] = []
    for path in lists:
        names = read_names(path)
        found = {places[name] for name in names if name in places}
        if names and not found:
            near = difflib.get_close_matches(names[0], places, 1)
            hint = f"did you mean {near[0]}?" if near else f"the first sample is {reader.entries.names[0]}"
            raise DataError(f"{path}: no sample is called {names[0]!r}, nor as any other line says; {hint}")
        strangers = len(set(names)) - len(found)
        more = f"; {strangers:,} of its names are no samples" if strangers else ""
        notes.append(f"{len(found):,} samples left out by {path}{more}")
        out |= found
    if len(out) == len(reader):
        raise DataError(
            f"{', '.join(map(str, lists))}: every sample is named, so none would be left; shorten the list"
        )
    kept = [index for index in range(len(reader)) if index not in out]
    return dataclasses.replace(_without(reader, kept), notes=(*reader.notes, *notes)), kept


def list_text(names: Iterable[str]) -> str:
    """A list of names, as `leave_out` reads it."""
    return "".join(f"{json.dumps(name) if _needs_quotes(name) else name}\n" for name in names)


def _needs_quotes(name: str) -> bool:
    return "\n" in name or name.endswith("\r") or name.startswith('"') or not name.strip()


def read_names(path: Path) -> list[str]:
    """The names of a list, in order; see `leave_out`."""
    try:
        if path.stat().st_size > _LARGEST:
            raise DataError(f"{path}: a list of names was expected, but it has {path.stat().st_size:,} bytes")
        text = path.read_bytes().decode("utf-8", "surrogateescape")  # an end of line may be a name's own
    except OSError as error:
        raise DataError(f"{path}: the list cannot be read ({error.strerror}); check the path") from error
    return [_name(line, path) for line in text.split("\n") if line.strip()]


def _name(line: str, path: Path) -> str:
    line = line.removesuffix("\r")  # of an editor; a name that ends so is in quotes
    if not line.startswith('"'):
        return line
    try:
        return str(json.loads(line))
    except ValueError:
        raise DataError(f"{path}: the line {line[:60]!r} begins with a quote but is no JSON text") from None


def _without(reader: LabelledPictures, kept: Sequence[int]) -> LabelledPictures:
    entries = Entries(reader.entries.root)
    entries.unpaired = reader.entries.unpaired
    for index in kept:
        entry = reader.entries[index]
        entries.add(entry.name, entry.image, entry.labels, member=entry.member)
    new = {old: place for place, old in enumerate(kept)}
    splits = {
        name: tuple(new[old] for old in indices if old in new) for name, indices in reader.splits.items()
    }
    labels = _Kept(reader.labels, np.array(kept, np.int64))
    return dataclasses.replace(reader, entries=entries, splits=splits, labels=labels)


@dataclass(frozen=True, eq=False)
class _Kept:
    """The labels of the samples that are left, by their new indices."""

    labels: Labels
    old: npt.NDArray[np.int64]

    @property
    def drawn(self) -> bool:
        """As of the labels themselves."""
        return self.labels.drawn

    def raw(self, index: int, entry: Entry, size: tuple[int, int]) -> RawMask:
        """The raw values of a sample that is left."""
        return self.labels.raw(int(self.old[index]), entry, size)
