"""Size, crop and batch together: the best shape whose batch fits into memory and whose run ends in a night.

A pure function of facts. More memory never makes the batch smaller: the batch that is wanted does not depend
on memory, and where it does not fit at once it goes through in pieces.
"""

from __future__ import annotations

from dataclasses import dataclass

from pixelwise.errors import PixelwiseError
from pixelwise.training.machine import gib
from pixelwise.training.plan.choice import Draft
from pixelwise.training.plan.facts import Facts
from pixelwise.training.plan.shapes import LARGEST_WHOLE, Shape, shapes
from pixelwise.types import size_text

BATCH_GPU, BATCH_LARGE_SET, BATCH_SMALL = 16, 32, 8
"""16 is what DeepLabv3 found batch normalisation to want (Chen 2017). A processor is no faster with more at
once, so that 8 give it twice the steps in the same time; so do they with few pictures."""

FEW_PICTURES, MANY_PICTURES = 200, 5_000

FEWEST_AT_ONCE = 4
"""Below so many pictures the statistics of batch normalisation get too noisy (Y. Wu, K. He, ECCV 2018)."""

CROP_SCALE = (0.5, 2.0)
"""The scale jitter before a crop of DeepLabv3 (Chen 2017)."""

SHORTEST_RUN = 2_500
"""Steps that there must be time for…"""

LONGEST_SECONDS = 12 * 3600.0
"""…in a night."""

_TRIED = 4
"""How far a batch may shrink to leave no picture alone, where the network cannot train on one."""


class DoesNotFitError(PixelwiseError):
    """Nothing that can be trained fits into the memory; the message has the numbers."""


@dataclass(frozen=True)
class _Batch:
    """Pictures of a step, those of them that go through at once, and whether validation decided."""

    pictures: int
    at_once: int
    by_validation: bool


def propose_room(draft: Draft, facts: Facts) -> Draft:
    """Decides on size, crop, batch size and micro-batch.

    Raises:
        DoesNotFitError: Even the smallest choice needs more memory than there is.
    """
    options: list[tuple[tuple[bool, int, int, bool], Shape, _Batch]] = []
    last: Shape | None = None
    for shape in shapes(draft, facts.data, facts.network):
        last, batch = shape, _batch(draft, facts, shape)
        if batch is None:
            continue
        good, quick = _good(batch, draft, facts), _quick(shape, draft, facts)
        if good and quick:
            return _chosen(draft, facts, shape, batch)
        options.append(((good, batch.pictures, batch.at_once, quick), shape, batch))
    if not options:
        raise DoesNotFitError(_too_little(draft, facts, last))
    # `max` takes the first of equals, and they come the best first.
    _, shape, batch = max(options, key=lambda option: option[0])
    return _chosen(draft, facts, shape, batch)


def wanted_batch(draft: Draft, facts: Facts) -> int:
    """Pictures of a step, were there memory without end."""
    if not draft.free("batch_size"):
        return draft.config.batch_size
    pictures = facts.data.train.pictures
    if facts.processor or pictures < FEW_PICTURES:
        wanted = BATCH_SMALL
    else:
        wanted = BATCH_LARGE_SET if pictures >= MANY_PICTURES else BATCH_GPU
    return _without_rest(min(wanted, pictures), facts)


def _without_rest(batch: int, facts: Facts) -> int:
    """The batch, or a little less where the epoch's last one would be of a single picture and may not be."""
    fewest, pictures = facts.network.fewest, facts.data.train.pictures
    for smaller in range(batch, max(batch - _TRIED, fewest) - 1, -1):
        if fewest == 1 or pictures % smaller != 1:
            return smaller
    return batch


def _batch(draft: Draft, facts: Facts, shape: Shape) -> _Batch | None:
    """What can be trained of a shape; None if nothing can."""
    cost, budget, fewest = facts.cost, facts.budget, facts.network.fewest
    wanted = wanted_batch(draft, facts)
    validated = cost.validates(budget, pixels=shape.whole)
    if validated < wanted and not draft.free("batch_size"):
        return None  # validation takes as many pictures at once as a step
    pictures = wanted if validated >= wanted else _without_rest(validated, facts)
    room = cost.trains(budget, pixels=shape.seen, held=pictures * shape.whole)
    if not draft.free("micro_batch"):
        asked = min(draft.config.micro_batch or pictures, pictures)
        at_once = asked if asked <= room else 0
    else:
        at_once = _pieces(pictures, min(room, pictures), facts)
    if pictures < 1 or at_once < min(fewest, pictures):
        return None
    return _Batch(pictures, at_once, validated < wanted)


