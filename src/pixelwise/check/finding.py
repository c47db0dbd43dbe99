"""What the doctor says: one finding of one kind, with examples and the remedy to copy.

Data only. Knows neither how a finding was made nor how it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any


class Severity(Enum):
    """How bad a finding is. Only an error makes the verdict "no"."""

    ERROR = "error"
    """Training would stop, or learn something wrong."""
    WARNING = "warning"
    """Training runs, but accuracy or the honesty of its figures suffers."""
    SUSPECT = "suspect"
    """Perhaps nothing: a person should look."""
    NOTE = "note"
    """A fact that is good to know; nothing is wrong."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """One sample, or one file, that shows a finding.

    Attributes:
        name: The sample's name, or the file's path where it belongs to no sample.
        text: What is to be seen here, in a few words: the value, the size, the other file.
        index: Of the sample in the reader; None where there is none.
        files: What to open, e.g. the picture and its mask.
        beside: Index of the other sample that it is about, e.g. the one that it is a copy of.
    """

    name: str
    text: str = ""
    index: int | None = None
    files: tuple[Path, ...] = ()
    beside: int | None = None


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was found, over the whole set.

    Attributes:
        kind: A stable word for machines, e.g. `unreadable`; the guide has a paragraph for each.
        severity: How bad it is.
        title: One line with the figures, e.g. `3 of 468 pictures cannot be decoded`.
        text: Why it matters and what to do, in a sentence or two.
        count: Samples that it is about, or whatever `unit` says; the examples are of the same kind.
        unit: What is counted, for several of them.
        remedy: A command to copy; empty where a person must decide.
        changes: What the remedy changes in how the data are read: fields of `DataConfig`, see
            `pixelwise.config.changed`; none where it changes nothing there.
        examples: The first or worst of them, at most `MOST_EXAMPLES`.
        leave_out: The samples, by their index in the reader, whose leaving out would mend it; perhaps none.
    """

    kind: str
    severity: Severity
    title: str
    text: str
    count: int
    unit: str = "samples"
    remedy: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    examples: tuple[Example, ...] = ()
    leave_out: tuple[int, ...] = ()


MOST_EXAMPLES = 24
"""Named in the report; of the first dozen the pictures are shown as well."""
