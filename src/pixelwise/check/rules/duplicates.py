"""Pictures that are there twice: across the split, within a side, with different masks.

Frames of one film are alike by nature. That they are on both sides is what `sequences` looks at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pixelwise.check.asked import Asked, examples
from pixelwise.check.commands import leave_out_command
from pixelwise.check.copies import Near, disagreement, find_duplicates, other_masks
from pixelwise.check.finding import Example, Finding, Severity
from pixelwise.check.survey import NEITHER, SIDES, TRAIN, VAL, Survey
from pixelwise.check.words import times
from pixelwise.data.statistics import spread

_FIGURES = 0.01
"""Validation pictures that are known, as a share: fewer can hardly be seen in a figure."""

_TWO_HANDS = 0.2
"""Disagreement of masks that two people drew of one picture; of cats and their borders it is up to 0.07."""

_READ_AGAIN = 64
"""Masks that are read a second time, to say how far they differ."""


def duplicates(survey: Survey, asked: Asked) -> list[Finding]:
    """Identical pictures and near-duplicates, by what is wrong with them."""
    identical, near = find_duplicates(survey)
    strangers = [pair for pair in near if not pair.film]
    return [
        *_contradiction(survey, identical),
        *_leakage(survey, asked, identical),
        *_near_leakage(survey, asked, strangers),
        *_duplicates(survey, asked, identical),
        *_near_duplicates(survey, strangers),
        *_near_frames(survey, [pair for pair in near if pair.film]),
    ]


def _contradiction(survey: Survey, identical: Sequence[list[int]]) -> list[Finding]:
    others = other_masks(survey, identical)
    if not others:
        return []
    names = survey.dataset.reader.entries.names
    apart = {
        index: disagreement(survey.dataset.reader, index, others[index])
        for index in spread(list(others), _READ_AGAIN)
    }

    def say(index: int) -> str:
        return f"the picture of {names[others[index]]}; their masks disagree by {100 * apart[index]:.0f}%"

    grave = any(share > _TWO_HANDS for share in apart.values())
    return [
        Finding(
            kind="contradiction",
            severity=Severity.ERROR if grave else Severity.WARNING,
            title=f"{times(len(others), 'picture')} identical to another one that has a different mask",
            text="A network is told two things about one picture. "
            + ("" if grave else "The masks differ as masks do that were drawn twice, so it costs little. ")
            + "Look at both masks, and remove the worse one.",
            count=len(others),
            examples=examples(
                survey.dataset.reader,
                sorted(apart, key=lambda index: (-apart[index], index)),
                say,
                beside=others,
            ),
        )
    ]


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
            remedy=leave_out_command(asked, "leakage"),
            examples=_named(survey, trained),
            leave_out=tuple(trained),
        )
    ]


def _near_leakage(survey: Survey, asked: Asked, near: Sequence[Near]) -> list[Finding]:
    found: dict[int, tuple[int, Near]] = {}
    validated: set[int] = set()
    for pair in near:
        sides = [int(survey.sides[index]) for index in (pair.first, pair.second)]
        if sorted(sides) != sorted((TRAIN, VAL)):
            continue
        one, other = (pair.first, pair.second) if sides[0] == TRAIN else (pair.second, pair.first)
        validated.add(other)
        if one not in found or pair.resemblance > found[one][1].resemblance:
            found[one] = (other, pair)
    if not found:
        return []
    return [
        Finding(
            kind="near_leakage",
            severity=Severity.WARNING,
            title=f"{times(len(found), 'training picture')} nearly the same as {len(validated):,} of "
            f"{int((survey.sides == VAL).sum()):,} for validation",
            text="One photo saved again, cropped, mirrored, made lighter, or taken a moment later. The "
            "network knows the answer, so its figures are better than it is. Leave them out of training, "
            "or put both on one side.",
            count=len(found),
            remedy=leave_out_command(asked, "near_leakage"),
            examples=_pictured(survey, found),
            leave_out=tuple(sorted(found)),
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
            remedy=leave_out_command(asked, "duplicates"),
            examples=_named(survey, again),
            leave_out=tuple(sorted(again)),
        )
    ]


def _near_duplicates(survey: Survey, near: Sequence[Near]) -> list[Finding]:
    found: dict[int, tuple[int, Near]] = {}
    for pair in near:
        side = int(survey.sides[pair.first])
        if side == int(survey.sides[pair.second]) and side != NEITHER:
            other = found.get(pair.second)
            if other is None or pair.resemblance > other[1].resemblance:
                found[pair.second] = (pair.first, pair)
    if not found:
        return []
    return [
        Finding(
            kind="near_duplicates",
            severity=Severity.NOTE,
            title=f"{times(len(found), 'picture')} nearly the same as another one of their side",
            text="They count more than others, and a split that is drawn anew may put them on both sides.",
            count=len(found),
            examples=_pictured(survey, found),
            leave_out=tuple(sorted(found)),
        )
    ]


def _near_frames(survey: Survey, near: Sequence[Near]) -> list[Finding]:
    found: dict[int, tuple[int, Near]] = {}
    for pair in near:
        found.setdefault(pair.second, (pair.first, pair))
    if not found:
        return []
    return [
        Finding(
            kind="near_frames",
            severity=Severity.NOTE,
            title=f"{times(len(found), 'frame')} nearly the same as an earlier one of their film",
            text="So films are, where they run slowly or nothing moves. Such frames add little to training; "
            "in validation they count as many pictures and are few.",
            count=len(found),
            examples=_pictured(survey, found),
        )
    ]


def _named(survey: Survey, others: Mapping[int, int]) -> tuple[Example, ...]:
    """Copies as examples, each with what it is a copy of."""
    names = survey.dataset.reader.entries.names

    def say(index: int) -> str:
        other = others[index]
        return f"identical to {names[other]} ({SIDES[survey.sides[other]]})"

    return examples(survey.dataset.reader, others, say, beside=others)


def _pictured(survey: Survey, found: Mapping[int, tuple[int, Near]]) -> tuple[Example, ...]:
    """The pairs that are most alike as examples."""
    names = survey.dataset.reader.entries.names

    def say(index: int) -> str:
        other, pair = found[index]
        mirrored = " mirrored" if pair.mirrored else ""
        return f"{100 * pair.resemblance:.0f}% like {names[other]}{mirrored} ({SIDES[survey.sides[other]]})"

    ranked = sorted(found, key=lambda index: (-found[index][1].resemblance, index))
    others = {index: other for index, (other, _) in found.items()}
    return examples(survey.dataset.reader, ranked, say, beside=others)
