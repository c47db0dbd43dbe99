"""Size, crop, batch and micro-batch from hand-made facts.

Costs are round: 2,000 bytes a trained pixel, 64 a held one, 400 + 64 a validated one, 0.5 GiB without any.
"""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from plan_facts import GIB, cost, data, draft, facts, network, why

from pixelwise.config import AugmentConfig, TrainConfig
from pixelwise.training.plan import (
    DoesNotFitError,
    Draft,
    propose_length,
    propose_recipe,
    propose_room,
    warnings,
)
from pixelwise.training.plan.facts import Seen, fit_cost
from pixelwise.training.plan.room import wanted_batch


def room(plan: Draft) -> tuple[tuple[int, int], tuple[int, int] | None, int, int | None]:
    config = plan.config
    return config.size, config.augment.crop, config.batch_size, config.micro_batch


def test_pictures_that_fit_are_trained_as_they_are() -> None:
    assert room(propose_room(draft(), facts())) == ((320, 480), None, 16, None)


@pytest.mark.parametrize(
    ("photos", "stride", "size"),
    [
        ((320, 320), 32, (320, 320)),
        ((275, 425), 32, (256, 416)),  # never enlarged
        ((275, 425), 8, (272, 424)),
        ((20, 50), 32, (32, 32)),  # no smaller than the stride
        ((3000, 4000), 32, (864, 1152)),  # a megapixel: 2**20 / 12e6 = 0.2956 of the area's root
    ],
)
def test_sizes_are_multiples_of_the_stride(
    photos: tuple[int, int], stride: int, size: tuple[int, int]
) -> None:
    plan = propose_room(draft(), facts(data(size=photos), net=network(stride=stride)))
    assert plan.config.size == size
    assert plan.config.augment.crop is None


def test_large_pictures_of_small_objects_are_cropped() -> None:
    """Objects of 0.3% of 1024x2048 are 4.3 pixels; at stride 4 they need twice that, so nothing shrinks."""
    large = data(size=(1024, 2048), breadth=0.003, pixels=(500, 300, 200))
    plan = propose_room(draft(), facts(large, net=network(native_stride=4)))
    assert room(plan) == ((1024, 2048), (768, 768), 16, None)
    assert plan.config.augment.scale == (0.5, 2.0)
    assert plan.config.augment.crop_max_share == 0.75
    assert "large" in why(plan, "crop")


def test_a_large_picture_is_made_smaller_only_as_far_as_its_objects_allow() -> None:
    """1000x1000 objects in 4000x4000; the narrowest has 0.2% = 8 pixels and needs 2: a quarter would do.

    A megapixel is 0.256 of the sides, above that quarter: whole pictures of 1024 / 32 * 32 = 1024.
    With objects of 4 pixels half the sides are needed, 2000, in crops.
    """
    fine = propose_room(draft(), facts(data(size=(4000, 4000), breadth=0.002)))
    assert room(fine)[:2] == ((1024, 1024), None)
    narrow = propose_room(draft(), facts(data(size=(4000, 4000), breadth=0.001)))
    assert room(narrow)[:2] == ((1984, 1984), (768, 768))
    assert "class1 would be lost" in why(narrow, "size")


def test_what_does_not_fit_at_once_goes_in_pieces() -> None:
    """320x480 = 153,600 pixels: 0.286 GiB trained, 16 held take 0.146, 0.5 are gone before.

    2 GiB: (2 - 0.5 - 0.146) / 0.286 = 4.7, so 4 at once. 2.8: 7.5, in even pieces of 6, 6 and 4.
    """
    for budget, at_once in ((2.0, 4), (2.8, 6), (6.0, None)):
        plan = propose_room(draft(), facts(budget_gib=budget))
        assert room(plan) == ((320, 480), None, 16, at_once)
    assert "batch normalisation sees 6, not 16" in why(
        propose_room(draft(), facts(budget_gib=2.8)), "micro_batch"
    )


def test_less_memory_makes_the_picture_smaller_before_the_batch() -> None:
    """1.4 GiB are too few for 4 at once (2.6), but not at 7/8 of the sides: 256x416 * 2,000 = 0.198 GiB."""
    assert room(propose_room(draft(), facts(budget_gib=1.4))) == ((256, 416), None, 16, 4)


def test_narrow_objects_ask_for_crops_instead() -> None:
    """0.5% of 392 pixels are less than 2, so nothing may shrink, and of whole pictures 2 fit at once.

    1.4 - 0.5 - 0.146 GiB hold 3.96 crops of 320x320 and 6.2 of 256x256, which go in pieces of 6, 6 and 4.
    """
    tight = facts(data(breadth=0.005), price=cost(val_bytes=100), budget_gib=1.4)
    plan = propose_room(draft(), tight)
    assert room(plan) == ((320, 480), (256, 256), 16, 6)
    assert "4 whole pictures do not fit into 1.40 GiB" in why(plan, "crop")


