"""Which members make up the samples of a sharded set, packed: a hundred thousand take some megabytes.

Knows names and places in files; not how the bytes come, nor what they are.
"""

from __future__ import annotations

import hashlib
from array import array
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelwise.data.entries import Texts

UNKNOWN_CRC = -1
"""Where nobody recorded a checksum."""


@dataclass(frozen=True)
class Shard:
    """A tar file of the set.

    Attributes:
        name: Its path relative to the set's folder, `/` between the parts.
        size: Bytes.
        sha256: Of its bytes, in lower-case hexadecimal; empty where nobody recorded it.
    """

    name: str
    size: int
    sha256: str = ""


@dataclass(frozen=True)
class Member:
    """Where a picture's or a mask's bytes are in its shard.

    Attributes:
        name: Its path in the tar.
        offset: Where they begin.
        size: How many.
        crc: Their CRC-32, or `UNKNOWN_CRC`.
    """

    name: str
    offset: int
    size: int
    crc: int = UNKNOWN_CRC


@dataclass(frozen=True)
class Located:
    """A sample: its shard's number, its picture and its mask."""

    shard: int
    picture: Member
    mask: Member


class SampleTable:
    """Samples in the order in which they were added, found again by name; filled by `add`, then only read.

    Attributes:
        shards: The tar files; a sample's shard is a place in this list.
        names: Those of the samples.
    """

    def __init__(self) -> None:
        self.shards: list[Shard] = []
        self.names = Texts()
        self._members = Texts()
        self._numbers = array("q")
        self._keys: npt.NDArray[np.uint64] = np.zeros(0, np.uint64)
        self._order: npt.NDArray[np.int64] = np.zeros(0, np.int64)

    def add(self, name: str, sample: Located) -> None:
        """Appends a sample."""
        self.names.append(name)
        self._numbers.append(sample.shard)
        for member in (sample.picture, sample.mask):
            self._members.append(member.name)
            self._numbers.extend((member.offset, member.size, member.crc))

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, place: int) -> Located:
        shard, *numbers = self._numbers[7 * place : 7 * place + 7]
        picture, mask = self._members[2 * place], self._members[2 * place + 1]
        return Located(shard, Member(picture, *numbers[:3]), Member(mask, *numbers[3:]))

    def seal(self) -> str | None:
        """Makes samples findable by name; a name that two of them have, None where all differ."""
        keys = np.fromiter((_key(name) for name in self.names), np.uint64, len(self))
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]
        for place in np.flatnonzero(self._keys[1:] == self._keys[:-1]).tolist():
            first, second = (self.names[int(self._order[place + step])] for step in (0, 1))
            if first == second:
                return first
        return None

    def find(self, name: str) -> Located:
        """The sample of a name, which must be one of them."""
        place = int(np.searchsorted(self._keys, np.uint64(_key(name))))
        while self.names[int(self._order[place])] != name:
            place += 1  # of a hundred million names two keys are alike once in four thousand sets
        return self[int(self._order[place])]


def _key(name: str) -> int:
    digest = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "big")
