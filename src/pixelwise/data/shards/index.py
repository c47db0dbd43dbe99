"""`index.jsonl`: what a sharded set holds and where, one json a line, so that it is read in bounded memory.

    {"pixelwise_shards": 1, "classes": ["sky", "road"], "colours": [[0, 0, 0], [9, 9, 9]], "splits": ["val"]}
    {"shard": "train-00000.tar", "size": 51200, "sha256": "…", "samples": [
        [0, "a/b.1", [0], ["b_1.jpg", 512, 9000, 3735928559], ["b_1.mask.png", 10240, 700, 4276996862]], …]}
    {"end": {"samples": 2048, "shards": 3}}

A sample's parts: its place in the order of the set, its name, the numbers of its splits, and of picture and
mask the member's name, where its content begins, its bytes and their CRC-32. The last line tells a whole
index from a truncated one. Knows this file; whether the shards are as it says is seen when they are read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from pixelwise.data.inside import within
from pixelwise.data.json_file import member, parse_object
from pixelwise.data.shards.table import Located, Member, SampleTable, Shard
from pixelwise.data.shards.tar import BLOCK, LARGEST
from pixelwise.errors import ConfigError, DataError
from pixelwise.types import Classes

INDEX_FILE = "index.jsonl"
_FORMAT = 1
_HEAD = "pixelwise_shards"
_LONGEST_LINE = 256 << 20
"""Bytes of a line: a shard of a million samples has less."""

_ROW: list[type] = [int, str, list, list, list]
_MEMBER: list[type] = [str, int, int, int]
_COLOUR: list[type] = [int, int, int]

_AGAIN = "write the set again with pixelwise convert"


@dataclass(frozen=True)
class Row:
    """A sample of a shard, as a line of the index has it.

    Attributes:
        place: Its place in the order of the set.
        name: Unique within the set.
        splits: Numbers of the splits that it is in.
        picture: Where its picture is.
        mask: Where its mask is.
    """

    place: int
    name: str
    splits: tuple[int, ...]
    picture: Member
    mask: Member


@dataclass(frozen=True, eq=False)
class Index:
    """What an index says.

    Attributes:
        classes: Names and colours of the ids in the masks.
        table: The samples, in the order of the set.
        splits: Their places by the name of the split.
    """

    classes: Classes
    table: SampleTable
    splits: Mapping[str, tuple[int, ...]]


def head_line(classes: Classes, splits: Sequence[str]) -> bytes:
    """The first line."""
    return _line(
        {
            _HEAD: _FORMAT,
            "classes": list(classes.names),
            "colours": [list(colour) for colour in classes.colours],
            "splits": list(splits),
        }
    )


def shard_line(shard: Shard, rows: Sequence[Row]) -> bytes:
    """The line of a shard."""
    samples = [
        [row.place, row.name, list(row.splits), *(_numbers(part) for part in (row.picture, row.mask))]
        for row in rows
    ]
    return _line({"shard": shard.name, "size": shard.size, "sha256": shard.sha256, "samples": samples})


def end_line(samples: int, shards: int) -> bytes:
    """The last line."""
    return _line({"end": {"samples": samples, "shards": shards}})


def is_index(path: Path) -> bool:
    """Whether a file begins as an index does."""
    try:
        with path.open("rb") as file:
            return f'"{_HEAD}"'.encode() in file.read(64)
    except OSError:
        return False


def read_index(path: Path, said: str) -> Index:
    """Reads an index line by line.

    Args:
        path: The file.
        said: Where it comes from, for messages.

    Raises:
        DataError: It cannot be read, is damaged or truncated, or says what cannot be.
    """
    lines = _lines(path, said)
    nothing: dict[str, Any] = {}
    number, head = next(lines, (0, nothing))
    classes, splits = _head(head, f"{said}, line {number}")
    found = SampleTable()
    places: list[int] = []
    of_split: dict[str, list[int]] = {name: [] for name in splits}
    for number, line in lines:
        where = f"{said}, line {number}"
        if "end" in line:
            end = cast("dict[str, Any]", member(line, "end", dict, where))
            if (end.get("samples"), end.get("shards")) != (len(found), len(found.shards)):
                raise DataError(
                    f"{where}: it has {len(found):,} samples in {len(found.shards):,} shards, but should end "
                    f"with {end}; {_AGAIN}"
                )
            return _in_order(Index(classes, found, {}), places, of_split, said)
        shard = _shard(line, where)
        for row in _rows(line, shard, len(splits), where):
            for split in row.splits:
                of_split[splits[split]].append(len(found))
            places.append(row.place)
            found.add(row.name, Located(len(found.shards), row.picture, row.mask))
        found.shards.append(shard)
    raise DataError(f"{said}: the index ends before its last line, so it is truncated; copy it again")


def _in_order(index: Index, places: list[int], of_split: dict[str, list[int]], said: str) -> Index:
    """The same in the order of the set: the shards of splits that alternate there do not."""
    order = np.argsort(np.array(places, np.int64), kind="stable")
    new = np.empty(len(order), np.int64)
    new[order] = np.arange(len(order))
    table = index.table
    if not np.array_equal(order, np.arange(len(order))):
        table = SampleTable()
        table.shards = index.table.shards
        for old in map(int, order):
            table.add(index.table.names[old], index.table[old])
    double = table.seal()
    if double is not None or len(set(places)) < len(places):
        which = f"two samples are called {double!r}" if double else "two samples have one place in the order"
        raise DataError(f"{said}: {which}; {_AGAIN}")
    splits = {name: tuple(np.sort(new[chosen]).tolist()) for name, chosen in of_split.items() if chosen}
    return Index(index.classes, table, splits)


def _lines(path: Path, said: str) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(_LONGEST_LINE):
                number += 1
                if len(line) == _LONGEST_LINE:
                    raise DataError(
                        f"{said}, line {number}: it is longer than {_LONGEST_LINE:,} bytes; {_AGAIN}"
                    )
                yield number, parse_object(line, f"{said}, line {number}")
    except OSError as error:
        raise DataError(
            f"{said}: cannot be read ({error.strerror or error}); restore or remove it"
        ) from error


def _head(line: dict[str, Any], where: str) -> tuple[Classes, list[str]]:
    if line.get(_HEAD) != _FORMAT:
        raise DataError(
            f"{where}: expected an index of version {_FORMAT}, got {str(line.get(_HEAD))[:40]!r}; update "
            f"pixelwise, or {_AGAIN}"
        )
    names, colours, splits = (
        cast("list[Any]", member(line, key, list, where)) for key in ("classes", "colours", "splits")
    )
    if not all(isinstance(name, str) for name in (*names, *splits)) or not all(map(_is_colour, colours)):
        raise DataError(
            f"{where}: classes and splits must be texts, and colours three numbers each; {_AGAIN}"
        )
    try:
        return Classes(tuple(names), tuple((red, green, blue) for red, green, blue in colours)), splits
    except ConfigError as error:
        raise DataError(f"{where}: {error}") from error


def _is_colour(value: Any) -> bool:
    return _fits(value, _COLOUR) and all(0 <= part <= 255 for part in value)


def _shard(line: dict[str, Any], where: str) -> Shard:
    name, size = member(line, "shard", str, where), member(line, "size", int, where)
    digest = member(line, "sha256", str, where)
    if within("", name) != name or not 0 <= size < 1 << 60:
        raise DataError(f"{where}: {name[:80]!r} of {size} bytes is no shard of this folder; {_AGAIN}")
    if len(digest) != 64 or digest.strip("0123456789abcdef"):
        raise DataError(f"{where}: the sha256 of {name} is no SHA-256; {_AGAIN}")
    return Shard(name, size, digest)


def _rows(line: dict[str, Any], shard: Shard, splits: int, where: str) -> Iterator[Row]:
    for number, values in enumerate(cast("list[Any]", member(line, "samples", list, where))):
        here = f"{where}, samples[{number}] of {shard.name}"
        if not _fits(values, _ROW):
            raise DataError(f"{here}: expected place, name, splits, picture and mask; {_AGAIN}")
        place, name, chosen, picture, mask = values
        if not name or not 0 <= place < 1 << 60:
            raise DataError(f"{here}: place {place} and name {name[:80]!r} cannot be; {_AGAIN}")
        if not all(type(split) is int and 0 <= split < splits for split in chosen):
            raise DataError(f"{here}: it is in a split that the index does not have; {_AGAIN}")
        parts = (_member(part, shard, here) for part in (picture, mask))
        yield Row(place, name, tuple(dict.fromkeys(chosen)), *parts)


def _fits(values: Any, kinds: list[type]) -> bool:
    """Whether a value is a list of so many values of these kinds."""
    return isinstance(values, list) and [type(value) for value in cast("list[Any]", values)] == kinds


def _member(values: Any, shard: Shard, where: str) -> Member:
    if not _fits(values, _MEMBER) or not values[0]:
        raise DataError(f"{where}: expected a member's name, offset, bytes and CRC-32; {_AGAIN}")
    name, offset, size, crc = values
    if offset < BLOCK or not 0 <= size <= LARGEST or offset + size > shard.size or not 0 <= crc < 1 << 32:
        raise DataError(
            f"{where}: {name} should be the {size:,} bytes from {offset:,} on with the CRC-32 {crc:x}, but "
            f"{shard.name} has {shard.size:,} bytes; {_AGAIN}"
        )
    return Member(name, offset, size, crc)


def _numbers(part: Member) -> list[Any]:
    return [part.name, part.offset, part.size, part.crc]


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii") + b"\n"


__all__ = ["INDEX_FILE", "Index", "Row", "end_line", "head_line", "is_index", "read_index", "shard_line"]
