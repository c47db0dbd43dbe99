"""Objects that are too small for the network's input, or for the grid at which it answers."""

from __future__ import annotations

import numpy as np

from pixelwise.check.asked import Asked
from pixelwise.check.commands import command
from pixelwise.check.finding import MOST_EXAMPLES, Example, Finding, Severity
from pixelwise.check.survey import Survey
from pixelwise.check.words import listed, times
from pixelwise.data.breadths import narrowest
from pixelwise.types import size_text

_KEPT = 2.0
"""Cells of the grid that an object must be wide to be kept for sure: one that lies across two cells fills
neither."""

_USUAL_STRIDE = 4


def small_objects(survey: Survey, asked: Asked) -> list[Finding]:
    """Classes much of which is narrower than two cells of the grid at which a network answers.

    Where neither input size nor output stride is chosen, this is a note for a stride of 4 at the pictures'
    own size; else a warning for what was chosen.
    """
    height, width = asked.size or survey.middle_size
    stride = asked.stride or (_USUAL_STRIDE if asked.size is None else 1)
    names = survey.dataset.classes.names
    cells: list[tuple[float, str]] = []
    for row, name in enumerate(names):
        share = narrowest(survey.breadths[row])
        if share is not None:
            cells.append((share * float(np.sqrt(height * width)) / stride, name))
    lost = sorted(pair for pair in cells if pair[0] < _KEPT)
    if not lost:
        return []
    chosen = asked.size is not None or asked.stride is not None
    grid = f"{size_text((height, width))} at stride {stride}" if stride > 1 else size_text((height, width))
    return [
        Finding(
            kind="small_objects",
            severity=Severity.WARNING if chosen else Severity.NOTE,
            title=f"{times(len(lost), 'class', 'classes')} with objects too small for {grid}: "
            f"{listed(name for _, name in lost)}",
            text=f"A tenth of their pixels or more lie in objects narrower than {_KEPT:g} cells of the grid "
            "at which the network would answer. A larger input or a finer output keeps them; the "
            "command says what each costs in mIoU.",
            count=len(lost),
            unit="classes",
            remedy=command("ceiling", asked.root, asked.config),
            examples=tuple(
                Example(name=name, text=f"{wide:.1f} cells wide") for wide, name in lost[:MOST_EXAMPLES]
            ),
        )
    ]
