"""What stands in the masks: values without a class, and ids that only lead from one to another."""

from __future__ import annotations

import numpy as np

from pixelwise.check.asked import Asked, examples
from pixelwise.check.colours import uncoloured
from pixelwise.check.commands import mending_command
from pixelwise.check.finding import Finding, Severity
from pixelwise.check.of_samples import of_samples
from pixelwise.check.survey import Survey
from pixelwise.check.words import times
from pixelwise.config import changed

_SMOOTHED = 0.15
"""Of a mask's borders; the drawn masks of CamVid reach 0.01, resized ones begin at 0.35."""

_FEWEST_BORDERS = 200
"""In a mask with fewer a handful of pixels would be a large share."""


def unknown_values(survey: Survey, asked: Asked) -> list[Finding]:
    """Values or colours that no class has."""
    faulty = [item for item in survey.faults if item.fault.kind == "values"]
    if not faulty:
        return []
    reader, count = survey.dataset.reader, len(survey.faulty["values"])
    table, first = reader.table, reader.entries[faulty[0].index].labels
    text = table.explain(survey.seen, first, files=count)
    if not table.colours:
        coloured = uncoloured(asked.root, survey.seen, reader.classes.names, count=count, text=text)
        if coloured is not None:
            return [coloured]
    texts = {item.index: item.fault.text for item in faulty}
    holds = "holds" if count == 1 else "hold"
    changes = table.propose(survey.seen, first).changes
    if changed(asked.config, changes) == asked.config:  # what it proposes is set already, and does not help
        changes = {}
    return [
        Finding(
            kind="values",
            severity=Severity.ERROR,
            title=f"{count:,} of {times(len(survey), 'mask')} {holds} values that no class has",
            text=text,
            count=count,
            remedy=mending_command(asked, changes),
            changes=changes,
            examples=examples(reader, texts, lambda index: texts[index]),
            leave_out=tuple(survey.faulty["values"]),
        )
    ]


def smoothed(survey: Survey, asked: Asked) -> list[Finding]:
    """Masks of ids that were resized, or compressed, as if they were pictures."""
    counted = survey.sound & (survey.borders >= _FEWEST_BORDERS)
    shares = np.where(counted, survey.between / np.maximum(survey.borders, 1), 0.0)
    found = np.flatnonzero(shares >= _SMOOTHED)
    look = "look as if they were" if len(found) > 1 else "looks as if it was"
    return of_samples(
        survey.dataset.reader,
        found[np.argsort(-shares[found], kind="stable")].tolist(),
        kind="smoothed",
        severity=Severity.ERROR,
        title=f"{times(len(found), 'mask')} {look} resized like a picture",
        text="Along their borders lie ids that are only on the way from one class to the other: between "
        "sky, 0, and tree, 5, lie pixels of 1 to 4, which are other classes. Resize the original "
        "masks by nearest neighbour, and save them as PNG.",
        shown=lambda index: f"at {100 * shares[index]:.0f}% of its borders",
        asked=asked,
    )
