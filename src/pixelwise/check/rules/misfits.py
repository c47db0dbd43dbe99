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

from pixelwise.check.finding import Finding
from pixelwise.check.fit import Fit
from pixelwise.check.rules.misfit_words import WAYS, Suspect, Teller, by_chance, of_masks, of_the_set

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

Numbers = npt.NDArray[np.float64]


def misfits(
    fits: Sequence[Fit | None], names: Sequence[str], sizes: Sequence[tuple[int, int]]
) -> list[Finding]:
    """What the fits of all samples say, at most one finding of the set for each way, and one of single masks.

    Args:
        fits: Of each sample, in the reader's order; None where there was nothing to measure.
        names: The samples' names.
        sizes: Their `(height, width)`; moves are told in pixels.

    Returns:
        `misfit_all`, an error, or a warning where nothing fits at all; and `misfit`, a suspicion; or none.
    """
    if not len(fits) == len(names) == len(sizes):
        raise ValueError(f"{len(fits)} fits need as many names and sizes, got {len(names)}")
    known = [index for index, fit in enumerate(fits) if fit is not None]
    table = _Table.of([fit for fit in fits if fit is not None])
    suspects = [Suspect(known[row], way, evidence) for row, way, evidence in table.suspects()]
    teller = Teller(fits, names, sizes)
    found: list[Finding] = []
    for group in _same_faults(suspects, fits):
        if len(known) >= _FEWEST and len(group) >= _SHARE * len(known):
            found.append(of_the_set(group, len(known), teller))
            told = {suspect.index for suspect in group}
            suspects = [suspect for suspect in suspects if suspect.index not in told]
    if not found and len(known) >= _FEWEST and float(table.here.mean()) < _CHANCE:
        worst = sorted(range(len(known)), key=lambda row: float(table.here[row]))
        return [by_chance([known[row] for row in worst], teller)]
    if suspects:
        found.append(of_masks(suspects, len(known), teller))
    return found


@dataclass(frozen=True, eq=False)
class _Table:
    """The fits as columns `(N,)`."""

    here: Numbers
    border: Numbers
    moved: Numbers
    distance: Numbers
    turned: Numbers  # (N, 6), in the order of WAYS

    @staticmethod
    def of(fits: Sequence[Fit]) -> _Table:
        """The columns of so many fits."""

        def column(*names: str) -> Numbers:
            rows = [[float(getattr(fit, name)) for name in names] for fit in fits]
            return np.reshape(np.array(rows, np.float64), (len(fits), len(names)))

        return _Table(
            here=column("here")[:, 0],
            border=column("border")[:, 0],
            moved=column("moved")[:, 0],
            distance=np.hypot(column("down")[:, 0], column("right")[:, 0]),
            turned=column(*WAYS),
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
        names = list(WAYS)
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


def _same_faults(suspects: Sequence[Suspect], fits: Sequence[Fit | None]) -> list[list[Suspect]]:
    """The suspects by what is wrong with them; of the moved ones, those that agree with the median."""
    groups = [[suspect for suspect in suspects if suspect.way == way] for way in WAYS]
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
