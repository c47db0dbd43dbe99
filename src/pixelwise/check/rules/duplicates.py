"""Pictures that are there twice: across the split, within a side, with different masks.

Frames of one film are alike by nature. That they are on both sides is what `sequences` looks at.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pixelwise.check.asked import Asked, examples, times
from pixelwise.check.commands import leave_out_command
from pixelwise.check.finding import Example, Finding, Severity
from pixelwise.check.frames import find_films
from pixelwise.check.survey import NEITHER, SIDES, TRAIN, VAL, Survey
from pixelwise.check.twins import find_twins
from pixelwise.data.reader import Reader
from pixelwise.errors import DataError

_TWO_HANDS = 0.2
"""Disagreement of masks that two people drew of one picture: 0.06 for cats whose border is a class of its own."""

_READ_AGAIN = 64
"""Masks that are read a second time, to say how far they differ."""


@dataclass(frozen=True, kw_only=True)
class Near:
    """Two samples of one photo that are not identical.

    Attributes:
        first: One index in the reader.
        second: The other.
        resemblance: In 0..1.
        mirrored: Whether one is the other's mirror image.
        film: Whether both are frames of one film.
    """

    first: int
    second: int
    resemblance: float
    mirrored: bool
    film: bool


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


def find_duplicates(survey: Survey) -> tuple[list[list[int]], list[Near]]:
    """Sets of identical samples, each of at least two, and pairs of near ones; sorted by index.

    Of identical samples each stands in a pair if it is the first of its side.
    """
    indices = [index for index, item in enumerate(survey.likenesses) if item is not None]
    likenesses = [item for item in survey.likenesses if item is not None]
    twins = find_twins(likenesses)
    members: dict[int, list[int]] = defaultdict(list)
    for place, first in enumerate(twins.same.tolist()):
        members[first].append(indices[place])
    film_of = _films(survey)
    pairs: list[Near] = []
    for a, b, alike, mirrored in zip(
        twins.first.tolist(),
        twins.second.tolist(),
        twins.resemblance.tolist(),
        twins.mirrored.tolist(),
        strict=True,
    ):
        for one in _first_of_each_side(survey, members[a]):
            for other in _first_of_each_side(survey, members[b]):
                film = film_of.get(one, -1) == film_of.get(other, -2)
                first, second = min(one, other), max(one, other)
                pairs.append(
                    Near(first=first, second=second, resemblance=alike, mirrored=mirrored, film=film)
                )
    pairs.sort(key=lambda pair: (pair.first, pair.second))
    return [group for group in members.values() if len(group) > 1], pairs


def _films(survey: Survey) -> dict[int, int]:
    """Index of a sample -> which film it is a frame of."""
    films = find_films(survey.dataset.reader.entries.names, survey.likenesses)
    return {index: number for number, film in enumerate(films) for index in film.frames}


def _first_of_each_side(survey: Survey, group: Iterable[int]) -> list[int]:
    first: dict[int, int] = {}
    for index in group:
        first.setdefault(int(survey.sides[index]), index)
    return list(first.values())


def _contradiction(survey: Survey, identical: Sequence[list[int]]) -> list[Finding]:
    others = _other_masks(survey, identical)
    if not others:
        return []
    names = survey.dataset.reader.entries.names
    apart = {index: disagreement(survey.dataset.reader, index, others[index]) for index in _few(others)}

    def say(index: int) -> str:
        return f"the picture of {names[others[index]]}; their masks disagree by {100 * apart[index]:.0f}%"

    grave = any(share > _TWO_HANDS for share in apart.values())
    return [
        Finding(
            kind="contradiction",
            severity=Severity.ERROR if grave else Severity.WARNING,
            title=f"{times(len(others), 'picture')} identical to another one that has a different mask",
            text="A network is told two things about one picture. Look at both masks, and remove the worse one."
            if grave
            else "The masks differ as masks do that were drawn twice; still, one of the two is enough. Remove "
            "the worse one.",
            count=len(others),
            examples=examples(
                survey.dataset.reader, sorted(apart, key=lambda index: (-apart[index], index)), say
            ),
        )
    ]


def _other_masks(survey: Survey, identical: Sequence[list[int]]) -> dict[int, int]:
    """Sample -> the first one with the same picture, of the same size, and another mask."""
    others: dict[int, int] = {}
    for group in identical:
        # A mask of another size differs without saying anything else, so only equal sizes are compared.
        by_size: dict[tuple[int, int], list[int]] = defaultdict(list)
        for index in group:
            height, width = survey.sizes[index].tolist()
            by_size[height, width].append(index)
        for same_size in by_size.values():
            first_of: dict[int, int] = {}
            for index in same_size:
                first_of.setdefault(int(survey.masks[index]), index)
            firsts = list(first_of.values())[:2]  # whose mask is not the first one's differs from the first
            if len(firsts) == 2:
                for index in same_size:
                    others[index] = firsts[survey.masks[index] == survey.masks[firsts[0]]]
    return others


def _few(others: Mapping[int, int]) -> list[int]:
    return list(others)[:_READ_AGAIN]


def disagreement(reader: Reader, one: int, other: int) -> float:
    """How far two masks of one size differ, in 0..1: of the pixels outside their commonest class.

    So an object that only one of them has is a disagreement of 1, however small it is. Masks that can no
    longer be read disagree by 1 too.
    """
    try:
        a, b = reader[one].mask, reader[other].mask
    except DataError:
        return 1.0
    common = (np.bincount(a.ravel(), minlength=256) + np.bincount(b.ravel(), minlength=256)).argmax()
    return float((a != b).sum() / max(((a != common) | (b != common)).sum(), 1))


def _leakage(survey: Survey, asked: Asked, identical: Sequence[list[int]]) -> list[Finding]:
    trained: dict[int, int] = {}
    for group in identical:
        validated = [index for index in group if survey.sides[index] == VAL]
        if validated:
            trained |= {index: validated[0] for index in group if survey.sides[index] == TRAIN}
    if not trained:
        return []
    validated = len(set(trained.values()))
    return [
        Finding(
            kind="leakage",
            severity=Severity.ERROR,
            title=f"{times(len(trained), 'training picture')} identical to {validated:,} of "
            f"{int((survey.sides == VAL).sum()):,} for validation",
            text="The network is asked what it was told, so its figures are better than it is. Leave the "
            "copies out of training: validation then stays what it was.",
            count=len(trained),
            remedy=leave_out_command(asked, "leakage"),
            examples=examples(survey.dataset.reader, trained, _named(survey, trained, "identical to")),
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
            examples=examples(survey.dataset.reader, again, _named(survey, again, "identical to")),
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


def _named(survey: Survey, others: Mapping[int, int], text: str) -> Callable[[int], str]:
    names = survey.dataset.reader.entries.names

    def say(index: int) -> str:
        other = others[index]
        return f"{text} {names[other]} ({SIDES[survey.sides[other]]})"

    return say


def _pictured(survey: Survey, found: Mapping[int, tuple[int, Near]]) -> tuple[Example, ...]:
    """The pairs that are most alike as examples."""
    names = survey.dataset.reader.entries.names

    def say(index: int) -> str:
        other, pair = found[index]
        mirrored = " mirrored" if pair.mirrored else ""
        return f"{100 * pair.resemblance:.0f}% like {names[other]}{mirrored} ({SIDES[survey.sides[other]]})"

    ranked = sorted(found, key=lambda index: (-found[index][1].resemblance, index))
    return examples(survey.dataset.reader, ranked, say)
