"""The classes of public data sets, as their publishers numbered, named and coloured them.

Knows the tables in `tables/`: what a raw value is called, which colour it has, and which train id it becomes.
How a data set lays out its folders is the business of its reader.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from pixelwise.config import DataConfig
from pixelwise.data.found_classes import names_its_own
from pixelwise.drawing import IGNORE, Colour
from pixelwise.errors import ConfigError
from pixelwise.types import Classes

_SHOWN = 60  # so many names still make a message that can be read


@dataclass(frozen=True)
class Published:
    """The label table of a data set.

    Attributes:
        classes: Names and colours of the train ids.
        values: Raw value -> train id, 255 for those that are ignored.
        colours: RGB -> raw value, where just one raw value has the colour.
        names: Name -> raw value, ignored ones and those without a mask value (negative) too.
    """

    classes: Classes
    values: Mapping[int, int]
    colours: Mapping[Colour, int]
    names: Mapping[str, int]


@cache
def published(name: str) -> Published:
    """The table of that name, e.g. `cityscapes`."""
    raws: dict[str, int] = {}
    values: dict[int, int] = {}
    colours: dict[Colour, int] = {}
    trained: dict[int, tuple[str, Colour]] = {}
    counts: Counter[Colour] = Counter()
    for row in rows(name):
        raw = int(row["raw"])
        colour = int(row["red"] or 0), int(row["green"] or 0), int(row["blue"] or 0)
        raws[row["name"]] = raw
        counts[colour] += 1
        if raw >= 0:
            values[raw] = IGNORE if row["train"] == "ignore" else int(row["train"])
            colours[colour] = raw
        if row["train"] != "ignore":
            trained[int(row["train"])] = row["name"], colour
    ordered = [trained[index] for index in range(len(trained))]
    classes = Classes(tuple(n for n, _ in ordered), tuple(c for _, c in ordered))
    return Published(classes, values, {c: raw for c, raw in colours.items() if counts[c] == 1}, raws)


def rows(name: str) -> list[dict[str, str]]:
    """The rows of a table, by the names of its columns."""
    text = (
        files("pixelwise.data.formats").joinpath("tables").joinpath(f"{name}.csv").read_text(encoding="utf-8")
    )
    return list(csv.DictReader(text.splitlines()))


def refuse_other_names(name: str, config: DataConfig, known: Classes) -> None:
    """Stops where `--classes` names none of a data set's classes: its ids have names already.

    Raises:
        ConfigError: None of the names is known; lists those that are.
    """
    if names_its_own(config, known):
        more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
        raise ConfigError(
            f"--classes: {name} has no class {' or '.join(map(repr, config.classes[:3]))}; name some of its "
            f"own, which are {', '.join(known.names[:_SHOWN])}{more}, or leave --classes away"
        )
