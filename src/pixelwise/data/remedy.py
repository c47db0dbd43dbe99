"""The mapping that would mend masks, as a flag to copy.

Knows values, counts and class numbers; nothing is mapped here, and nothing is decided: the user copies the
flag.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pixelwise.data.codec import read_header
from pixelwise.drawing import IGNORE, Colour
from pixelwise.errors import DataError


def remedy(
    seen: Mapping[int | Colour, int],
    unknown: Sequence[int | Colour],
    *,
    classes: int | None,
    colour_table: bool = False,
    path: Path | None = None,
) -> str:
    """Proposes the mapping for what masks hold, as a flag to copy.

    Args:
        seen: Raw value or colour -> pixels, of one mask or of a whole set.
        unknown: Those of them that have no class.
        classes: How many classes were named; None where that is still open.
        colour_table: Whether the classes have colours that masks are read by.
        path: A mask, to say that its format is to blame.
    """
    if path is not None and len(seen) > 8 and _is_jpeg(path):
        return "JPEG compression invents values between the classes: save masks as PNG"
    if any(isinstance(value, tuple) for value in unknown):
        colour = value_text(next(value for value in unknown if isinstance(value, tuple)))
        if colour_table:
            return f"add a line NAME {colour} (or ignore {colour}) for each to classes.txt"
        return (
            "the mask is a colour picture: write each class with its colour into classes.txt, one line NAME "
            f"{colour} each, or save masks with the class ids as their values"
        )
    values = sorted(value for value in seen if isinstance(value, int))
    return _remedy_of_values(values, sorted(value for value in unknown if isinstance(value, int)), classes)


def _is_jpeg(path: Path) -> bool:
    """False too where the file went away meanwhile: a remedy must not hide the error that it is for."""
    try:
        return read_header(path).format == "JPEG"
    except DataError:
        return False


def _remedy_of_values(values: Sequence[int], unknown: Sequence[int], classes: int | None) -> str:
    inside = [value for value in values if value != IGNORE]
    count = classes if classes is not None else len(inside)
    if set(values) <= {0, IGNORE} and classes in (None, 2):
        return "if 255 is the second class, add --map 255=1"
    if inside == list(range(1, count + 1)):
        return f"if the ids start at 1, add --map {_range_text(inside, 0)}"
    if classes is not None and list(unknown) == [classes]:
        shifted = _range_text(range(1, classes + 1), 0)
        return (
            f"if {classes} is no class but void, add --map {classes}=ignore; "
            f"if the ids start at 1 and 0 is void, add --map 0=ignore {shifted}"
        )
    if len(values) > 40:
        return (
            f"{len(values)} different values look like a photo or a smoothed mask: "
            "save masks with one value per class, as PNG"
        )
    if classes is None or len(values) == classes:
        taken_anyway = set(values) - set(unknown if classes is not None else ())  # a value as its own id
        return "if these are the classes in this order, add --map " + " ".join(
            f"{raw}={place}" for place, raw in enumerate(values) if raw != place or raw not in taken_anyway
        )
    more = " …" if len(unknown) > 8 else ""
    return (
        "name a class for each, or leave them out with --map "
        + " ".join(f"{value}=ignore" for value in unknown[:8])
        + more
    )


def _range_text(raws: Sequence[int], first: int) -> str:
    if len(raws) <= 4:
        return " ".join(f"{raw}={first + place}" for place, raw in enumerate(raws))
    return f"{raws[0]}-{raws[-1]}={first}-{first + len(raws) - 1}"


def value_text(value: int | Colour) -> str:
    """A raw value as a number, a colour as three."""
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