def test_validation_may_be_what_does_not_fit() -> None:
    """5,000 + 64 bytes a validated pixel are 0.724 GiB a picture of 320x480; (2.8 - 0.5) / 0.724 = 3."""
    greedy = cost(train_bytes=10, val_bytes=5000)
    plan = propose_room(draft(TrainConfig(size=(320, 480)), "size"), facts(price=greedy, budget_gib=2.8))
    assert room(plan) == ((320, 480), None, 3, None)
    assert "validation" in why(plan, "batch_size")
    # Where the size is free, pictures of 96x160 let 16 validate: 0.072 GiB each.
    free = propose_room(draft(), facts(price=greedy, budget_gib=2.8))
    assert room(free) == ((96, 160), None, 16, None)
    with pytest.raises(DoesNotFitError, match="for validation"):
        propose_room(
            draft(TrainConfig(size=(320, 480), batch_size=8), "size", "batch_size"),
            facts(price=greedy, budget_gib=2.8),
        )


@pytest.mark.parametrize(
    ("pictures", "processor", "batch"),
    [(1000, False, 16), (5000, False, 32), (199, False, 8), (1000, True, 8), (5, False, 5)],
)
def test_the_batch_wanted(pictures: int, processor: bool, batch: int) -> None:
    plan = propose_room(draft(), facts(data(pictures=pictures), processor=processor))
    assert plan.config.batch_size == batch


@pytest.mark.parametrize(
    ("pictures", "budget", "batch", "at_once"),
    [
        (161, 64, 7, None),  # 161 = 20 * 8 + 1 leaves one alone, 23 * 7 none
        (1000, 2.4, 16, 6),  # room for 6: pieces of 6, 6, 4; the last batch of 8 as 6, 2
        (1015, 2.4, 16, 4),  # the last batch of 7 would be 6, 1; pieces of 5 leave one of 16
        (1009, 2.4, 15, 5),  # 63 * 16 + 1 leaves one alone; 15 in 5s, the rest of 4 at once
    ],
)
def test_no_picture_is_left_alone_where_the_network_needs_two(
    pictures: int, budget: float, batch: int, at_once: int | None
) -> None:
    seen = facts(data(pictures=pictures), net=network(fewest=2), budget_gib=budget)
    plan = propose_room(draft(), seen)
    assert (plan.config.batch_size, plan.config.micro_batch) == (batch, at_once)
    assert not [w for w in warnings(plan, seen) if "single picture" in w]
    lone = draft(TrainConfig(batch_size=9, micro_batch=4), "batch_size", "micro_batch")
    assert [w for w in warnings(propose_room(lone, seen), seen) if "single picture" in w]


def test_nothing_fits_and_the_message_has_the_numbers() -> None:
    with pytest.raises(DoesNotFitError, match=r"holds 3.0 GiB before the first picture .* may take 2.0 GiB"):
        propose_room(draft(), facts(price=cost(base_gib=3), budget_gib=2))
    with pytest.raises(DoesNotFitError, match=r"on 512x512 needs about 1\.00 GiB for training"):
        propose_room(
            draft(TrainConfig(size=(512, 512), augment=AugmentConfig(shift=0.1)), "size", "shift"),
            facts(budget_gib=0.9),
        )


def test_time_shrinks_what_memory_would_allow() -> None:
    """2,500 steps of 8 pictures in 43,200 s are 2.16 s a picture; 153,600 pixels at 2e-5 s take 3.07.

    Sides of 7/8 take 256 * 416 * 2e-5 = 2.13 s.
    """
    slow = facts(price=cost(seconds=2e-5), processor=True)
    assert propose_room(draft(), slow).config.size == (256, 416)
    narrow = facts(data(breadth=0.005), price=cost(seconds=2e-5), processor=True)
    plan = propose_room(draft(), narrow)
    assert plan.config.size == (320, 480)
    assert plan.config.augment.crop == (320, 320)
    assert "night" in why(plan, "crop")


SETTINGS = {
    "size": st.tuples(st.sampled_from([64, 160, 320]), st.sampled_from([64, 160, 320])),
    "batch_size": st.integers(1, 40),
    "micro_batch": st.one_of(st.none(), st.integers(1, 8)),
    "loss": st.sampled_from(["ce", "focal"]),
    "optimizer": st.sampled_from(["sgd", "rmsprop"]),
    "lr": st.sampled_from([0.1, 0.001]),
    "epochs": st.integers(1, 50),
    "ema": st.sampled_from([0.0, 0.5]),
    "warmup_steps": st.integers(0, 10),
    "flip": st.booleans(),
    "crop": st.one_of(st.none(), st.just((64, 64))),
    "shift": st.sampled_from([0.0, 0.1]),
    "scale": st.just((1.0, 3.0)),
    "colour": st.sampled_from([0.0, 1.0]),
}
OF_AUGMENT = {"flip", "crop", "shift", "scale", "colour"}