def _pieces(pictures: int, room: int, facts: Facts) -> int:
    """The largest pieces, about equal, that leave no picture alone where that may not be."""
    if room < 1:
        return 0
    even = -(-pictures // -(-pictures // room))
    if facts.network.fewest == 1:
        return even
    rest = facts.data.train.pictures % pictures
    for size in range(even, 1, -1):
        if pictures % size != 1 and rest % size != 1:
            return size
    return even


def _good(batch: _Batch, draft: Draft, facts: Facts) -> bool:
    """Whether it is the batch wanted, in pieces that batch normalisation can live with."""
    wanted = wanted_batch(draft, facts)
    least = min(wanted, FEWEST_AT_ONCE) if draft.free("micro_batch") else 1
    return batch.pictures == wanted and batch.at_once >= least


def _quick(shape: Shape, draft: Draft, facts: Facts) -> bool:
    """Whether a shortest run ends in a night."""
    seconds = wanted_batch(draft, facts) * shape.seen * facts.cost.train_seconds
    return SHORTEST_RUN * seconds <= LONGEST_SECONDS


def _chosen(draft: Draft, facts: Facts, shape: Shape, batch: _Batch) -> Draft:
    draft = draft.choose(f"{shape.why}, in multiples of {facts.network.stride}", {"size": shape.size})
    if shape.crop is not None:
        draft = _cropped(draft, facts, shape)
    elif not draft.free("crop"):
        draft = draft.choose("", {"crop": None})
    draft = draft.choose(_why_batch(facts, batch), {"batch_size": batch.pictures})
    if batch.at_once < batch.pictures:
        noisy = "" if batch.at_once >= FEWEST_AT_ONCE else ", and its statistics are noisy"
        draft = draft.choose(
            f"{batch.at_once} pictures fit into {gib(facts.budget)} at once; batch normalisation sees "
            f"{batch.at_once}, not {batch.pictures}{noisy}",
            {"micro_batch": batch.at_once},
        )
    elif not draft.free("micro_batch"):
        draft = draft.choose("", {"micro_batch": None})
    return draft


def _cropped(draft: Draft, facts: Facts, shape: Shape) -> Draft:
    whole = Shape(shape.size, None, "")
    if whole.whole > LARGEST_WHOLE:
        cause = f"whole pictures of {size_text(shape.size)} are large"
    elif _quick(whole, draft, facts):
        cause = f"{FEWEST_AT_ONCE} whole pictures do not fit into {gib(facts.budget)} at once"
    else:
        cause = "training on whole pictures would take longer than a night"
    draft = draft.choose(f"{cause}; a crop keeps their detail", {"crop": shape.crop})
    draft = draft.choose("the scale jitter before a crop of DeepLabv3 (Chen 2017)", {"scale": CROP_SCALE})
    if len(facts.data.classes) > 2:
        draft = draft.choose("a crop of nearly one class teaches little", {"crop_max_share": 0.75})
    return draft


def _why_batch(facts: Facts, batch: _Batch) -> str:
    pictures = facts.data.train.pictures
    if batch.by_validation:
        return f"validation, which takes whole pictures, fits {batch.pictures} into {gib(facts.budget)}"
    if batch.pictures == pictures:
        return "all training pictures there are"
    if pictures < FEW_PICTURES:
        return f"{pictures} training pictures give an epoch few steps, so a step takes few"
    if facts.processor:
        return "a processor is no faster with more pictures at once, and so takes more steps"
    return "batch normalisation wants about 16 (Chen 2017)" + (
        "; many pictures allow more" * (batch.pictures > 16)
    )


def _too_little(draft: Draft, facts: Facts, shape: Shape | None) -> str:
    """The smallest choice, what it would take, and what to do."""
    cost = facts.cost
    if shape is None or cost.base >= facts.budget:
        return (
            f"{facts.network.name} holds {gib(cost.base)} before the first picture (libraries, weights, what "
            f"the optimiser remembers, a checkpoint), but may take {gib(facts.budget)}: free memory, raise "
            "--memory, or take a smaller network (pixelwise models)"
        )
    pictures = draft.config.batch_size if not draft.free("batch_size") else facts.network.fewest
    at_once = pictures if draft.free("micro_batch") else draft.config.micro_batch or pictures
    at_once = min(pictures, facts.network.fewest if draft.free("micro_batch") else at_once)
    train = cost.train_need(pixels=shape.seen * at_once, held=shape.whole * pictures)
    val = cost.val_need(pixels=shape.whole * pictures)
    what = "validation" if val > train else "training"
    return (
        f"{facts.network.name} on {size_text(shape.size)} needs about {gib(max(train, val))} for {what}, "
        f"{gib(cost.base)} of it before the first picture, but may take {gib(facts.budget)}: free memory, "
        "raise --memory, give a smaller --size or --batch-size, or take a smaller network (pixelwise models)"
    )
