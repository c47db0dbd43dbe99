"""Masks that are colour pictures, and classes without colours: the `classes.txt` that tells them, to copy.

Knows palettes and counts; which name belongs to which colour, nobody but the user knows.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from pixelwise.check.facts import Value
from pixelwise.check.finding import MOST_EXAMPLES, Example, Finding, Severity
from pixelwise.check.words import times
from pixelwise.data.found_classes import CLASSES_FILE
from pixelwise.drawing import IGNORE_COLOUR, Colour, default_colours, voc_colour
from pixelwise.types import MAX_CLASSES

_FOUND = "classes.found.txt"
"""Never the file that the user may have written."""

_MOST = 64
"""More colours are a photo, or a mask that was smoothed."""


def uncoloured(
    root: Path, seen: Mapping[Value, int], names: Sequence[str], *, count: int, text: str
) -> Finding | None:
    """The finding, with the command that writes classes.txt; None where the values are no set of colours.

    Colours of a palette come in its order, and then the classes' names stand with them; others come in that
    of their pixels, and nobody knows their names. The void colour of PASCAL VOC's palette is taken for void.

    Args:
        root: The data set.
        seen: Colour -> pixels, over the masks that were looked at.
        names: Of the classes, in order; empty where none are named.
        count: Masks that it is about.
        text: The error's own sentence.
    """
    colours = [value for value in seen if isinstance(value, tuple)]
    if not 2 <= len(colours) <= _MOST or len(colours) < len(seen):
        return None
    void = [colour for colour in colours if colour == IGNORE_COLOUR]
    ordered, known = _in_order([colour for colour in colours if colour != IGNORE_COLOUR], seen)
    named = known and len(names) == len(ordered)
    called = names if named else [f"class_{place}" for place in range(len(ordered))]
    lines = [f"{name} {_text(colour)}" for name, colour in zip(called, ordered, strict=False)]
    lines += [f"ignore {_text(colour)}" for colour in void]
    return Finding(
        kind="colours",
        severity=Severity.ERROR,
        title=f"{times(count, 'mask')} {'is a picture' if count == 1 else 'are pictures'} of "
        f"{times(len(colours), 'colour')}, but no class has a colour",
        text=f"{text}. The command writes the colours that were found into {_FOUND}: put each behind its "
        f"name, and rename the file to {CLASSES_FILE}.",
        count=len(colours),
        unit="colours",
        remedy=f"printf '%s\\n' {shlex.join(lines)} > {shlex.quote(str(root / _FOUND))}",
        examples=tuple(
            Example(name=_text(colour), text=f"{seen[colour]:,} pixels")
            for colour in [*ordered, *void][:MOST_EXAMPLES]
        ),
    )


def _in_order(colours: Sequence[Colour], seen: Mapping[Value, int]) -> tuple[list[Colour], bool]:
    """The colours, and whether their order is that of a palette."""
    for palette in ([voc_colour(index) for index in range(256)], default_colours(MAX_CLASSES)):
        places = {colour: place for place, colour in enumerate(palette)}
        if all(colour in places for colour in colours):
            return sorted(colours, key=lambda colour: places[colour]), True
    return sorted(colours, key=lambda colour: (-seen[colour], colour)), False


def _text(colour: Colour) -> str:
    return " ".join(map(str, colour))
