"""Files that cannot be used: unreadable, of another size than their picture, without their other half."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pixelwise.check.asked import Asked, examples, times
from pixelwise.check.commands import train_command
from pixelwise.check.finding import MOST_EXAMPLES, Example, Finding, Severity
from pixelwise.check.survey import Survey

LONELY_LABELS = "missing_pictures"


def broken_files(survey: Survey, asked: Asked) -> list[Finding]:
    """Pictures and masks that cannot be decoded."""
    count = survey.fault_counts["unreadable"]
    if not count:
        return []
    return [
        Finding(
            kind="unreadable",
            severity=Severity.ERROR,
            title=f"{count:,} of {times(len(survey), 'sample')} cannot be decoded",
            text="A file is truncated, damaged or no picture. Fetch it again, or leave such files out: "
            "training then lists them.",
            count=count,
            remedy=train_command(asked.root, replace(asked.config, skip_broken=True)),
            examples=_faulty(survey, "unreadable"),
        )
    ]


def other_sizes(survey: Survey, asked: Asked) -> list[Finding]:
    """Masks whose size is not their picture's: turned by EXIF, of another scale, or of another picture."""
    found: list[Finding] = []
    mended = train_command(asked.root, replace(asked.config, fit_masks=True))
    for kind, title, text, remedy in (
        (
            "turned",
            "a mask that lacks the turn of their picture's EXIF tag",
            "The picture is shown upright by its tag; its mask was saved from the stored pixels. Set so, "
            "masks are turned with their pictures.",
            mended,
        ),
        (
            "scaled",
            "a mask of another scale",
            "Shape and content agree, the number of pixels does not. Set so, masks are resized to their "
            "pictures by nearest neighbour; borders are then as coarse as the smaller of the two.",
            mended,
        ),
        (
            "sizes",
            "a mask of another size and shape",
            "Such a mask was made for another picture, or one of the two was cropped. Pair the right files.",
            "",
        ),
    ):
        count = survey.fault_counts[kind]
        have = "has" if count == 1 else "have"
        if count:
            found.append(
                Finding(
                    kind=kind,
                    severity=Severity.ERROR,
                    title=f"{count:,} of {times(len(survey), 'picture')} {have} {title}",
                    text=text,
                    count=count,
                    remedy=remedy,
                    examples=_faulty(survey, kind),
                )
            )
    return found


def other_faults(survey: Survey, asked: Asked) -> list[Finding]:
    """Labels that break the rules of their format in any other way."""
    count = survey.fault_counts["labels"]
    if not count:
        return []
    return [
        Finding(
            kind="labels",
            severity=Severity.ERROR,
            title=f"{count:,} of {times(len(survey), 'sample')} cannot be used",
            text="Each message says what was expected and what to do.",
            count=count,
            examples=_faulty(survey, "labels"),
        )
    ]


def lonely_files(survey: Survey, asked: Asked) -> list[Finding]:
    """Pictures without labels, and labels without a picture, that the format leaves out."""
    unpaired = survey.dataset.reader.unpaired
    found: list[Finding] = []
    for paths, kind, noun, other in (
        (unpaired.labels, LONELY_LABELS, "label file", "picture"),
        (unpaired.pictures, "missing_labels", "picture", "label file"),
    ):
        if paths:
            found.append(
                Finding(
                    kind=kind,
                    severity=Severity.WARNING,
                    title=f"{times(len(paths), noun)} without {other}",
                    text="They are left out. If that is not what you want, put the other files where their "
                    "names say.",
                    count=len(paths),
                    examples=tuple(_lonely(survey, path) for path in paths[:MOST_EXAMPLES]),
                )
            )
    return found


def _lonely(survey: Survey, path: Path) -> Example:
    root = survey.dataset.reader.root
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    return Example(name=name, files=(path,))


def _faulty(survey: Survey, kind: str) -> tuple[Example, ...]:
    texts = {item.index: item.fault.text for item in survey.faults if item.fault.kind == kind}
    return examples(survey.dataset.reader, texts, lambda index: texts[index])
