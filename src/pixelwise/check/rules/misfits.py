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
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from pixelwise.check.finding import MOST_EXAMPLES, Finding
from pixelwise.check.fit import Fit
from pixelwise.check.rows import Indices, Rows, blocks
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

_ROWS = 4096

Numbers = npt.NDArray[np.float64]


def misfits(fits: Rows, known: Indices, names: Sequence[str], sizes: npt.NDArray[np.int32]) -> list[Finding]:
    """What the fits of all samples say, at most one finding of the set for each way, and one of single masks.

    Args:
        fits: `(n, 11)` of each sample the numbers of `Fit`.
        known: Indices of the samples of which they are known.
        names: The samples' names.
        sizes: `(n, 2)` their height and width; moves are told in pixels.

    Returns:
        `misfit_all`, an error, or a warning where nothing fits at all; and `misfit`, a suspicion; or none.
    """
    if not len(fits) == len(names) == len(sizes):
        raise ValueError(f"{len(fits)} fits need as many names and sizes, got {len(names)}")
    table = _Table.of(fits, known)
    suspects = [Suspect(int(known[row]), way, evidence) for row, way, evidence in table.suspects()]
    teller = Teller(fits, names, sizes)
    found: list[Finding] = []
    for group in _same_faults(suspects, teller):
        if len(known) >= _FEWEST and len(group) >= _SHARE * len(known):
            found.append(of_the_set(group, len(known), teller))
            told = {suspect.index for suspect in group}
            suspects = [suspect for suspect in suspects if suspect.index not in told]
    if not found and len(known) >= _FEWEST and float(table.here.mean()) < _CHANCE:
        worst = known[np.argsort(table.here, kind="stable")[:MOST_EXAMPLES]]
        return [by_chance(worst.tolist(), len(known), teller)]
    if suspects:
        found.append(of_masks(suspects, len(known), teller))
    return found


@dataclass(frozen=True, eq=False)
class _Table:
    """The fits as columns `(m,)`: `best` is the best of all turns, and `way` its place in `WAYS`."""

    here: Numbers
    border: Numbers
    moved: Numbers
    distance: Numbers
    best: Numbers
    way: npt.NDArray[np.int8]

    @staticmethod
    def of(fits: Rows, known: Indices) -> _Table:
        """The columns of those that are known."""
        names = [field.name for field in fields(Fit)]
        here, border, moved, down, right = (
            names.index(name) for name in ("here", "border", "moved", "down", "right")
        )
        turned = [names.index(name) for name in WAYS]
        columns, ways = np.zeros((5, len(known))), np.zeros(len(known), np.int8)
        for places in blocks(len(known), _ROWS):
            rows = fits[known[places]]
            columns[:3, places] = np.transpose(rows[:, [here, border, moved]])
            columns[3, places] = np.hypot(rows[:, down], rows[:, right])
            columns[4, places] = rows[:, turned].max(1)
            ways[places] = rows[:, turned].argmax(1)
        return _Table(*columns, way=ways)

    def suspects(self) -> list[tuple[int, str, float]]:
        """Row, way and evidence of the masks that stand out; the clearest first."""
        if self.here.size == 0:
            return []
        best = self.best
        moved = np.where(self.distance >= _NEAREST, self.moved, -np.inf)
        gain = np.maximum(best, moved) - self.here
        elsewhere = (gain >= _CLEAR) & (np.maximum(best, moved) >= _CERTAIN)
        short = self._shortfall()
        nowhere = ~elsewhere & (short > 0)
        names = list(WAYS)
        found: list[tuple[int, str, float]] = []
        for row in np.flatnonzero(elsewhere).tolist():
            way = "moved" if moved[row] > best[row] else names[int(self.way[row])]
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


def _same_faults(suspects: Sequence[Suspect], teller: Teller) -> list[list[Suspect]]:
    """The suspects by what is wrong with them; of the moved ones, those that agree with the median."""
    groups = [[suspect for suspect in suspects if suspect.way == way] for way in WAYS]
    moved = [(suspect, teller.fit(suspect.index)) for suspect in suspects if suspect.way == "moved"]
    if moved:
        down, right = (
            float(np.median([getattr(fit, name) for _, fit in moved])) for name in ("down", "right")
        )
        groups.append(
            [suspect for suspect, fit in moved if max(abs(fit.down - down), abs(fit.right - right)) <= _AGREE]
        )
    return groups
