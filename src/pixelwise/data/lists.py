"""Lists of names that data sets bring along: which pictures belong to which split.

Knows text files and names; what a name means is the format's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pixelwise.errors import DataError

_MAX_BYTES = 64 << 20


def read_list(path: Path) -> list[str]:
    """The first word of each line; empty lines and those that begin with # are passed over.

    Raises:
        DataError: The file cannot be read, is no text, or is huge.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise DataError(f"{path}: {path.stat().st_size:,} bytes are more than any list of names has")
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: the list cannot be read; restore or remove it") from error
    return [words[0] for line in lines if (words := line.split()) and not words[0].startswith("#")]


def split_by_lists(
    lists: Mapping[str, Path], places: Mapping[str, int]
) -> tuple[dict[str, tuple[int, ...]], tuple[str, ...]]:
    """Each list's samples, and a sentence for each list that names some which are not there.

    Args:
        lists: Split -> its file; a name in it may be a path with an ending, of which the last parts count.
        places: Name -> index of the samples that are there.

    Raises:
        DataError: A list cannot be read.
    """
    splits: dict[str, tuple[int, ...]] = {}
    notes: list[str] = []
    for split, path in lists.items():
        listed = read_list(path)
        found = [_place(name, places) for name in listed]
        missing = [name for name, place in zip(listed, found, strict=True) if place is None]
        if missing:
            notes.append(
                f"{len(missing):,} of the {len(listed):,} pictures in {path.name} are not there: "
                f"{', '.join(missing[:3])}{', …' if len(missing) > 3 else ''}"
            )
        splits[split] = tuple(sorted({place for place in found if place is not None}))
    return splits, tuple(notes)


def _place(listed: str, places: Mapping[str, int]) -> int | None:
    """The sample that a line means: its name as it stands, or the longest end of it that is a name."""
    if listed in places:
        return places[listed]
    parts: Sequence[str] = listed.replace("\\", "/").split("/")
    for start in range(len(parts)):
        tail = "/".join(parts[start:])
        for name in (tail, tail.rpartition(".")[0]):
            if name in places:
                return places[name]
    return None
