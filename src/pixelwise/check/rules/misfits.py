"""Masks that likely don't fit their pictures: swapped, mirrored, turned, moved, or of another scale.

How well a right mask fits differs from set to set, for fur has soft edges and cars have hard ones, and grows
with the root of the length of its borders. So the set says what is to be expected of a mask with so much
border, and how far masks stray from that; only one that falls far short of both that and chance is a suspect.
One that fits much better mirrored, turned or moved needs no comparison with others.

Where many masks are wrong in the same way, that is one finding about the set, and they are no suspects.
Sees the numbers of `fit` alone: no picture, no mask.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelwise.check.finding import MOST_EXAMPLES, Example, Finding, Severity
from pixelwise.check.fit import CELLS, Fit

_FEWEST = 12
"""Fits that must be known before the set says anything of one mask, or of itself."""

_CLEAR = 4.0
"""Differences of a mask's own fits, in standard deviations of chance, from which on they are believed."""

_SHORT = 8.0
"""By so much a mask must fall short of what is expected of it: little border is no ground to judge."""

_CERTAIN = 6.0
"""Chance and like places of objects give 5 or so; one that fits better is right, or fits elsewhere."""

_NARROWEST = 0.15
"""The least relative spread of fits that is believed of a set, as a logarithm."""

_STRAY = 4.0
"""Spreads below the expectation from which on a fit is out of the set."""

_NEAREST = 1.5
"""A better place that is nearer, in cells of 1/128, is the annotator's pencil."""

_SHARE = 0.25
"""Where so many of the masks are wrong in the same way, that is a fault of the set."""

_AGREE = 1.5
"""Moves that differ by no more cells are the same."""

_CHANCE = 1.5
"""A mean fit below it is chance: masks in wrong order give up to 1.2, as objects have like places."""

