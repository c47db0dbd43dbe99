"""The content of files as digests, and of a data set as one: what caches and provenance are keyed by.

Knows bytes and paths; no picture is decoded. Reading every byte again at each start would cost as much as
the disk is slow, so digests are kept beside size, modification and change time of each file and trusted
while these stay the same. The price: a change that keeps all three goes unseen. A file that changed within
the last two seconds is not trusted, since a clock tick may hide a second change.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from pixelwise.data.ahead import in_order
from pixelwise.files import sha256_of

UNREADABLE = "unreadable"
"""Stands for the digest of a file that cannot be opened; decoding it gives the reason."""

_FRESH_NS = 2_000_000_000


def digest_files(
    paths: Sequence[Path],
    *,
    workers: int,
    record: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[str]:
    """The SHA-256 of each file's bytes, in the order of the paths.

    Args:
        paths: Files.
        workers: Threads that read.
        record: A JSON file with what an earlier call found; used and brought up to date.
        progress: Called with files done and their number.
    """
    known = _load(record) if record is not None else {}
    now = time.time_ns()
    kept: dict[str, list[Any]] = {}

    def digest(path: Path) -> str:
        try:
            state = path.stat()
        except OSError:
            return UNREADABLE
        stamp = [state.st_size, state.st_mtime_ns, state.st_ctime_ns]
        text = str(path)
        old = known.get(text)
        value = str(old[3]) if old is not None and old[:3] == stamp else _sha256(path)
        if value != UNREADABLE and now - max(stamp[1], stamp[2]) > _FRESH_NS:
            kept[text] = [*stamp, value]
        return value

    found: list[str] = []
    for value in in_order(digest, paths, workers=workers, ahead=64):
        found.append(value)
        if progress is not None:
            progress(len(found), len(paths))
    if record is not None and kept != known:
        _save(record, kept)
    return found


def combine(names: Sequence[str], digests: Sequence[Sequence[str]]) -> str:
    """One digest of a data set: of its samples' names and their files' digests, whatever their order."""
    lines = sorted(" ".join((*values, name)) for name, values in zip(names, digests, strict=True))
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _sha256(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError:
        return UNREADABLE


def _load(record: Path) -> dict[str, list[Any]]:
    """What is on record; nothing if it is missing or damaged, since every digest can be made anew."""
    try:
        value = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(value, dict):
        return {}
    items = cast("dict[str, list[Any]]", value).items()
    return {path: entry for path, entry in items if type(entry) is list and len(entry) == 4}


def _save(record: Path, kept: dict[str, list[Any]]) -> None:
    """Replaces the record whole. A failure costs only time at the next start, so it is no error."""
    temporary = record.with_name(f"{record.name}.{os.getpid()}.tmp")
    try:
        record.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(kept), encoding="utf-8")
        temporary.replace(record)
    except OSError:
        temporary.unlink(missing_ok=True)