@st.composite
def wishes(draw: st.DrawFn) -> Draft:
    names = draw(st.sets(st.sampled_from(sorted(SETTINGS))))
    values = {name: draw(SETTINGS[name]) for name in sorted(names)}
    assume(not (values.get("crop") and values.get("shift")))
    own = {name: value for name, value in values.items() if name not in OF_AUGMENT}
    augment = AugmentConfig(**{name: value for name, value in values.items() if name in OF_AUGMENT})
    return Draft(TrainConfig(**own, augment=augment), frozenset(names))


worlds = st.builds(
    lambda pictures, height, width, breadth, native, fewest, processor, val, seconds: facts(
        data(pictures=pictures, size=(height, width), breadth=breadth),
        net=network(native_stride=native, fewest=fewest),
        price=cost(val_bytes=val, seconds=seconds),
        processor=processor,
    ),
    st.integers(1, 6000),
    st.integers(40, 3000),
    st.integers(40, 3000),
    st.sampled_from([None, 0.001, 0.01, 0.1]),
    st.sampled_from([1, 4]),
    st.sampled_from([1, 2]),
    st.booleans(),
    st.sampled_from([100.0, 3000.0]),
    st.sampled_from([1e-8, 1e-5]),
)


@settings(deadline=None, derandomize=True, max_examples=100)
@given(wishes(), worlds, st.floats(0.3, 40))
def test_given_settings_are_kept_and_a_plan_stays_in_its_budget(wish: Draft, world, budget: float) -> None:
    world = dataclasses.replace(world, budget=int(budget * GIB))
    try:
        plan = propose_length(propose_room(propose_recipe(wish, world.data, world.network), world), world)
    except DoesNotFitError:
        return
    for name in wish.given:
        assert plan.get(name) == wish.get(name)
    config = plan.config
    height, width = config.augment.crop or config.size
    whole = config.size[0] * config.size[1]
    at_once = min(config.micro_batch or config.batch_size, config.batch_size)
    price = world.cost
    assert price.train_need(pixels=at_once * height * width, held=config.batch_size * whole) <= world.budget
    assert price.val_need(pixels=config.batch_size * whole) <= world.budget


@settings(deadline=None, derandomize=True, max_examples=100)
@given(wishes(), worlds, st.floats(0.3, 40), st.floats(1, 10))
def test_more_memory_never_makes_the_batch_smaller(wish: Draft, world, budget: float, more: float) -> None:
    poor = dataclasses.replace(world, budget=int(budget * GIB))
    rich = dataclasses.replace(world, budget=int(more * budget * GIB))
    try:
        before = propose_room(wish, poor).config.batch_size
    except DoesNotFitError:
        return
    after = propose_room(wish, rich).config.batch_size
    assert before <= after <= max(wanted_batch(wish, rich), after if not wish.free("batch_size") else 0)


def test_a_line_through_the_trials() -> None:
    """1,000 bytes a pixel above 10,000,000, and the 64 for what is held; the middle trial lies above it."""

    def seen(pixels: int, extra: int = 0, after: int = 0) -> Seen:
        return Seen(
            train_pixels=pixels,
            held_pixels=pixels,
            val_pixels=pixels,
            train_peak=10_000_000 + 1064 * pixels + extra,
            val_peak=9_000_000 + 200 * pixels,
            peak=10_000_000 + 1064 * pixels + extra + after,
        )

    line = fit_cost([seen(10_000), seen(100_000)], train_seconds=1.0, val_seconds=0.5)
    assert (line.base, line.val_base, line.train_bytes, line.val_bytes) == (10_000_000, 10_000_000, 1000, 136)
    raised = fit_cost(
        [seen(10_000), seen(50_000, 500_000), seen(100_000)], train_seconds=1.0, val_seconds=0.5
    )
    assert (raised.base, raised.train_bytes) == (10_500_000, 1000)
    assert line.trains(20_000_000, pixels=1000, held=1000) == 9  # (10,000,000 - 64,000) / 1,000,000
    assert line.validates(20_000_000, pixels=1000) == 50  # 10,000,000 / 200,000
    assert line.train_need(pixels=5000, held=1000) == 15_064_000
    # A validation that took 1 more than the training before it: 116,400,001 - 200 * 100,000 without pictures.
    late = fit_cost([seen(10_000), seen(100_000, after=1)], train_seconds=1.0, val_seconds=0.5)
    assert (late.base, late.val_base) == (10_000_000, 10_000_000 + 1064 * 100_000 + 1 - 200 * 100_000)
