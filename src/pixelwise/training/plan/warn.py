"""What is likely wrong with a data set, or with a plan for it, in sentences that say what to do."""

from __future__ import annotations

from pixelwise.data.statistics import SideStatistics, Statistics
from pixelwise.training.plan.choice import Draft
from pixelwise.training.plan.facts import Facts
from pixelwise.training.plan.length import epoch_seconds, steps_per_epoch, total_steps
from pixelwise.training.plan.room import LONGEST_SECONDS
from pixelwise.training.plan.shapes import KEPT, kept_pixels
from pixelwise.types import size_text

SMALL_VALIDATION = 20
"""Pictures below which a score says little."""

_ASPECT_SPREAD = 1.5
_EMPTY_SHARE = 0.05


def warnings(draft: Draft, facts: Facts) -> tuple[str, ...]:
    """All warnings, the gravest first."""
    data = facts.data
    found = [*_side(data, data.train, "training"), *_side(data, data.val, "validation"), *_shape(data)]
    return (*found, *_plan(draft, facts))


def _side(data: Statistics, side: SideStatistics, name: str) -> list[str]:
    found: list[str] = []
    missing = [c for c, n in zip(data.classes, side.class_pixels, strict=True) if n == 0]
    looked = f"the {side.looked_at:,} {name} pictures" + (
        " looked at" if side.looked_at < side.pictures else ""
    )
    if missing:
        effect = "it cannot be learnt" if name == "training" else "its score says nothing"
        verb = "has" if len(missing) == 1 else "have"
        remedy = "check the split (--val-share, --val-last) and the masks"
        found.append(f"{_listed(missing)} {verb} no pixel in {looked}: {effect}; {remedy}")
    if side.nearly_empty:
        found.append(
            f"{side.nearly_empty:,} of {looked} have labels on less than 1% of their pixels: "
            "they teach and measure next to nothing; check their masks"
        )
    for label, count in zip(data.classes, side.only_class, strict=True):
        if len(data.classes) > 1 and count > _EMPTY_SHARE * side.looked_at:
            found.append(
                f"{count:,} of {looked} hold nothing but {label}: fine if that is so, "
                "but masks that were never drawn look the same"
            )
    if name == "validation" and side.pictures < SMALL_VALIDATION:
        found.append(f"{side.pictures} validation pictures are few: scores will jump; see --val-share")
    return found


def _shape(data: Statistics) -> list[str]:
    narrow, _, wide = data.aspects
    if wide / narrow <= _ASPECT_SPREAD:
        return []
    return [
        f"the pictures differ in shape (width over height from {narrow:.2f} to {wide:.2f}), and all are "
        "resized to one: objects are stretched, in prediction likewise"
    ]


def _plan(draft: Draft, facts: Facts) -> list[str]:
    found: list[str] = []
    config, network, data = draft.config, facts.network, facts.data
    found += _lost(draft, facts)
    rest = data.train.pictures % config.batch_size
    at_once = config.micro_batch or config.batch_size
    alone = [n for n in (config.batch_size, rest) if n % at_once == 1]
    if network.fewest > 1 and (at_once == 1 or alone):
        found.append(
            f"{network.name} cannot train on a single picture, and with --batch-size {config.batch_size}"
            f"{f' --micro-batch {config.micro_batch}' if config.micro_batch else ''} one is left alone: "
            "choose another"
        )
    seconds = epoch_seconds(draft, facts) * total_steps(draft, facts) / steps_per_epoch(draft, facts)
    if seconds > 1.5 * LONGEST_SECONDS:
        found.append(
            f"this will take {seconds / 3600:.0f} hours on this machine: a smaller --size, a smaller network "
            "or a GPU would make it a night"
        )
    return found


def _lost(draft: Draft, facts: Facts) -> list[str]:
    """Classes whose objects the network's own grid is too coarse for."""
    size, network, data = draft.config.size, facts.network, facts.data
    kept = [
        (kept_pixels(breadth, size, network), name)
        for breadth, name in zip(data.breadths, data.classes, strict=True)
        if breadth is not None
    ]
    lost = sorted(pair for pair in kept if pair[0] < KEPT)
    if not lost:
        return []
    grid = size_text((size[0] // network.native_stride, size[1] // network.native_stride))
    remedy = "larger pictures would help"
    if network.native_stride > 1:
        remedy = f"a network whose answer is finer than one in {network.native_stride} pixels, or {remedy}"
    return [
        f"much of {_listed([name for _, name in lost])} is narrower than {KEPT:g} pixels on the network's "
        f"grid of {grid} ({lost[0][0]:.1f} for {lost[0][1]}), and is easily missed: {remedy}"
    ]


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more classes" if len(names) > 5 else shown