_WAYS = {
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

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Suspect:
    """One mask: its place in the sequence, what was seen, and how clear that is in standard deviations.

    Attributes:
        way: A field of `Fit`, "moved", or "" where the mask fits nowhere.
    """

    index: int
    way: str
    evidence: float


def misfits(
    fits: Sequence[Fit | None], names: Sequence[str], *, sizes: Sequence[tuple[int, int]] | None = None
) -> list[Finding]:
    """What the fits of all samples say, at most one finding of the set for each way, and one of single masks.

    Args:
        fits: Of each sample, in the reader's order; None where there was nothing to measure.
        names: The samples' names.
        sizes: Their `(height, width)`, so that moves are told in pixels; else in per cent.

    Returns:
        `misfit_all`, a warning, and `misfit`, a suspicion; or none.
    """
    if len(fits) != len(names) or (sizes is not None and len(sizes) != len(names)):
        raise ValueError(f"{len(fits)} fits need as many names and sizes, got {len(names)}")
    known = [index for index, fit in enumerate(fits) if fit is not None]
    table = _Table.of([fit for fit in fits if fit is not None])
    suspects = [_Suspect(known[row], way, evidence) for row, way, evidence in table.suspects()]
    teller = _Teller(fits, names, sizes)
    found: list[Finding] = []
    for group in _same_faults(suspects, fits):
        if len(known) >= _FEWEST and len(group) >= _SHARE * len(known):
            found.append(_of_the_set(group, len(known), teller))
            told = {suspect.index for suspect in group}
            suspects = [suspect for suspect in suspects if suspect.index not in told]
    if not found and len(known) >= _FEWEST and float(table.here.mean()) < _CHANCE:
        return [_by_chance(table, teller, known)]
    if suspects:
        found.append(_of_masks(suspects, len(known), teller))
    return found


@dataclass(frozen=True, eq=False)
class _Table:
    """The fits as columns `(N,)`."""

    here: Numbers
    border: Numbers
    moved: Numbers
    distance: Numbers
    turned: Numbers  # (N, 6), in the order of _WAYS

    @staticmethod
    def of(fits: Sequence[Fit]) -> _Table:
        def column(*names: str) -> Numbers:
            rows = [[float(getattr(fit, name)) for name in names] for fit in fits]
            return np.reshape(np.array(rows, np.float64), (len(fits), len(names)))

        return _Table(
            here=column("here")[:, 0],
            border=column("border")[:, 0],
            moved=column("moved")[:, 0],
            distance=np.hypot(column("down")[:, 0], column("right")[:, 0]),
            turned=column(*_WAYS),
        )

    def suspects(self) -> list[tuple[int, str, float]]:
        """Row, way and evidence of the masks that stand out; the clearest first."""
        if self.here.size == 0:
            return []
        best = self.turned.max(1)
        moved = np.where(self.distance >= _NEAREST, self.moved, -np.inf)
        gain = np.maximum(best, moved) - self.here
        elsewhere = (gain >= _CLEAR) & (np.maximum(best, moved) >= _CERTAIN)
        short = self._shortfall()
        nowhere = ~elsewhere & (short > 0)
        names = list(_WAYS)
        found: list[tuple[int, str, float]] = []
        for row in np.flatnonzero(elsewhere).tolist():
            way = "moved" if moved[row] > best[row] else names[int(self.turned[row].argmax())]
            found.append((row, way, float(gain[row])))
        found += [(row, "", float(short[row])) for row in np.flatnonzero(nowhere).tolist()]
        return sorted(found, key=lambda item: (-item[2], item[0]))

    def _shortfall(self) -> Numbers:
        """By how much each mask falls short of what is to be expected of it; 0 where there is no doubt."""
        if self.here.size < _FEWEST:
            return np.zeros_like(self.here)
        strength = np.log(np.maximum(self.here, 0.5) / np.sqrt(self.border))
        usual, lower = np.quantile(strength, (0.5, 0.25))
        spread = max(_NARROWEST, float(usual - lower) / 0.6745)  # of a bell curve, a quarter lies below that
        expected = np.exp(usual) * np.sqrt(self.border)
        short = expected - self.here
        doubted = (
            (short >= _SHORT) & (self.here < _CERTAIN) & (self.here < expected * math.exp(-_STRAY * spread))
        )
        return np.where(doubted, short, 0.0)


def _same_faults(suspects: Sequence[_Suspect], fits: Sequence[Fit | None]) -> list[list[_Suspect]]:
    """The suspects by what is wrong with them; of the moved ones, those that agree with the median."""
    groups = [[suspect for suspect in suspects if suspect.way == way] for way in _WAYS]
    moved = [
        (suspect, fit) for suspect in suspects if suspect.way == "moved" and (fit := fits[suspect.index])
    ]
    if moved:
        down, right = (
            float(np.median([getattr(fit, name) for _, fit in moved])) for name in ("down", "right")
        )
        groups.append(
            [suspect for suspect, fit in moved if max(abs(fit.down - down), abs(fit.right - right)) <= _AGREE]
        )
    return groups


@dataclass(frozen=True)
class _Teller:
    """What is to be seen in a sample, in words."""

    fits: Sequence[Fit | None]
    names: Sequence[str]
    sizes: Sequence[tuple[int, int]] | None

    def examples(self, suspects: Sequence[_Suspect]) -> tuple[Example, ...]:
        return tuple(
            Example(name=self.names[suspect.index], text=self.seen(suspect), index=suspect.index)
            for suspect in suspects[:MOST_EXAMPLES]
        )

    def seen(self, suspect: _Suspect) -> str:
        if suspect.way == "moved":
            return f"fits better when moved {self.move(suspect.index)}"
        if suspect.way:
            return f"fits better {_WAYS[suspect.way][0]}"
        return "its borders follow no edges of the picture"

    def move(self, index: int) -> str:
        """E.g. `12 pixels right and 3 up`; in per cent of height and width where the size is unknown."""
        fit = self.fits[index]
        if fit is None:
            return ""
        height, width = (100.0, 100.0) if self.sizes is None else self.sizes[index]
        parts: list[str] = []
        for cells, side, ahead, back in (
            (fit.right, width, "right", "left"),
            (fit.down, height, "down", "up"),
        ):
            steps = round(abs(cells) * side / CELLS)
            if steps:
                unit = "%" if self.sizes is None else " pixel" if steps == 1 else " pixels"
                parts.append(f"{steps}{unit} {ahead if cells > 0 else back}")
        return " and ".join(parts) or "by less than a pixel"


def _of_masks(suspects: Sequence[_Suspect], known: int, teller: _Teller) -> Finding:
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
    )


def _of_the_set(group: Sequence[_Suspect], known: int, teller: _Teller) -> Finding:
    way = group[0].way
    if way == "moved":
        title = f"{len(group):,} of {known:,} masks lie beside their pictures, all by the same way"
        hint = (
            f"They fit when moved about {teller.move(group[0].index)}. Look for a border that was added to "
            "pictures or masks alone (letterboxing, padding), or cropped from them."
        )
    else:
        title = f"{len(group):,} of {known:,} masks {_WAYS[way][1]}"
        hint = f"They fit their pictures far better {_WAYS[way][0]}. {_HINT[way]}"
    return Finding(
        kind="misfit_all",
        severity=Severity.WARNING,
        title=title,
        text=hint,
        count=len(group),
        examples=teller.examples(group),
    )


def _by_chance(table: _Table, teller: _Teller, known: Sequence[int]) -> Finding:
    worst = sorted(range(len(known)), key=lambda row: float(table.here[row]))
    return Finding(
        kind="misfit_all",
        severity=Severity.WARNING,
        title=f"the borders of {len(known):,} masks follow the edges of their pictures no better than chance",
        text="Perhaps masks and pictures are paired in different orders, or the masks are of another scale. "
        "Or the classes have no visible borders, as in pictures full of noise; then this means nothing.",
        count=len(known),
        examples=teller.examples([_Suspect(known[row], "", 0.0) for row in worst]),
    )
