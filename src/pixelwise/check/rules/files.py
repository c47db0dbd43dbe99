"""Files that cannot be used: unreadable, of another size than their picture, without their other half."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pixelwise.check.asked import Asked, examples
from pixelwise.check.commands import mending_command
from pixelwise.check.finding import MOST_EXAMPLES, Example, Finding, Severity
from pixelwise.check.survey import Survey
from pixelwise.check.words import times
from pixelwise.data.mendable import FIT_MASKS, SKIP_BROKEN, SKIP_UNPAIRED

_NOTHING: Mapping[str, Any] = {}

LONELY_LABELS = "missing_pictures"


def broken_files(survey: Survey, asked: Asked) -> list[Finding]:
    """Pictures and masks that cannot be decoded."""
    count = len(survey.faulty["unreadable"])
    if not count:
        return []
    skipped = asked.given.skip_broken
    changes: Mapping[str, Any] = _NOTHING if skipped else SKIP_BROKEN
    return [
        Finding(
            kind="unreadable",
            severity=Severity.WARNING if skipped else Severity.ERROR,
            title=f"{count:,} of {times(len(survey), 'sample')} cannot be decoded",
            text="A file is truncated, damaged or no picture. Fetch it again, or leave such files out: "
            "training then lists them.",
            count=count,
            remedy=mending_command(asked, changes),
            changes=changes,
            examples=_faulty(survey, "unreadable"),
        )
    ]


def other_sizes(survey: Survey, asked: Asked) -> list[Finding]:
    """Masks whose size is not their picture's: turned by EXIF, of another scale, or of another picture."""
    found: list[Finding] = []
    for kind, title, text, changes in (
        (
            "turned",
            "a mask that lacks the turn of their picture's EXIF tag",
            "The picture is shown upright by its tag; its mask was saved from the stored pixels. Set so, "
            "masks are turned with their pictures.",
            FIT_MASKS,
        ),
        (
            "scaled",
            "a mask of another scale",
            "Shape and content agree, the number of pixels does not. Set so, masks are resized to their "
            "pictures by nearest neighbour; borders are then as coarse as the smaller of the two.",
            FIT_MASKS,
        ),
        (
            "sizes",
            "a mask of another size and shape",
            "Such a mask was made for another picture, or one of the two was cropped. Pair the right files.",
            _NOTHING,
        ),
    ):
        count = len(survey.faulty[kind])
        have = "has" if count == 1 else "have"
        if count:
            found.append(
                Finding(
                    kind=kind,
                    severity=Severity.ERROR,
                    title=f"{count:,} of {times(len(survey), 'picture')} {have} {title}",
                    text=text,
                    count=count,
                    remedy=mending_command(asked, changes),
                    changes=changes,
                    examples=_faulty(survey, kind),
                )
            )
    return found


def other_faults(survey: Survey, asked: Asked) -> list[Finding]:
    """Labels that break the rules of their format in any other way."""
    count = len(survey.faulty["labels"])
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
    """Pictures without labels, and labels without a picture.

    An error where training would stop at them, else a warning: the format or the user leaves them out.
    """
    unpaired = survey.dataset.reader.unpaired
    stops = asked.config.skip_unpaired and not asked.given.skip_unpaired
    found: list[Finding] = []
    for paths, kind, noun, other in (
        (unpaired.labels, LONELY_LABELS, "label file", "picture"),
        (unpaired.pictures, "missing_labels", "picture", "label file"),
    ):
        if paths:
            found.append(
                Finding(
                    kind=kind,
                    severity=Severity.ERROR if stops else Severity.WARNING,
                    title=f"{times(len(paths), noun)} without a {other}",
                    text=f"{'Training stops at them' if stops else 'They are left out'}. Put the other files "
                    f"where their names say{', or leave these out' if stops else ''}.",
                    count=len(paths),
                    unit="files",
                    remedy=mending_command(asked, SKIP_UNPAIRED) if stops else "",
                    changes=SKIP_UNPAIRED if stops else {},
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
