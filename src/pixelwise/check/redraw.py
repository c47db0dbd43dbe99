"""Another draw of the split, where the present one leaves a side without some class.

Knows names, the rule of the draw, and which sample has which class.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pixelwise.check.asked import Asked
from pixelwise.check.survey import Survey
from pixelwise.data.splits import Split, make_split
from pixelwise.errors import DataError

_MOST_DRAWS = 1_000_000
"""Names that are drawn in all: some two seconds."""

_MOST_SEEDS = 200

_Bits = npt.NDArray[np.uint8]


def better_seed(survey: Survey, asked: Asked) -> int | None:
    """The first seed whose draw gives both sides every class that they can both have.

    Classes of a single sound sample cannot be on both sides, and don't count.

    Returns:
        None where the split is not drawn, or no seed that was tried does it.
    """
    classes = len(survey.dataset.classes)
    wanted = np.packbits(survey.pictures[:, :classes].sum(axis=0) >= 2, bitorder="little")
    if not wanted.any():
        return None
    now = survey.dataset.split
    for seed in range(1, min(_MOST_SEEDS, _MOST_DRAWS // len(survey)) + 1):
        if seed == asked.config.val_seed:
            continue
        split = _drawn(survey, asked, seed)
        if split is None or split.val == now.val:  # the data set's own, or the last N
            return None
        if _has_all(survey.present, wanted, split):
            return seed
    return None


def _drawn(survey: Survey, asked: Asked, seed: int) -> Split | None:
    reader = survey.dataset.reader
    try:
        return make_split(reader.entries.names, reader.splits, replace(asked.config, val_seed=seed))
    except DataError:
        return None


def _has_all(present: _Bits, wanted: _Bits, split: Split) -> bool:
    for side in (split.train, split.val):
        there: _Bits = np.bitwise_or.reduce(present[list(side)], axis=0)  # pyright: ignore[reportUnknownMemberType]
        if not bool((there & wanted == wanted).all()):
            return False
    return True
