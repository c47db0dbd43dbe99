"""Which of a hundred thousand pictures are worth comparing: a few pairs of the five billion.

Each thumbnail becomes 48 signs of low frequencies (a cosine transform), and four keys of 20 of them each.
Sorted keys bring pictures together that have one in common, where the five signs that come nearest to 0 may
be either; mirrored and cropped pictures are looked up by the keys of a mirrored and a cropped thumbnail. The
work is bounded whatever the pictures are: of a thousand frames of one scene, which all have the same keys,
each is paired with a few of its neighbours in the order of the data set.
Knows thumbnails only; whether a pair is one photo is for `resemblance` to say.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pixelwise.check.likeness import SIDE
from pixelwise.check.resemblance import Floats, Thumbnails, cropping

Indices = npt.NDArray[np.int64]
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
_QUERIES, _ROWS = 16384, 1024


class Pairs(NamedTuple):
    """Pairs `first < second` of records that may be alike, and how."""

    first: Indices
    second: Indices
    mirrored: npt.NDArray[np.bool_]
    cropped: npt.NDArray[np.bool_]


class _Index(NamedTuple):
    """What the pictures are as they are: their frequencies, the signs of these, and the keys, by table."""

    plain: Floats
    words: _Words
    entries: list[Indices]


def find_candidates(thumbnails: Thumbnails) -> Pairs:
    """Pairs that are worth comparing: as they are, mirrored, and cropped; one pair may come several times.

    Args:
        thumbnails: `(n, 32, 32)`, each with enough in it to be recognised by.
    """
    plain = _frequencies(thumbnails, 0.0, False)
    middle, spread = np.median(plain, axis=0), plain.std(axis=0) + 1e-6
    plain = (plain - middle) / spread
    index = _Index(plain, _packed(plain), [_entries(plain, table) for table in range(_TABLES)])
    found: list[Pairs] = []
    for mirrored in (False, True):
        whole = plain
        for crop in (0.0, _CROP):
            asked = (_frequencies(thumbnails, crop, mirrored) - middle) / spread
            whole = whole if crop else asked
            first, second = _asked(index, asked, whole, cropped=crop > 0)
            marks = np.full(len(first), mirrored), np.full(len(first), crop > 0)
            found.append(Pairs(first, second, *marks))
    return Pairs(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def _asked(index: _Index, asked: Floats, whole: Floats, *, cropped: bool) -> tuple[Indices, Indices]:
    """Pairs `first < second` of which one's `asked` comes near to the other as it is; each once.

    Args:
        index: What the others are as they are.
        asked: `(n, 48)` what is looked up, perhaps cropped.
        whole: `(n, 48)` the same uncropped.
        cropped: Only who is much nearer to `asked` than to `whole` counts.
    """
    count = len(asked)
    words = _packed(asked)
    codes: list[Indices] = []
    ranks: list[Floats] = []
    for table in range(_TABLES):
        keys = _keys(asked, table)
        for start in range(0, count, _QUERIES):
            own = np.arange(start, min(start + _QUERIES, count))
            query, partner = _looked_up(index.entries[table], keys[own], own)
            apart = _differing(words[query] ^ index.words[partner])
            query, partner = _nearest(query, partner, apart)
            rank = np.abs(query - partner).astype(np.float32)
            if cropped:
                rank = _distance(asked[query], index.plain[partner])
                nearer = rank < _NEARER * _distance(whole[query], index.plain[partner])
                query, partner, rank = query[nearer], partner[nearer], rank[nearer]
            codes.append(np.minimum(query, partner) * count + np.maximum(query, partner))
            ranks.append(rank)
    every, places = np.unique(np.concatenate(codes), return_index=True)
    first, rank = every // count, np.concatenate(ranks)[places]
    order = np.lexsort((rank, first))
    few = np.arange(len(first)) - np.searchsorted(first, first) < (_CROPPED if cropped else _PARTNERS)
    every = every[order[few]]
    return every // count, every % count


def _distance(a: Floats, b: Floats) -> Floats:
    return np.square(a - b).sum(axis=1)


def _frequencies(thumbnails: Thumbnails, crop: float, mirrored: bool) -> Floats:
    """`(n, 48)` low frequencies of the cropped thumbnails, mixed so that each key has low and high ones."""
    transform = _cosines() @ cropping(crop)
    rows, columns = _chosen()
    found = np.empty((len(thumbnails), len(rows)), np.float32)
    for start in range(0, len(thumbnails), _ROWS):
        grey = thumbnails[start : start + _ROWS].astype(np.float32)
        found[start : start + _ROWS] = (transform @ grey @ np.transpose(transform))[:, rows, columns]
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
    return (values > 0).astype(np.uint64) @ (np.uint64(1) << np.arange(values.shape[1], dtype=np.uint64))


def _places(table: int, bits: int) -> Indices:
    """Which signs make a table's key: a window that goes round, so that each sign is in one or two keys."""
    return (np.arange(_KEY_BITS) + table * bits // _TABLES) % bits


def _keys(values: Floats, table: int) -> Indices:
    chosen = values[:, _places(table, values.shape[1])] > 0
    return chosen.astype(np.int64) @ (np.int64(1) << np.arange(_KEY_BITS, dtype=np.int64))


def _entries(values: Floats, table: int) -> Indices:
    """Sorted `key << 32 | record`, 32 a record: of the five signs nearest to 0 every combination."""
    chosen = values[:, _places(table, values.shape[1])]
    weakest = np.argpartition(np.abs(chosen), _EITHER, axis=1)[:, :_EITHER]
    flips = np.zeros((len(values), 1), np.int64)
    for place in range(_EITHER):
        flips = np.concatenate((flips, flips ^ (np.int64(1) << weakest[:, place : place + 1])), axis=1)
    keys = _keys(values, table)[:, None] ^ flips  # (n, 32)
    entries = (keys << 32 | np.arange(len(values))[:, None]).ravel()
    entries.sort()
    return entries


def _looked_up(entries: Indices, keys: Indices, own: Indices) -> tuple[Indices, Indices]:
    """Who has the key of whom; where too many have it, those nearest in the order of the data set."""
    middle = np.searchsorted(entries, keys << 32 | own)
    low = np.maximum(np.searchsorted(entries, keys << 32), middle - _REACH)
    high = np.minimum(np.searchsorted(entries, (keys + 1) << 32), middle + _REACH)
    counts = high - low
    ends = np.cumsum(counts)
    places = np.arange(ends[-1]) + np.repeat(low - ends + counts, counts)
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
    halves = np.reshape(words.view(np.uint16), (-1, 4))
    return _bit_counts()[halves].sum(axis=1, dtype=np.int64)


@lru_cache(maxsize=1)
def _bit_counts() -> npt.NDArray[np.uint8]:
    return (
        np.unpackbits(np.arange(1 << 16, dtype=np.uint16).view(np.uint8))
        .reshape(-1, 16)
        .sum(1, dtype=np.uint8)
    )
