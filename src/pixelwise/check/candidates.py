"""Which of a hundred thousand pictures are worth comparing: a few pairs of the five billion.

Each thumbnail becomes 48 signs of low frequencies (a cosine transform), and four keys of 20 of them each.
Sorted keys bring pictures together that have one in common, where the five signs that come nearest to 0 may
be either; mirrored and cropped pictures are looked up by the keys of a mirrored and a cropped thumbnail. The
work is bounded whatever the pictures are: of a thousand frames of one scene, which all have the same keys,
each is paired with a few of its neighbours in the order of the data set.

So is the memory: a share of the keys is sorted at a time, what is found goes to disk by its first picture,
and comes back for a few thousand pictures at once. Some 90 bytes a picture stay.
Knows thumbnails only; whether a pair is one photo is for `resemblance` to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pixelwise.check.likeness import SIDE
from pixelwise.check.resemblance import Floats, Thumbnails, both_ways, cropping
from pixelwise.check.rows import DiskRows, Indices, Rows, blocks

_Words = npt.NDArray[np.uint64]

_FREQUENCIES = 8
_TABLES, _KEY_BITS, _EITHER = 4, 20, 5
_CROP = 0.04  # stands for all crops of 2 to 6% when keys are looked up
_FAR = 10  # signs of 48 that may differ
_REACH = 64  # records on either side that are looked at where many have one key
_MOST = 8  # of them that are kept, for each key
_NEARER = 0.5  # squared: a cropped photo is nearer to the other one than it is uncropped, by far
_PARTNERS = 32  # of one record, in all: a crowd is joined by its neighbours
_CROPPED = 4  # likewise of those that may be cropped, which take a millisecond each to compare
_AT_ONCE = 16384  # pictures whose keys are sorted, or looked up, at a time: 4 MB
_ROWS = 1024
_COLUMNS = 4  # frequencies whose median is taken at a time
_FIRSTS, _MOST_FILES = 4096, 256
_WAYS = ((False, 0.0), (False, _CROP), (True, 0.0), (True, _CROP))  # mirrored, cropped
_FOUND: np.dtype[Any] = np.dtype(
    [("first", np.int32), ("second", np.int32), ("way", np.int8), ("turn", np.int8), ("rank", np.float32)]
)


class Pairs(NamedTuple):
    """Pairs `first < second` of records that may be alike, and how."""

    first: Indices
    second: Indices
    mirrored: npt.NDArray[np.bool_]
    cropped: npt.NDArray[np.bool_]


class _Index(NamedTuple):
    """What the pictures are as they are.

    Attributes:
        plain: `(n, 48)` their frequencies, on disk.
        middle: `(48,)` the median of each, and
        spread: `(48,)` how far they stray.
        words: `(n,)` the signs as bits.
        weakest: `(4, n)` of each table the five signs nearest to 0, five bits each.
    """

    plain: DiskRows
    middle: Floats
    spread: Floats
    words: _Words
    weakest: npt.NDArray[np.uint32]

    def normed(self, frequencies: Floats) -> Floats:
        """`(n, 48)` in units of what is usual in the set."""
        return (frequencies - self.middle) / self.spread


def find_candidates(thumbnails: Rows, folder: Path, *, at_once: int = _AT_ONCE) -> Iterator[Pairs]:
    """Pairs that are worth comparing: as they are, mirrored, and cropped; one pair may come several times.

    Args:
        thumbnails: `(n, 32, 32)`, each with enough in it to be recognised by.
        folder: For what does not stay in memory.
        at_once: Pictures whose keys are sorted at a time; says nothing about what is found.

    Yields:
        All pairs of some thousand first pictures at once, these in order.
    """
    count = len(thumbnails)
    index = _index(thumbnails, folder)
    asked = [_words(thumbnails, index, crop, mirrored) for mirrored, crop in _WAYS]
    buckets = _Buckets(count, folder)
    parts = max(1, -(-count // at_once))
    for table in range(_TABLES):
        keys = [_keys(words, table) for words in asked]
        for part in range(parts):
            entries = _entries(index, table, part, parts)
            for way in range(len(_WAYS)):
                own = np.flatnonzero(keys[way] % parts == part)
                for places in blocks(len(own), at_once):
                    query = own[places]
                    query, partner = _looked_up(entries, keys[way][query], query)
                    apart = _differing(asked[way][query] ^ index.words[partner])
                    query, partner = _nearest(query, partner, apart)
                    buckets.add(table, way, *_ranked(thumbnails, index, way, query, partner))
    yield from buckets.pairs()


class _Buckets:
    """What was found, on disk by the first picture of each pair."""

    def __init__(self, count: int, folder: Path) -> None:
        self._firsts = max(_FIRSTS, -(-count // _MOST_FILES))
        self._files = [DiskRows((), _FOUND, folder) for _ in range(-(-count // self._firsts))]

    def add(self, table: int, way: int, query: Indices, partner: Indices, rank: Floats) -> None:
        """Pairs of a table, found by `query`."""
        found = np.zeros(len(query), _FOUND)
        found["first"], found["second"] = np.minimum(query, partner), np.maximum(query, partner)
        found["way"], found["rank"] = way, rank
        found["turn"] = 2 * table + (query > partner)
        bucket = found["first"] // self._firsts
        for number in np.unique(bucket).tolist():
            self._files[int(number)].append(found[bucket == number])

    def pairs(self) -> Iterator[Pairs]:
        """Each pair once a way, of a picture so many as have the lowest ranks."""
        for file in self._files:
            found = file[np.arange(len(file))]
            ways = [_few(found[found["way"] == way], _WAYS[way][1] > 0) for way in range(len(_WAYS))]
            kept = np.concatenate(ways)
            mirrored, cropped = (np.array([way[part] for way in _WAYS]) > 0 for part in (0, 1))
            yield Pairs(
                kept["first"].astype(np.int64),
                kept["second"].astype(np.int64),
                mirrored[kept["way"]],
                cropped[kept["way"]],
            )


def _few(found: npt.NDArray[Any], cropped: bool) -> npt.NDArray[Any]:
    """Of pairs that were found several times the first, and of each picture's those with the lowest ranks."""
    found = found[np.lexsort((found["turn"], found["second"], found["first"]))]
    again = (found["first"][1:] == found["first"][:-1]) & (found["second"][1:] == found["second"][:-1])
    found = found[np.append(True, ~again)] if len(found) else found
    found = found[np.lexsort((found["rank"], found["first"]))]
    begins = np.searchsorted(found["first"], found["first"])
    return found[np.arange(len(found)) - begins < (_CROPPED if cropped else _PARTNERS)]


