"""What a command line gave, and values and paths as words of one; `config.flags` makes whole commands.

Knows how tyro names flags, and no particular setting.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def given_settings(arguments: Sequence[str]) -> frozenset[str]:
    """Names of the settings that a command line names, e.g. `batch_size` for `--batch-size 8`.

    A flag that repeats a default is given as well, which a comparison with the defaults would not find.
    """
    flags = {argument.partition("=")[0] for argument in arguments if argument.startswith("--")}
    names = {flag.removeprefix("--").replace("-", "_") for flag in flags}
    return frozenset({*names, *(name.removeprefix("no_") for name in names)})


def value_words(value: Any) -> list[str]:
    """A value as a command line has it; a switch has none, and says on or off here."""
    if isinstance(value, bool):
        return ["on" if value else "off"]
    if isinstance(value, float):
        short = f"{value:g}"
        return [short if float(short) == value else repr(value)]
    if isinstance(value, tuple):
        return [word for item in value for word in value_words(item)]
    return [str(value)]


def as_path(path: Path) -> str:
    """A path that is not taken for a flag."""
    text = str(path)
    return f"./{text}" if text.startswith("-") else text
