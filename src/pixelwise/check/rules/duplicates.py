"""Pictures that are there twice: across the split, within a side, with different masks.

Frames of one film are alike by nature. That they are on both sides is what `sequences` looks at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pixelwise.check.asked import Asked, examples
from pixelwise.check.commands import leaving_out, mending_command
from pixelwise.check.copies import Near, Nearest, disagreement, find_duplicates, other_masks
from pixelwise.check.finding import MOST_EXAMPLES, Example, Finding, Severity
from pixelwise.check.survey import NEITHER, SIDES, TRAIN, VAL, Survey
from pixelwise.check.words import times
from pixelwise.data.statistics import spread

_FIGURES = 0.01
"""Validation pictures that are known, as a share: fewer can hardly be seen in a figure."""

_TWO_HANDS = 0.2
"""Disagreement of masks that two people drew of one picture; of cats and their borders it is up to 0.07."""

_READ_AGAIN = 500
"""Pairs of masks that are read a second time, to say how far they differ: some ten seconds."""


def duplicates(survey: Survey, asked: Asked) -> list[Finding]:
    """Identical pictures and near-duplicates, by what is wrong with them."""
    copies = find_duplicates(survey)
    known = _Known(len(survey))
    for near in copies.near():
        known.add(survey, near)
    return [
        *_contradiction(survey, copies.identical),
        *_leakage(survey, asked, copies.identical),
        *_near_leakage(survey, asked, known),
        *_duplicates(survey, asked, copies.identical),
        *_near_duplicates(survey, known),
        *_near_frames(survey, known),
    ]


class _Known:
    """Of each sample the one it is nearly the same as, by what is wrong with that.

    Attributes:
        across: Training samples like one of the validation side.
        within: Samples like an earlier one of their side.
        frames: Frames like an earlier one of their film.
        validated: `(n,)` which validation samples are among those of `across`.
    """

    def __init__(self, count: int) -> None:
        self.across, self.within, self.frames = Nearest(count), Nearest(count), Nearest(count, earliest=True)
        self.validated = np.zeros(count, np.bool_)

    def add(self, survey: Survey, near: Near) -> None:
        """Takes pairs in."""
        first, second, strangers = near.first, near.second, ~near.film
        one, other = survey.sides[first], survey.sides[second]
        self.within.add(second, first, near, strangers & (one == other) & (one != NEITHER))
        self.frames.add(second, first, near, near.film)
        for train, val, chosen in (
            (first, second, strangers & (one == TRAIN) & (other == VAL)),
            (second, first, strangers & (one == VAL) & (other == TRAIN)),
        ):
            self.across.add(train, val, near, chosen)
            self.validated[val[chosen]] = True


def _contradiction(survey: Survey, identical: Sequence[list[int]]) -> list[Finding]:
    others = other_masks(survey, identical)
    if not others:
        return []
    names = survey.dataset.reader.entries.names
    apart, pairs = _disagreements(survey, others)

    def say(index: int) -> str:
        return f"the picture of {names[others[index]]}; their masks disagree by {100 * apart[index]:.0f}%"

    grave = any(share > _TWO_HANDS for share in apart.values())
    judged = (
        f" {_READ_AGAIN:,} of {pairs:,} pairs of masks, spread evenly over the set, were compared."
        if pairs > _READ_AGAIN
        else ""
    )
    return [
        Finding(
            kind="contradiction",
            severity=Severity.ERROR if grave else Severity.WARNING,
            title=f"{times(len(others), 'picture')} identical to another one that has a different mask",
            text="A network is told two things about one picture. "
            + ("" if grave else "The masks differ as masks do that were drawn twice, so it costs little. ")
            + "Look at both masks, and remove the worse one."
            + judged,
            count=len(others),
            examples=examples(
                survey.dataset.reader,
                sorted(apart, key=lambda index: (-apart[index], index)),
                say,
                beside=others,
            ),
        )
    ]


def _disagreements(survey: Survey, others: Mapping[int, int]) -> tuple[dict[int, float], int]:
    """Sample -> how far its mask and the other one's differ; and how many different pairs of masks there are.

    Where there are more than can be read again, some of them; a pair that comes again is read once.
    """
    pairs: dict[tuple[int, int], list[int]] = {}
    for index, other in others.items():
        one, two = sorted((int(survey.masks[index]), int(survey.masks[other])))
        pairs.setdefault((one, two), []).append(index)
    apart: dict[int, float] = {}
    every = list(pairs.values())
    for place in spread(range(len(every)), _READ_AGAIN):
        members = every[place]
        share = disagreement(survey.dataset.reader, members[0], others[members[0]])
        apart |= dict.fromkeys(members, share)
    return apart, len(pairs)


def _leakage(survey: Survey, asked: Asked, identical: Sequence[list[int]]) -> list[Finding]:
    trained: dict[int, int] = {}
    for group in identical:
        validated = [index for index in group if survey.sides[index] == VAL]
        if validated:
            trained |= {index: validated[0] for index in group if survey.sides[index] == TRAIN}
    if not trained:
        return []
    validated, all_validated = len(set(trained.values())), int((survey.sides == VAL).sum())
    grave = validated > _FIGURES * all_validated
    return [
        Finding(
            kind="leakage",
            severity=Severity.ERROR if grave else Severity.WARNING,
            title=f"{times(len(trained), 'training picture')} identical to {validated:,} of "
            f"{all_validated:,} for validation",
            text="The network is asked what it was told, so its figures are better than it is"
            f"{'' if grave else ', if only by a little'}. Leave the copies out of training: validation then "
            "stays what it was.",
            count=len(trained),
            remedy=mending_command(asked, leaving_out(asked, "leakage")),
            changes=leaving_out(asked, "leakage"),
            examples=_named(survey, trained),
            leave_out=tuple(trained),
        )
    ]


def _near_leakage(survey: Survey, asked: Asked, known: _Known) -> list[Finding]:
    found = known.across.found.tolist()
    if not found:
        return []
    return [
        Finding(
            kind="near_leakage",
            severity=Severity.WARNING,
            title=f"{times(len(found), 'training picture')} nearly the same as {known.validated.sum():,} of "
            f"{int((survey.sides == VAL).sum()):,} for validation",
            text="One photo saved again, cropped, mirrored, made lighter, or taken a moment later. The "
            "network knows the answer, so its figures are better than it is. Leave them out of training, "
            "or put both on one side.",
            count=len(found),
            remedy=mending_command(asked, leaving_out(asked, "near_leakage")),
            changes=leaving_out(asked, "near_leakage"),
            examples=_pictured(survey, known.across),
            leave_out=tuple(found),
        )
    ]


def _duplicates(survey: Survey, asked: Asked, identical: Sequence[list[int]]) -> list[Finding]:
    again: dict[int, int] = {}
    for group in identical:
        first: dict[int, int] = {}
        for index in group:
            side = int(survey.sides[index])
            # Copies with another mask are a contradiction: which one is right is for a person to say.
            if side != NEITHER and survey.masks[index] == survey.masks[first.setdefault(side, index)]:
                again[index] = first[side]
        for index in first.values():
            again.pop(index, None)
    if not again:
        return []
    counts = [sum(int(survey.sides[index]) == side for index in again) for side in (TRAIN, VAL)]
    each = " and ".join(f"{count:,} of {SIDES[side]}" for side, count in enumerate(counts) if count)
    return [
        Finding(
            kind="duplicates",
            severity=Severity.WARNING,
            title=f"{times(len(again), 'picture')} there more than once on one side ({each})",
            text="Each copy counts again: in training it weighs more than others, in validation its errors "
            "do.",
            count=len(again),
            remedy=mending_command(asked, leaving_out(asked, "duplicates")),
            changes=leaving_out(asked, "duplicates"),
            examples=_named(survey, again),
            leave_out=tuple(sorted(again)),
        )
    ]


def _near_duplicates(survey: Survey, known: _Known) -> list[Finding]:
    found = known.within.found.tolist()
    if not found:
        return []
    return [
        Finding(
            kind="near_duplicates",
            severity=Severity.NOTE,
            title=f"{times(len(found), 'picture')} nearly the same as another one of their side",
            text="They count more than others, and a split that is drawn anew may put them on both sides.",
            count=len(found),
            examples=_pictured(survey, known.within),
            leave_out=tuple(found),
        )
    ]


def _near_frames(survey: Survey, known: _Known) -> list[Finding]:
    count = len(known.frames.found)
    if not count:
        return []
    return [
        Finding(
            kind="near_frames",
            severity=Severity.NOTE,
            title=f"{times(count, 'frame')} nearly the same as an earlier one of their film",
            text="So films are, where they run slowly or nothing moves. Such frames add little to training; "
            "in validation they count as many pictures and are few.",
            count=count,
            examples=_pictured(survey, known.frames),
        )
    ]


def _named(survey: Survey, others: Mapping[int, int]) -> tuple[Example, ...]:
    """Copies as examples, each with what it is a copy of."""
    names = survey.dataset.reader.entries.names

    def say(index: int) -> str:
        other = others[index]
        return f"identical to {names[other]} ({SIDES[survey.sides[other]]})"

    return examples(survey.dataset.reader, others, say, beside=others)


def _pictured(survey: Survey, nearest: Nearest) -> tuple[Example, ...]:
    """The pairs that are most alike as examples."""
    names = survey.dataset.reader.entries.names
    found = nearest.found
    ranked = found[np.argsort(-nearest.resemblance[found], kind="stable")][:MOST_EXAMPLES].tolist()
    others = {index: int(nearest.other[index]) for index in ranked}

    def say(index: int) -> str:
        other, alike = others[index], float(nearest.resemblance[index])
        mirrored = " mirrored" if nearest.mirrored[index] else ""
        return f"{100 * alike:.0f}% like {names[other]}{mirrored} ({SIDES[survey.sides[other]]})"

    return examples(survey.dataset.reader, ranked, say, beside=others)