def _ranked(
    thumbnails: Rows, index: _Index, way: int, query: Indices, partner: Indices
) -> tuple[Indices, Indices, Floats]:
    """Pairs with what they are ranked by; of those that may be cropped, who is much nearer so."""
    mirrored, crop = _WAYS[way]
    if not crop:
        return query, partner, np.abs(query - partner).astype(np.float32)
    kept: list[tuple[Indices, Indices, Floats]] = [(query[:0], partner[:0], np.zeros(0, np.float32))]
    for places in blocks(len(query), _ROWS):
        one, other = query[places], partner[places]
        own, back = np.unique(one, return_inverse=True)
        seen = thumbnails[own]
        asked, whole = (index.normed(_frequencies(seen, share, mirrored))[back] for share in (crop, 0.0))
        plain = index.normed(index.plain[other])
        rank = _distance(asked, plain)
        nearer = rank < _NEARER * _distance(whole, plain)
        kept.append((one[nearer], other[nearer], rank[nearer]))
    queries, partners, ranks = zip(*kept, strict=True)
    return np.concatenate(queries), np.concatenate(partners), np.concatenate(ranks)


def _index(thumbnails: Rows, folder: Path) -> _Index:
    count = len(thumbnails)
    plain = DiskRows((len(_chosen()[0]),), np.float32, folder)
    for places in blocks(count, _ROWS):
        plain.append(_frequencies(thumbnails[places], 0.0, False))
    middle, spread = _usual(plain)
    index = _Index(plain, middle, spread, np.zeros(count, np.uint64), np.zeros((_TABLES, count), np.uint32))
    for places in blocks(count, _ROWS):
        values = index.normed(plain[places])
        index.words[places] = _packed(values)
        for table in range(_TABLES):
            index.weakest[table, places] = _weakest(values, table)
    return index


def _usual(plain: DiskRows) -> tuple[Floats, Floats]:
    """Median and standard deviation of each frequency, a few of them at a time."""
    width = len(_chosen()[0])
    middle, spread = np.zeros(width, np.float32), np.ones(width, np.float32)
    for first in range(0, width if len(plain) else 0, _COLUMNS):
        chosen = slice(first, first + _COLUMNS)
        parts = [plain[places][:, chosen] for places in blocks(len(plain), _ROWS)]
        columns = np.concatenate(parts)
        middle[chosen] = np.median(columns, axis=0)
        spread[chosen] = (columns.std(axis=0, dtype=np.float64) + 1e-6).astype(np.float32)
    return middle, spread


def _words(thumbnails: Rows, index: _Index, crop: float, mirrored: bool) -> _Words:
    """`(n,)` the signs of the cropped or mirrored thumbnails."""
    words = np.zeros(len(thumbnails), np.uint64)
    for places in blocks(len(thumbnails), _ROWS):
        words[places] = _packed(index.normed(_frequencies(thumbnails[places], crop, mirrored)))
    return words


def _distance(a: Floats, b: Floats) -> Floats:
    return np.square(a - b).sum(axis=1)


def _frequencies(thumbnails: Thumbnails, crop: float, mirrored: bool) -> Floats:
    """`(n, 48)` low frequencies of the cropped thumbnails, mixed so that each key has low and high ones."""
    transform = _cosines() @ cropping(crop)
    rows, columns = _chosen()
    grey = thumbnails.astype(np.float32)
    found = both_ways(transform, grey)[:, rows, columns]
    # Brightness scales all of them, and gamma nearly so; what is left does not depend on it.
    found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-6)
    # In a mirror, waves of an odd number of half periods along the row change their sign.
    return found * np.where(columns % 2, -1, 1).astype(np.float32) if mirrored else found


