"""classes.txt: one class a line, its name alone or with its colour.

Knows the text format only; the order of the lines is the order of the train ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pixelwise.drawing import IGNORE, Colour
from pixelwise.errors import ConfigError, DataError
from pixelwise.types import Classes

IGNORE_NAME = "ignore"


@dataclass(frozen=True)
class ClassList:
    """What a classes.txt says.

    Attributes:
        classes: Names and colours.
        colours: RGB -> id, with 255 for the colours of `ignore` lines; empty where lines hold names only.
    """

    classes: Classes
    colours: Mapping[Colour, int] = field(default_factory=dict[Colour, int])


def read_classes(path: Path) -> ClassList:
    """Reads `name` or `name R G B` per line.

    Names may contain spaces; numbers may be parted by spaces, tabs or commas; empty lines and lines that
    start with `#` don't count. A line `ignore R G B` names a colour whose pixels count for nothing.

    Raises:
        DataError: The file cannot be read as text, or a line is neither form; names file and line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text; save it as UTF-8") from error
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); check the path and permissions"
        ) from error
    return parse_classes(text, path)


def parse_classes(text: str, path: Path) -> ClassList:
    """As `read_classes`, from the text; `path` is for the messages."""
    names: list[str] = []
    colours: dict[Colour, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, colour = _parse_line(line, f"{path}, line {number}")
        ignored = name.lower() == IGNORE_NAME
        if ignored and colour is None:
            raise DataError(
                f"{path}, line {number}: ignore is no class; give the colour to ignore (ignore R G B), or "
                "for masks with ids say --map RAW=ignore"
            )
        target = IGNORE if ignored else len(names)
        if colour is not None and colours.setdefault(colour, target) != target:
            raise DataError(f"{path}, line {number}: the colour {colour} belongs to a class above already")
        if not ignored:
            names.append(name)
    of_id = {target: colour for colour, target in reversed(colours.items())}
    chosen = tuple(of_id[i] for i in range(len(names)) if i in of_id)
    if chosen and len(chosen) != len(names):
        missing = next(name for i, name in enumerate(names) if i not in of_id)
        raise DataError(f"{path}: {missing} has no colour but other classes do; give all a colour, or none")
    try:
        return ClassList(Classes(tuple(names), chosen), colours)
    except ConfigError as error:
        raise DataError(f"{path}: {error}") from error


def _parse_line(line: str, where: str) -> tuple[str, Colour | None]:
    parts = line.replace(",", " ").split()
    numbers = parts[-3:]
    if len(parts) < 4 or not all(part.isascii() and part.isdigit() for part in numbers):
        return line.strip(), None
    red, green, blue = (int(part[:6]) for part in numbers)
    if max(red, green, blue) > 255:
        raise DataError(f"{where}: a colour is three numbers in 0..255, got {' '.join(numbers)}")
    name = line.strip()
    for part in reversed(numbers):  # what is left of the line keeps its own spaces and commas
        name = name.rstrip(" \t,").removesuffix(part)
    return name.rstrip(" \t,"), (red, green, blue)
