"""Which class stands for everything that nobody drew around, in formats that label objects only.

Knows names. Formats of shapes leave most pixels unlabelled; the rule is the same in all of them: unlabelled
pixels are the class that is called background, if one is; else they are ignored, if the format's own list of
classes has a class to ignore; else they are a class `background` that is added as the first.
"""

from __future__ import annotations

BACKGROUND = "background"
IGNORE_CATEGORY = "__ignore__"


def is_background(name: str) -> bool:
    """Whether a class is the background by its name: `background`, `_background_`, `Background`."""
    return name.strip().strip("_").lower() == BACKGROUND


def is_ignored(name: str) -> bool:
    """Whether a class marks pixels that count for nothing: `__ignore__`, `ignore`."""
    return name.strip().strip("_").lower() == "ignore"
