"""The doctor's whole answer: verdict, findings, and what the data set is like in figures.

Data only; `pixelwise.report.check_page` shows it, and `to_json` is for machines.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwise.check.finding import Finding, Severity
from pixelwise.check.words import times
from pixelwise.drawing import Colour

FORMAT = 1
"""Version of the JSON."""

_ORDER = tuple(Severity)


@dataclass(frozen=True, kw_only=True)
class Side:
    """One side of the split, or the samples of neither.

    Attributes:
        name: `train`, `val` or `neither`.
        pictures: Samples that it has.
        sound: Those of them that can be used.
        labelled: Their pixels that have a class.
        ignored: Their pixels of value 255, which count for nothing.
    """

    name: str
    pictures: int
    sound: int
    labelled: int
    ignored: int


@dataclass(frozen=True, kw_only=True)
class ClassRow:
    """A class in figures.

    Attributes:
        name: The class.
        colour: RGB in 0..255.
        train_pixels: Pixels on the training side.
        val_pixels: Pixels on the validation side.
        train_share: Of the labelled training pixels, in 0..1.
        val_share: Of the labelled validation pixels, in 0..1.
        train_pictures: Training pictures that have it.
        val_pictures: Validation pictures that have it.
        weight: Median frequency balancing over the training pixels; 0 for a class without any.
        narrow: A tenth of its pixels lie in objects narrower than this many pixels, in a picture of the
            median size; None without pixels.
    """

    name: str
    colour: Colour
    train_pixels: int
    val_pixels: int
    train_share: float
    val_share: float
    train_pictures: int
    val_pictures: int
    weight: float
    narrow: float | None


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """How a figure is distributed over the sound samples.

    Attributes:
        name: Of the figure, e.g. `brightness`.
        unit: E.g. `pixels`; empty for a ratio.
        edges: n + 1 rising limits of the bins.
        counts: n numbers of samples; the last bin includes its upper limit.
        low: The 1st percentile.
        middle: The median.
        high: The 99th percentile.
    """

    name: str
    unit: str
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    low: float
    middle: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Report:
    """What `check` found.

    Attributes:
        data: The data set's folder.
        format: As in `READERS`; empty where it could not be opened.
        pictures: Samples of the set.
        reused: Samples whose facts an earlier check had noted, and whose files are the same since.
        sides: The split.
        classes: A row for each class, in the order of their ids.
        histograms: Sizes, aspects, brightness and the like.
        notes: Sentences: the format, where the classes come from, the split's rule.
        findings: The gravest first.
        remedy: A command that does what they ask for all at once, as far as it goes together; perhaps empty.
        command: What was typed, for the record.
        made: When, as an ISO date and time with the offset from UTC.
        version: Of pixelwise.
        seconds: That the check took.
    """

    data: Path
    format: str
    pictures: int
    reused: int
    sides: tuple[Side, ...]
    classes: tuple[ClassRow, ...]
    histograms: tuple[Histogram, ...]
    notes: tuple[str, ...]
    findings: tuple[Finding, ...]
    remedy: str
    command: str
    made: str
    version: str
    seconds: float

    @property
    def sound(self) -> bool:
        """Whether training can begin: there is no error."""
        return not self.count(Severity.ERROR)

    def count(self, severity: Severity) -> int:
        """How many findings are that bad."""
        return sum(finding.severity is severity for finding in self.findings)

    @property
    def verdict(self) -> str:
        """The answer in a sentence."""
        errors, warnings, suspects = (self.count(severity) for severity in _ORDER[:3])
        looks = f"{times(suspects, 'thing')} a person should look at" if suspects else ""
        if errors:
            more = f", and {times(warnings, 'warning')}" if warnings else ""
            return f"Not ready to train on: {times(errors, 'error')}{more}"
        if warnings:
            return f"Training would run, with {times(warnings, 'warning')}" + (looks and f"; {looks}")
        return "Nothing wrong was found" + (looks and f"; {looks}")

    def to_json(self) -> dict[str, Any]:
        """Plain values, without nan or infinity."""
        value = _plain(self)
        return {
            "pixelwise_check": FORMAT,
            "verdict": self.verdict,
            "sound": self.sound,
            **value,
        }


def gravest_first(findings: list[Finding]) -> tuple[Finding, ...]:
    """The findings in the order of their severity; those of one severity stay in theirs."""
    return tuple(sorted(findings, key=lambda finding: _ORDER.index(finding.severity)))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Severity):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return value
