"""`check`: opens a data set, looks at every sample once, and asks the rules.

Knows neither terminal nor page.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pixelwise.check.asked import Asked
from pixelwise.check.facts import Facts
from pixelwise.check.finding import Finding
from pixelwise.check.journal import Journal
from pixelwise.check.look import look
from pixelwise.check.opening import Opened, open_as_found
from pixelwise.check.report import Report, Side, gravest_first
from pixelwise.check.rules import RULES
from pixelwise.check.rules.classes import class_rows
from pixelwise.check.rules.distributions import histograms
from pixelwise.check.survey import SIDES, Survey
from pixelwise.check.together import together
from pixelwise.config import DataConfig
from pixelwise.data.crew import Crew, Ready
from pixelwise.data.dataset import Dataset
from pixelwise.data.reader import Reader
from pixelwise.progress import Progress
from pixelwise.types import IGNORE


@dataclass(frozen=True)
class Checked:
    """A check that is done.

    Attributes:
        report: What was found.
        dataset: What was looked at, as it was opened at last; None where it could not be.
    """

    report: Report
    dataset: Dataset | None


def check(
    root: Path,
    config: DataConfig,
    *,
    out: Path,
    command: str = "",
    version: str = "",
    size: tuple[int, int] | None = None,
    stride: int | None = None,
    workers: int = 2,
    progress: Progress | None = None,
) -> Checked:
    """Looks at every picture and mask of a data set and says what is wrong.

    Args:
        root: The data set's folder.
        config: How it is read.
        out: Folder of the report. The facts are noted there as they are found: a check that was stopped goes
            on, and one that is made again looks at changed files only.
        command: What was typed, for the record.
        version: Of pixelwise, likewise.
        size: `(height, width)` of the network's input, to say which objects are too small for it.
        stride: Of the network's answer, likewise.
        workers: Processes that look, or threads where the system does not fork or there is little to do.
        progress: Told of every sample.

    Raises:
        DataError: There is no such folder, or the facts cannot be written.
        ConfigError: A setting that cannot be.
    """
    began = time.monotonic()
    opened = open_as_found(root, config)
    asked = Asked(root=root, given=config, config=opened.config, out=out, size=size, stride=stride)
    findings: list[Finding] = list(opened.findings)
    survey, reused = None, 0
    if opened.dataset is not None:
        survey, reused = _survey(opened.dataset, out, workers, progress)
        for number, rule in enumerate(RULES, start=1):
            if progress is not None:
                progress("weighing what was found", number, len(RULES))
            findings += rule(survey, asked)
    report = Report(
        data=root,
        format=opened.dataset.reader.format if opened.dataset is not None else "",
        pictures=len(survey) if survey is not None else 0,
        reused=reused,
        sides=_sides(survey) if survey is not None else (),
        classes=class_rows(survey) if survey is not None else (),
        histograms=histograms(survey) if survey is not None else (),
        notes=_notes(opened),
        findings=gravest_first(findings),
        remedy=together(findings, asked),
        command=command,
        made=datetime.now().astimezone().isoformat(timespec="seconds"),
        version=version,
        seconds=round(time.monotonic() - began, 1),
    )
    return Checked(report, opened.dataset)


def _survey(dataset: Dataset, out: Path, workers: int, progress: Progress | None) -> tuple[Survey, int]:
    """Looks at every sample; and how many of them an earlier check had noted."""
    survey, reused = Survey(dataset, out), 0
    journal = Journal(out, dataset.reader)
    try:
        for index, (facts, noted) in enumerate(_looks(dataset, journal, workers)):
            survey.add(index, facts)
            reused += noted
            if not noted:
                journal.add(dataset.reader.entries[index], facts)
            if progress is not None:
                progress("looking at pictures", index + 1, len(survey))
    finally:
        journal.close()
    return survey, reused


_Looked = tuple[Facts, bool]
"""The facts of a sample, and whether they had been noted before."""


def _looks(dataset: Dataset, journal: Journal, workers: int) -> Iterator[_Looked]:
    """Those of every sample, in order."""
    reader = dataset.reader

    def items() -> Iterator[int | Ready[_Looked]]:
        for index in range(len(reader)):
            noted = journal.facts(reader.entries[index])
            yield index if noted is None else Ready((noted, True))

    with Crew(reader, workers=workers, items=max(0, len(reader) - journal.known)) as crew:
        yield from crew.in_order(_look, items())


def _look(reader: Reader, index: int) -> _Looked:
    return look(reader, index), False


def _sides(survey: Survey) -> tuple[Side, ...]:
    classes = len(survey.dataset.classes)
    return tuple(
        Side(
            name=name,
            pictures=int((survey.sides == side).sum()),
            sound=int((survey.sound & (survey.sides == side)).sum()),
            labelled=int(survey.pixels[side, :classes].sum()),
            ignored=int(survey.pixels[side, IGNORE]),
        )
        for side, name in enumerate(SIDES)
        if bool((survey.sides == side).any())
    )


def _notes(opened: Opened) -> tuple[str, ...]:
    return opened.dataset.notes if opened.dataset is not None else ()