@lru_cache(maxsize=1)
def _chosen() -> tuple[Indices, Indices]:
    """Rows and columns of the 48 frequencies: all up to the eighth but the mean and the highest of both."""
    chosen = [
        (u, v) for u in range(_FREQUENCIES) for v in range(_FREQUENCIES) if 0 < u + v <= _FREQUENCIES + 1
    ]
    chosen.sort(key=lambda place: (sum(place), place))
    mixed = [chosen[13 * i % len(chosen)] for i in range(len(chosen))]  # 13 and 48 have no common divisor
    return np.array([u for u, _ in mixed], np.int64), np.array([v for _, v in mixed], np.int64)


@lru_cache(maxsize=1)
def _cosines() -> Floats:
    waves, places = np.arange(_FREQUENCIES)[:, None], np.arange(SIDE)
    return np.cos(np.pi * waves * (2 * places + 1) / (2 * SIDE)).astype(np.float32)


def _packed(values: Floats) -> _Words:
    """`(n,)` the signs of `(n, 48)` as bits."""
    words = np.zeros(len(values), np.uint64)
    for place in range(values.shape[1]):
        words |= (values[:, place] > 0).astype(np.uint64) << np.uint64(place)
    return words


def _places(table: int, bits: int) -> list[int]:
    """Which signs make a table's key: a window that goes round, so that each sign is in one or two keys."""
    return [(place + table * bits // _TABLES) % bits for place in range(_KEY_BITS)]


def _keys(words: _Words, table: int) -> Indices:
    """`(n,)` the key of each word."""
    keys = np.zeros(len(words), np.int64)
    for bit, place in enumerate(_places(table, len(_chosen()[0]))):
        keys |= (words >> np.uint64(place) & np.uint64(1)).astype(np.int64) << bit
    return keys


def _weakest(values: Floats, table: int) -> npt.NDArray[np.uint32]:
    """`(n,)` which five of the signs of a table's key come nearest to 0, five bits each."""
    chosen = np.abs(values[:, _places(table, values.shape[1])])
    bits = np.argpartition(chosen, _EITHER, axis=1)[:, :_EITHER].astype(np.uint32)
    packed = np.zeros(len(values), np.uint32)
    for place in range(_EITHER):
        packed |= bits[:, place] << np.uint32(5 * place)
    return packed


def _entries(index: _Index, table: int, part: int, parts: int) -> Indices:
    """Sorted `key << 32 | record` of a share of the keys.

    A record has 32 in all: of the five signs nearest to 0 every combination.
    """
    found: list[Indices] = []
    for places in blocks(len(index.words), _AT_ONCE):
        keys = np.repeat(_keys(index.words[places], table)[:, None], 1 << _EITHER, axis=1)  # (n, 32)
        for place in range(_EITHER):
            bit = (index.weakest[table, places] >> np.uint32(5 * place) & np.uint32(31)).astype(np.int64)
            keys ^= (np.arange(1 << _EITHER) >> place & 1) << bit[:, None]
        chosen = keys % parts == part
        found.append((keys << 32 | places[:, None])[chosen])
    entries = np.concatenate(found) if found else np.zeros(0, np.int64)
    entries.sort()
    return entries


def _looked_up(entries: Indices, keys: Indices, own: Indices) -> tuple[Indices, Indices]:
    """Who has the key of whom; where too many have it, those nearest in the order of the data set."""
    middle = np.searchsorted(entries, keys << 32 | own)
    low = np.maximum(np.searchsorted(entries, keys << 32), middle - _REACH)
    high = np.minimum(np.searchsorted(entries, (keys + 1) << 32), middle + _REACH)
    counts = high - low
    ends = np.cumsum(counts)
    places = np.arange(int(ends[-1]), dtype=np.int64) + np.repeat(low - ends + counts, counts)
    query, partner = np.repeat(own, counts), entries[places] & 0xFFFFFFFF
    others = query != partner
    return query[others], partner[others]


def _nearest(query: Indices, partner: Indices, apart: Indices) -> tuple[Indices, Indices]:
    """Of each query's partners a few: those with most signs in common first, then the nearest in order."""
    near = apart <= _FAR
    query, partner, apart = query[near], partner[near], apart[near]
    order = np.lexsort((np.abs(query - partner), apart, query))
    query, partner = query[order], partner[order]
    begins = np.searchsorted(query, query)
    few = np.arange(len(query)) - begins < _MOST
    return query[few], partner[few]


def _differing(words: _Words) -> Indices:
    """How many bits are set in each word."""
    counts = np.zeros(len(words), np.int64)
    for shift in (0, 16, 32):
        counts += _bit_counts()[(words >> np.uint64(shift)) & np.uint64(0xFFFF)]
    return counts


@lru_cache(maxsize=1)
def _bit_counts() -> npt.NDArray[np.uint8]:
    every = np.arange(1 << 16)
    counts = np.zeros(1 << 16, np.uint8)
    for bit in range(16):
        counts += (every >> bit & 1).astype(np.uint8)
    return counts
