"""What was asked of the doctor, and how a finding names its samples. Knows no rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from pixelwise.check.finding import MOST_EXAMPLES, Example, Finding
from pixelwise.config import DataConfig
from pixelwise.data.entries import Entries, Entry
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


def with_files(finding: Finding, entries: Entries) -> Finding:
    """The finding with each example's picture and mask to open."""
    shown = [
        example if example.index is None else replace(example, files=_files(entries[example.index]))
        for example in finding.examples
    ]
    return replace(finding, examples=tuple(shown))


def _files(entry: Entry) -> tuple[Path, ...]:
    return entry.image, entry.labels


def examples(
    reader: Reader,
    indices: Iterable[int],
    text: Callable[[int], str] = lambda index: "",
    *,
    beside: Mapping[int, int] | None = None,
) -> tuple[Example, ...]:
    """The first samples as examples of a finding.

    Args:
        reader: Has them.
        indices: Of the samples, the clearest first.
        text: What is to be seen in each.
        beside: The other sample that each is about.
    """
    found: list[Example] = []
    for index in islice(indices, MOST_EXAMPLES):
        other = None if beside is None else beside[index]
        shown = [reader.entries[place] for place in (index, other) if place is not None]
        found.append(
            Example(
                name=shown[0].name,
                text=text(index),
                index=index,
                files=tuple(path for entry in shown for path in _files(entry)),
                beside=other,
            )
        )
    return tuple(found)
