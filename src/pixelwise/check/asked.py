"""What was asked of the doctor, and how a finding names its samples. Knows no rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pixelwise.check.finding import MOST_EXAMPLES, Example
from pixelwise.config import DataConfig
from pixelwise.data.reader import Reader


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is checked, and what for.

    Attributes:
        root: The data set's folder, as it was given.
        given: How it is read, as was asked for.
        config: How it is read, with what the doctor had to set.
        out: Folder of the report, for the lists that remedies name.
        size: `(height, width)` of the network's input; None for each picture's own.
        stride: A network answers for so many pixels of its input at once, each way; None where not chosen.
    """

    root: Path
    given: DataConfig
    config: DataConfig
    out: Path
    size: tuple[int, int] | None = None
    stride: int | None = None


def examples(
    reader: Reader, indices: Iterable[int], text: Callable[[int], str] = lambda index: ""
) -> tuple[Example, ...]:
    """The first samples as examples of a finding."""
    found: list[Example] = []
    for index in islice(indices, MOST_EXAMPLES):
        entry = reader.entries[index]
        found.append(
            Example(name=entry.name, text=text(index), index=index, files=(entry.image, entry.labels))
        )
    return tuple(found)


def listed(names: Iterable[str], most: int = 8) -> str:
    """`a, b and 3 more`."""
    every = list(names)
    more = f" and {len(every) - most:,} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def times(count: int, noun: str, several: str = "") -> str:
    """`1 mask`, `12,345 masks`."""
    return f"{count:,} {noun if count == 1 else several or noun + 's'}"
