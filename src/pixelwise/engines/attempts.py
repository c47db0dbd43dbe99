"""How often a chunk was begun: a picture that ends its worker is found, left out and told.

A decoder that crashes, or a picture for which memory has no room, takes the whole process along, so nobody
can say which picture it was. A chunk that was begun twice in vain is therefore done picture by picture, and
each is written down before. Knows no network and no engine.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from dataclasses import dataclass, field

from pixelwise.engines.store import Store
from pixelwise.errors import DataError
from pixelwise.inference.manifest import parsed

FOLDER = "manifest/begun"

IN_HASTE = 2
"""Times that a chunk is begun before it is done picture by picture: a machine may be lost twice."""

BLAMED = 2
"""Times that a worker ended at a picture, alone, before the picture is left out."""

ENDED = (
    f"its worker ended {BLAMED} times while it was read or segmented, so it is left out: it may need more "
    "memory than a worker has, or crash a decoder; save it anew, or give workers more memory"
)


@dataclass
class Attempt:
    """A chunk that a worker has begun.

    Attributes:
        path: Of the mark in the store.
        number: From 1 on.
        ends: How often a worker ended at each picture, by address.
    """

    path: str
    number: int
    ends: Counter[str] = field(default_factory=Counter[str])

    @property
    def careful(self) -> bool:
        """Whether it is done picture by picture."""
        return self.number > IN_HASTE

    def is_blamed(self, address: str) -> bool:
        """Whether a picture is left out."""
        return self.ends[address] >= BLAMED


def begin(store: Store, part: str) -> Attempt:
    """Marks that a chunk is begun.

    Args:
        store: Of the results.
        part: The name of the manifest's part that it will get.
    """
    attempt = Attempt(f"{FOLDER}/{part}", 1)
    if store.size(attempt.path) is not None:
        with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):
            before = parsed(store.read(attempt.path).decode("utf-8", "replace"))
            attempt.number = int(before["number"]) + 1
            attempt.ends.update({str(address): int(times) for address, times in before["ends"].items()})
            if before["at"]:
                attempt.ends[str(before["at"])] += 1
    mark(store, attempt, at="")
    return attempt


def mark(store: Store, attempt: Attempt, *, at: str) -> None:
    """Writes down which picture is next; none where empty."""
    value = {"number": attempt.number, "ends": dict(attempt.ends), "at": at}
    store.write(attempt.path, json.dumps(value).encode())


def end(store: Store, attempt: Attempt) -> None:
    """Takes the mark away: the chunk is written down."""
    store.remove(attempt.path)


def forget(store: Store) -> None:
    """Removes the marks of runs that were stopped."""
    try:
        names = [entry.name for entry in store.entries(FOLDER) if not entry.is_folder]
    except DataError:  # stores differ in what they say of a folder that is not there
        return
    for name in names:
        store.remove(f"{FOLDER}/{name}")
