"""The mapping that would mend masks: decided by `propose`, and worded as a flag to copy.

Knows values, counts and class numbers; nothing is mapped here, and nothing is decided for the user: he copies
the flag.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pixelwise.data.codec import read_header
from pixelwise.data.snap import least_for_colours, least_for_values
from pixelwise.drawing import IGNORE, Colour
from pixelwise.errors import DataError

_FEW = 4
"""So many different unknown values are no class that was forgotten, but were made by compression."""
_MOST = 40
"""Masks of more values are hardly drawn by hand."""
_MOST_COLOURS = 64
"""Masks of more colours that no class has were resized as pictures are, or are pictures."""
_A_HAIR = 8
"""A colour that lies so near to a class's is no class of its own."""
_ENDS = {0: 0, IGNORE: 1}

Reason = Literal[
    "jpeg", "uncoloured", "colour", "second", "shifted", "void", "photo", "moved", "order", "ignore"
]


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What would mend masks, and why.

    Attributes:
        reason: `jpeg`: compressed to it. `uncoloured`: colours, but no class has one. `colour`: one that no
            class has. `second`: 0 and 255. `shifted`: ids from 1 on. `void`: one id more than classes.
            `photo`: too many values. `moved`: off the classes' own. `order`: as many values as classes.
            `ignore`: values to leave out.
        pairs: For `--map`.
        otherwise: Other pairs that may be meant instead.
        snap: For `--snap`; 0 where that would not mend all.
        values: How many different ones there are.
        colour: An unknown one.
    """

    reason: Reason
    pairs: tuple[str, ...] = ()
    otherwise: tuple[str, ...] = ()
    snap: int = 0
    values: int = 0
    colour: str = ""

    @property
    def changes(self) -> dict[str, Any]:
        """Fields of `DataConfig`, and what to add to them; none where a flag does not mend it."""
        changes: dict[str, Any] = {"map": self.pairs} if self.pairs else {}
        return {**changes, "snap": self.snap} if self.snap else changes

    @property
    def text(self) -> str:
        """The proposal as words and flags, to follow what is wrong."""
        long = self.reason == "ignore" and len(self.pairs) > 8
        words = _WORDS[self.reason].format(
            pairs=" ".join(self.pairs[:8]) + " …" if long else " ".join(self.pairs),
            otherwise=" ".join(self.otherwise),
            first=self.pairs[0].partition("=")[0] if self.pairs else "",
            values=self.values,
            colour=self.colour,
        )
        if not self.snap:
            return words
        flags = " ".join([*(["--map", *self.pairs] if self.pairs else []), f"--snap {self.snap}"])
        if self.reason == "moved":
            return f"{words}{flags}"
        return f"{words}, or take each for the nearest class's with {flags}"


_WORDS: dict[Reason, str] = {
    "jpeg": "JPEG compression invents values between the classes: save masks as PNG",
    "uncoloured": "the mask is a colour picture: write each class with its colour into classes.txt, one line "
    "NAME {colour} each, or save masks with the class ids as their values",
    "colour": "add a line NAME {colour} (or ignore {colour}) for each to classes.txt",
    "second": "if 255 is the second class, add --map {pairs}",
    "shifted": "if the ids start at 1, add --map {pairs}",
    "void": "if {first} is no class but void, add --map {pairs}; "
    "if the ids start at 1 and 0 is void, add --map {otherwise}",
    "photo": "{values} different values look like a photo or a smoothed mask: save masks with one value per "
    "class, as PNG",
    "moved": "the values lie round those of the classes: save masks unsmoothed and uncompressed, or add ",
    "order": "if these are the classes in this order, add --map {pairs}",
    "ignore": "name a class for each, or leave them out with --map {pairs}",
}


def propose(
    seen: Mapping[int | Colour, int],
    unknown: Sequence[int | Colour],
    *,
    classes: int | None,
    values: Mapping[int, int],
    colours: Mapping[Colour, int],
    path: Path | None = None,
) -> Proposal:
    """Decides on the mapping for what masks hold.

    Args:
        seen: Raw value or colour -> pixels, of one mask or of a whole set.
        unknown: Those of them that have no class.
        classes: How many classes were named; None where that is still open.
        values: Raw value -> id of those that have one.
        colours: Colour -> id likewise; empty where masks are not read by colours.
        path: A mask, to say that its format is to blame.
    """
    jpeg = path is not None and len(seen) > 8 and _is_jpeg(path)
    strange = [value for value in unknown if isinstance(value, tuple)]
    if strange:
        snap = _snap_colours(seen, strange, colours, jpeg)
        reason = "jpeg" if jpeg else "colour" if colours else "uncoloured"
        if not jpeg and len(strange) > _MOST_COLOURS:
            reason = "photo"
        return Proposal(reason=reason, snap=snap, values=len(seen), colour=value_text(strange[0]))
    counts = {value: count for value, count in seen.items() if isinstance(value, int)}
    missing = sorted(value for value in unknown if isinstance(value, int))
    snap, pairs = _snap_values(counts, missing, values, classes, jpeg)
    if jpeg:
        return Proposal(reason="jpeg", pairs=pairs, snap=snap)
    ids = None if snap else _of_ids(sorted(counts), missing, classes)
    if ids is not None:
        return ids
    if snap or len(counts) > _MOST:
        reason = "photo" if len(counts) > _MOST else "moved"
        return Proposal(reason=reason, pairs=pairs, snap=snap, values=len(counts))
    return _of_few(sorted(counts), missing, classes)


def _is_jpeg(path: Path) -> bool:
    """False too where the file went away meanwhile: a remedy must not hide the error that it is for."""
    try:
        return read_header(path).format == "JPEG"
    except DataError:
        return False


def _snap_colours(
    seen: Mapping[int | Colour, int], unknown: Sequence[Colour], known: Mapping[Colour, int], jpeg: bool
) -> int:
    counts = {value: count for value, count in seen.items() if isinstance(value, tuple)}
    snap = least_for_colours(counts, known, near=_A_HAIR, share=0.5)
    return snap if jpeg or len(unknown) >= _FEW or snap <= _A_HAIR else 0


def _snap_values(
    counts: Mapping[int, int],
    unknown: Sequence[int],
    known: Mapping[int, int],
    classes: int | None,
    jpeg: bool,
) -> tuple[int, tuple[str, ...]]:
    """The tolerance that mends all, and the pairs that it needs besides."""
    if not jpeg and len(unknown) < _FEW:
        return 0, ()
    snap = least_for_values(counts, known, near=_A_HAIR, share=0.5) if classes is not None else 0
    if snap or classes not in (None, 2) or known.get(IGNORE, IGNORE) not in (1, IGNORE):
        return snap, ()
    # Ids that happen to lie near 0 have no like below 255; values round both ends were two once.
    if max(counts) > IGNORE or not any(128 <= value < IGNORE for value in counts) or min(counts) > 127:
        return 0, ()
    snap = least_for_values(counts, _ENDS, near=16, share=0.9)
    return snap, ("255=1",) if snap else ()


def _of_ids(values: Sequence[int], unknown: Sequence[int], classes: int | None) -> Proposal | None:
    """The cases in which the values are ids in a row, or 0 and 255."""
    inside = [value for value in values if value != IGNORE]
    count = classes if classes is not None else len(inside)
    if set(values) <= {0, IGNORE} and (classes is None or (classes == 2 and list(unknown) == [IGNORE])):
        return Proposal(reason="second", pairs=("255=1",))
    if inside == list(range(1, count + 1)):
        return Proposal(reason="shifted", pairs=_range(inside, 0))
    if classes is not None and list(unknown) == [classes]:
        shifted = _range(range(1, classes + 1), 0)
        return Proposal(reason="void", pairs=(f"{classes}=ignore",), otherwise=("0=ignore", *shifted))
    return None


def _of_few(values: Sequence[int], unknown: Sequence[int], classes: int | None) -> Proposal:
    """Values that are no ids: the classes in this order, if they are as many, or to be left out."""
    if classes is None or len(values) == classes:
        taken_anyway = set(values) - set(unknown if classes is not None else ())  # a value as its own id
        pairs = (
            f"{raw}={place}" for place, raw in enumerate(values) if raw != place or raw not in taken_anyway
        )
        return Proposal(reason="order", pairs=tuple(pairs))
    return Proposal(reason="ignore", pairs=tuple(f"{value}=ignore" for value in unknown))


def _range(raws: Sequence[int], first: int) -> tuple[str, ...]:
    if len(raws) <= 4:
        return tuple(f"{raw}={first + place}" for place, raw in enumerate(raws))
    return (f"{raws[0]}-{raws[-1]}={first}-{first + len(raws) - 1}",)


def value_text(value: int | Colour) -> str:
    """A raw value as a number, a colour as three."""
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
