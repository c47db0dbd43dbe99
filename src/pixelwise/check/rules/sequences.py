"""Films of which frames train and frames validate, one beside the other.

A frame beside one that was trained on is no new picture: figures measured on it say how well the network
remembers. Knows films as `frames` finds them; a film that is cut once or twice, as CamVid's, is in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwise.check.asked import Asked, examples
from pixelwise.check.commands import mending_command
from pixelwise.check.finding import Finding, Severity
from pixelwise.check.frames import Film
from pixelwise.check.rows import Indices
from pixelwise.check.survey import NEITHER, TRAIN, VAL, Survey
from pixelwise.check.together import SPLIT
from pixelwise.check.words import listed, times
from pixelwise.config import DataConfig
from pixelwise.data.splits import make_split
from pixelwise.errors import DataError

_BESIDE = 0.25
"""Share of the validation frames beside a training frame from which on a split is at fault."""

_CUTS = 2
"""Changes of side that a film may have: a block in its middle has two."""

Sides = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Mixed:
    """How films lie in a split.

    Attributes:
        beside: Validation frame -> a training frame next to it.
        validated: Validation frames of all films.
        films: Those with frames on both sides.
        cuts: Changes of side between neighbours, over all films.
    """

    beside: dict[int, int]
    validated: int
    films: tuple[Film, ...]
    cuts: int

    @property
    def share(self) -> float:
        """Of the validation frames that have a training frame next to them, in 0..1."""
        return len(self.beside) / max(self.validated, 1)

    @property
    def interleaved(self) -> bool:
        """Whether frames were dealt out one by one rather than in blocks."""
        return self.share >= _BESIDE and self.cuts > _CUTS * len(self.films)


def split_films(survey: Survey, asked: Asked) -> list[Finding]:
    """Films whose frames were dealt out to training and validation."""
    reader = survey.dataset.reader
    films = survey.films
    mixed = mix(films, survey.sides)
    if not mixed.interleaved:
        return []
    names = reader.entries.names
    changes = _changes(survey, asked, films, mixed)
    films_text = listed((film.name for film in mixed.films), most=4)
    return [
        Finding(
            kind="sequence_split",
            severity=Severity.WARNING,
            title=f"{len(mixed.beside):,} of {times(mixed.validated, 'validation frame')} of films lie "
            "next to a training frame",
            text=f"The frames of {times(len(mixed.films), 'film')} ({films_text}) were dealt out one by one, "
            "so validation asks for pictures that are as good as known, and its figures are too high. Keep a "
            "film on one side, or validate on its end.",
            count=len(mixed.beside),
            remedy=mending_command(asked, changes),
            changes=changes,
            examples=examples(
                reader, sorted(mixed.beside), lambda index: f"next to {names[mixed.beside[index]]} (train)"
            ),
        )
    ]


def mix(films: Iterable[Film], sides: Sides) -> Mixed:
    """Which validation frames lie next to training frames."""
    beside: dict[int, int] = {}
    validated = cuts = 0
    both: list[Film] = []
    for film in films:
        own = sides[film.frames]
        validated += int((own == VAL).sum())
        if (own == TRAIN).any() and (own == VAL).any():
            both.append(film)
        before, after = _neighbours(film, sides)
        cut = sides[before] != sides[after]
        cuts += int(cut.sum())
        for one, other in zip(before[cut].tolist(), after[cut].tolist(), strict=True):
            val, train = (one, other) if sides[one] == VAL else (other, one)
            beside[val] = train
    return Mixed(beside, validated, tuple(both), cuts)


def _neighbours(film: Film, sides: Sides) -> tuple[Indices, Indices]:
    """Frames that follow each other on either side of the split; those on neither are passed over."""
    gaps = np.concatenate(([0], np.cumsum(~film.follows)))  # how many lie before each frame
    there = sides[film.frames] != NEITHER
    frames, gaps = film.frames[there], gaps[there]
    together = gaps[1:] == gaps[:-1]
    return frames[:-1][together], frames[1:][together]


def _changes(survey: Survey, asked: Asked, films: Sequence[Film], mixed: Mixed) -> dict[str, Any]:
    """The settings of the first other split that keeps films together, of about as many pictures."""
    names = survey.dataset.reader.entries.names
    wanted = int((survey.sides == VAL).sum())
    share = round(wanted / max(int((survey.sides != NEITHER).sum()), 1), 3)
    usual = replace(asked.config, val_last=None, val_share=None, val_groups=False)
    official = survey.dataset.reader.splits
    for config in (
        *([usual] if official else []),
        replace(usual, val_groups=True, val_share=min(max(share, 0.001), 0.999)),
        replace(usual, val_last=wanted),
    ):
        if _mends(names, official, films, config, wanted):
            return {name: getattr(config, name) for name in SPLIT}
    return {}


def _mends(
    names: Sequence[str],
    official: Mapping[str, tuple[int, ...]],
    films: Sequence[Film],
    config: DataConfig,
    wanted: int,
) -> bool:
    """Whether the split of a configuration cuts films into blocks, and validates on about as many."""
    try:
        split = make_split(names, official, config)
    except DataError:
        return False
    sides = np.full(len(names), NEITHER, np.int8)
    sides[list(split.train)] = TRAIN
    sides[list(split.val)] = VAL
    mixed = mix(films, sides)
    fair = wanted / 2 <= len(split.val) <= 2 * wanted
    return fair and not mixed.interleaved and mixed.cuts <= _CUTS * len(mixed.films)
