"""Which class stands for everything that nobody drew around, in formats that label objects only.

Knows names. Formats of shapes leave most pixels unlabelled; the rule is the same in all of them: unlabelled
pixels are the class that is called background, if one is; else they are ignored, if the format's own list of
classes has a class to ignore; else they are a class `background` that is added as the first.
"""

from __future__ import annotations

from collections.abc import Sequence

from pixelwise.drawing import IGNORE, Colour, default_colours

BACKGROUND = "background"
IGNORE_CATEGORY = "__ignore__"
_BLACK: Colour = (0, 0, 0)


def is_background(name: str) -> bool:
    """Whether a class is the background by its name: `background`, `_background_`, `Background`."""
    return name.strip().strip("_").lower() == BACKGROUND


def is_ignored(name: str) -> bool:
    """Whether a class marks pixels that count for nothing: `__ignore__`, `ignore`."""
    return name.strip().strip("_").lower() == "ignore"


def number_names(names: Sequence[str]) -> tuple[tuple[str, ...], dict[int, int]]:
    """Train ids for the names that a format of shapes lists, by the rule above.

    Args:
        names: In the format's order; the raw value of the first is 1, and 0 stands for unlabelled pixels.

    Returns:
        The classes' names, and raw value -> train id, 255 for what is ignored.
    """
    background = next((i for i, name in enumerate(names) if is_background(name)), None)
    ignored = [i for i, name in enumerate(names) if is_ignored(name)]
    kept = [i for i in range(len(names)) if i not in ignored]
    first: tuple[str, ...] = (BACKGROUND,) if background is None and not ignored else ()
    ids = {i + 1: place + len(first) for place, i in enumerate(kept)}
    unlabelled = 0 if first else IGNORE if background is None else ids[background + 1]
    return (*first, *(names[i] for i in kept)), {
        0: unlabelled,
        **ids,
        **{i + 1: IGNORE for i in ignored},
    }


def colours_of(names: Sequence[str]) -> tuple[Colour, ...]:
    """A palette for such classes: the background is black."""
    return tuple(
        _BLACK if is_background(name) else colour
        for name, colour in zip(names, default_colours(len(names)), strict=True)
    )
