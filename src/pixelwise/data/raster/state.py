"""How far a file is that is written over hours: the small json beside it.

Knows counts and check sums; not what they count.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from pixelwise.data.json_file import member, read_json
from pixelwise.errors import DataError
from pixelwise.files import write_whole

_VERSION = 1
_MOST_BYTES = 1 << 16


@dataclass(frozen=True)
class State:
    """A point from which a killed run can go on.

    Attributes:
        identity: What is written: a text of the caller's with all that makes the content what it is.
        size: `(height, width)` of the whole picture.
        rows: So many rows are whole on the disk.
        end: So many bytes of the file are.
        check: CRC-32 of the bytes from the file's head to `end`.
        finished: Whether only the last rename is missing.
        memory: What else the format needs to go on.
    """

    identity: str
    size: tuple[int, int]
    rows: int = 0
    end: int = 0
    check: int = 0
    finished: bool = False
    memory: Mapping[str, int] = field(default_factory=dict[str, int])

    def write(self, path: Path) -> None:
        """Writes it whole or not at all.

        Raises:
            DataError: The disk is full, or the folder cannot be written.
        """
        write_whole(path, json.dumps({"version": _VERSION, **asdict(self)}).encode())

    @staticmethod
    def read(path: Path) -> State:
        """Reads what `write` wrote.

        Raises:
            DataError: The file is missing, damaged, or of another version.
        """
        content, where = read_json(path, limit=_MOST_BYTES), str(path)
        if content.get("version") != _VERSION:
            raise DataError(f"{path}: written by another version")
        size = cast("list[Any]", member(content, "size", list, where))
        if len(size) != 2 or not all(type(side) is int for side in size):
            raise DataError(f"{path}: its size is no height and width")
        memory = cast("dict[str, Any]", member(content, "memory", dict, where))
        state = State(
            member(content, "identity", str, where),
            (size[0], size[1]),
            rows=member(content, "rows", int, where),
            end=member(content, "end", int, where),
            check=member(content, "check", int, where),
            finished=member(content, "finished", bool, where),
            memory={name: member(memory, name, int, where) for name in memory},
        )
        if not 0 <= state.rows <= state.size[0] or state.end < 0 or min(memory.values(), default=0) < 0:
            raise DataError(f"{path}: its counts cannot be")
        return state
