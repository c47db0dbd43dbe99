"""What is said of masks that may not fit: of single ones, and of the set. Words only; decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelwise.check.directions import CELLS
from pixelwise.check.finding import MOST_EXAMPLES, Example, Finding, Severity
from pixelwise.check.fit import Fit
from pixelwise.check.rows import Rows
from pixelwise.check.words import times

WAYS = {
    "left_right": ("mirrored left to right", "are mirrored left to right"),
    "up_down": ("mirrored upside down", "are mirrored upside down"),
    "half_turn": ("turned by 180 degrees", "are turned by 180 degrees"),
    "transposed": ("with rows and columns exchanged", "have rows and columns exchanged"),
    "quarter_left": ("turned by 90 degrees to the left", "are turned by 90 degrees to the right"),
    "quarter_right": ("turned by 90 degrees to the right", "are turned by 90 degrees to the left"),
}
"""Fields of `Fit`: how the mask would fit, and what is wrong with it."""

_HINT = {
    "left_right": "Look whether pictures were flipped without their masks.",
    "up_down": "Look for a tool whose rows run from the bottom up.",
    "half_turn": "Look whether pictures were turned without their masks, perhaps by their EXIF tag.",
    "transposed": "Look for a place where x and y are exchanged, e.g. array[x, y].",
    "quarter_left": "Look whether pictures were turned without their masks, perhaps by their EXIF tag.",
    "quarter_right": "Look whether pictures were turned without their masks, perhaps by their EXIF tag.",
}


@dataclass(frozen=True)
class Suspect:
    """One mask: its place in the sequence, what was seen, and how clear that is in standard deviations.

    Attributes:
        way: A field of `Fit`, "moved", or "" where the mask fits nowhere.
    """

    index: int
    way: str
    evidence: float


@dataclass(frozen=True)
class Teller:
    """What is to be seen in a sample, in words."""

    fits: Rows
    names: Sequence[str]
    sizes: npt.NDArray[np.int32]

    def fit(self, index: int) -> Fit:
        """The fit of a sample, which must be known."""
        return Fit(*self.fits[np.array([index])][0].tolist())

    def examples(self, suspects: Sequence[Suspect]) -> tuple[Example, ...]:
        """The first of the suspects, with what is seen in each."""
        return tuple(
            Example(name=self.names[suspect.index], text=self.seen(suspect), index=suspect.index)
            for suspect in suspects[:MOST_EXAMPLES]
        )

    def seen(self, suspect: Suspect) -> str:
        """One suspect in a few words."""
        if suspect.way == "moved":
            return f"fits better when moved {self.move(suspect.index)}"
        if suspect.way:
            return f"fits better {WAYS[suspect.way][0]}"
        return "its borders follow no edges of the picture"

    def move(self, index: int) -> str:
        """E.g. `12 pixels right and 3 pixels up`."""
        fit = self.fit(index)
        height, width = self.sizes[index].tolist()
        parts: list[str] = []
        for cells, side, ahead, back in (
            (fit.right, width, "right", "left"),
            (fit.down, height, "down", "up"),
        ):
            steps = round(abs(cells) * side / CELLS)
            if steps:
                parts.append(f"{times(steps, 'pixel')} {ahead if cells > 0 else back}")
        return " and ".join(parts) or "by less than a pixel"


def of_masks(suspects: Sequence[Suspect], known: int, teller: Teller) -> Finding:
    """Single masks, the clearest first, of so many that were measured."""
    count = len(suspects)
    return Finding(
        kind="misfit",
        severity=Severity.SUSPECT,
        title=f"{count:,} of {known:,} masks may not fit {'its picture' if count == 1 else 'their pictures'}",
        text="Their borders lie on the picture's edges far less than those of the other masks do, or would "
        "lie on them far better elsewhere: masks of other pictures, mirrored, turned or moved ones look so. "
        "The clearest come first; look at them before you believe it.",
        count=count,
        examples=teller.examples(suspects),
        leave_out=tuple(sorted(suspect.index for suspect in suspects)),
    )


def of_the_set(group: Sequence[Suspect], known: int, teller: Teller) -> Finding:
    """Masks that are wrong in the same way, so many that it is no accident."""
    way = group[0].way
    if way == "moved":
        title = f"{len(group):,} of {known:,} masks lie beside their pictures, all by the same way"
        hint = (
            f"They fit when moved about {teller.move(group[0].index)}. Look for a border that was added to "
            "pictures or masks alone (letterboxing, padding), or cropped from them."
        )
    else:
        title = f"{len(group):,} of {known:,} masks {WAYS[way][1]}"
        hint = f"They fit their pictures far better {WAYS[way][0]}. {_HINT[way]}"
    return Finding(
        kind="misfit_all",
        severity=Severity.ERROR,
        title=title,
        text=hint,
        count=len(group),
        examples=teller.examples(group),
    )


def by_chance(worst: Sequence[int], known: int, teller: Teller) -> Finding:
    """A set whose masks, so many, might as well be those of other pictures; the worst of them first."""
    return Finding(
        kind="misfit_all",
        severity=Severity.WARNING,
        title=f"the borders of {known:,} masks follow the edges of their pictures no better than chance",
        text="Perhaps masks and pictures are paired in different orders, or the masks are of another scale. "
        "Or the classes have no visible borders, as in pictures full of noise; then this means nothing.",
        count=known,
        examples=teller.examples([Suspect(index, "", 0.0) for index in worst]),
    )
