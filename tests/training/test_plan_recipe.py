"""Loss, augmentation, optimiser and length from hand-made facts."""

from __future__ import annotations

import pytest
from plan_facts import cost, data, draft, facts, network, why

from pixelwise.config import AugmentConfig, TrainConfig
from pixelwise.training.described import describe_network
from pixelwise.training.plan import propose_length, propose_recipe, warnings
from pixelwise.training.plan.recipe import percent


@pytest.mark.parametrize(
    ("pixels", "loss", "balance"),
    [
        ((99, 1), "ce", "none"),  # exactly 1% is not rare
        ((992, 8), "ce + dice", "none"),
        ((400, 300, 200, 50, 20, 10, 12, 8), "ce + lovasz", "none"),  # 0.8% of eight classes
        ((9992, 8), "ce + dice", "enet"),  # 0.08%
        ((500, 500, 0), "ce", "none"),  # a class without a pixel cannot be helped by a loss
    ],
)
def test_rare_classes_choose_the_loss(pixels: tuple[int, ...], loss: str, balance: str) -> None:
    plan = propose_recipe(draft(), data(pixels=pixels), network())
    assert (plan.config.loss, plan.config.balance) == (loss, balance)


def test_class_weights_that_were_given_exclude_counted_ones() -> None:
    config = TrainConfig(class_weights=(1.0, 9.0))
    plan = propose_recipe(draft(config, "class_weights"), data(pixels=(99999, 1)), network())
    assert plan.config.balance == "none"
    assert plan.config.class_weights == (1.0, 9.0)


@pytest.mark.parametrize(
    ("pictures", "scale", "rotate", "colour"),
    [(200, (0.75, 1.33), 10.0, 0.4), (1000, (0.8, 1.25), 0.0, 0.3), (10_000, (0.9, 1.1), 0.0, 0.2)],
)
def test_few_pictures_are_changed_more(
    pictures: int, scale: tuple[float, float], rotate: float, colour: float
) -> None:
    augment = propose_recipe(draft(), data(pictures=pictures), network()).config.augment
    assert (augment.flip, augment.scale, augment.rotate, augment.colour) == (True, scale, rotate, colour)


@pytest.mark.parametrize(
    ("name", "flip"), [("left lung", False), ("eye_right", False), ("bright", True), ("leftovers", True)]
)
def test_sides_are_not_mirrored(name: str, flip: bool) -> None:
    plan = propose_recipe(draft(), data(classes=("rest", name)), network())
    assert plan.config.augment.flip is flip


@pytest.mark.parametrize(
    ("optimizer", "lr", "decay"), [("adamw", 1e-3, 0.01), ("sgd", 1e-2, 1e-4), ("rmsprop", 1e-3, 0.0)]
)
def test_the_learning_rate_follows_the_optimiser(optimizer: str, lr: float, decay: float) -> None:
    plan = propose_recipe(draft(TrainConfig(optimizer=optimizer), "optimizer"), data(), network())  # pyright: ignore[reportArgumentType]
    assert (plan.config.optimizer, plan.config.lr, plan.config.weight_decay) == (optimizer, lr, decay)
    assert propose_recipe(draft(), data(), network()).config.optimizer == "adamw"


def test_transformers_learn_in_smaller_steps() -> None:
    """Xie 2021 trains the encoder at 6e-5 and the decoder at ten times that."""
    plan = propose_recipe(
        draft(TrainConfig(weights="imagenet"), "weights"), data(), network(transformer=True)
    )
    assert (plan.config.lr, plan.config.encoder_lr, plan.config.weight_decay) == (6e-4, 0.1, 0.01)
    given = draft(TrainConfig(optimizer="sgd"), "optimizer")
    assert propose_recipe(given, data(), network(transformer=True)).config.lr == 1e-2
    for model, transformer in (("segformer-b0", True), ("deeplabv3plus", False)):
        assert describe_network(TrainConfig(model=model), classes=2).transformer is transformer


def test_a_pretrained_encoder_learns_slower() -> None:
    pretrained = TrainConfig(weights="imagenet")
    assert propose_recipe(draft(pretrained, "weights"), data(), network()).config.encoder_lr == 0.1
    assert propose_recipe(draft(), data(), network()).config.encoder_lr == 1.0


@pytest.mark.parametrize(
    ("pictures", "batch", "epochs"),
    [
        (160, 8, 125),  # 20 steps an epoch: 100 epochs would be 2,000 steps, so 2,500 / 20
        (1600, 16, 100),  # 100 steps an epoch, 10,000 in all
        (16_000, 16, 40),  # 1,000 steps an epoch: 100,000 are too many, 40,000 / 1,000
        (8, 8, 400),  # one step an epoch: 2,500 epochs are too many
    ],
)
def test_small_sets_get_steps_and_large_ones_end(pictures: int, batch: int, epochs: int) -> None:
    plan = propose_length(draft(TrainConfig(batch_size=batch)), facts(data(pictures=pictures)))
    assert plan.config.epochs == epochs


def test_a_run_ends_in_a_night_but_is_never_nothing() -> None:
    """160x160 and 1,600 pictures of 25,600 pixels.

    At 1e-5 s a pixel an epoch trains for 409.6 s and validates 100 pictures twice (the average too) for
    2 * 100 * 25,600 / 3 * 1e-5 = 17.1 s: 43,200 / 426.7 = 101 epochs, more than the 100 wanted. At 2e-5, 50.
    At 1e-3 not one fits, and 1,000 steps are 10 epochs of 100.
    """
    config = TrainConfig(batch_size=16)
    for seconds, epochs in ((1e-5, 100), (2e-5, 50), (1e-3, 10)):
        price = cost(seconds=seconds)
        plan = propose_length(draft(config), facts(data(pictures=1600), price=price))
        assert plan.config.epochs == epochs
        found = warnings(plan, facts(data(pictures=1600), price=price))
        assert any("hours" in warning for warning in found) == (epochs == 10)


def test_what_follows_from_the_length() -> None:
    long = propose_length(
        draft(TrainConfig(batch_size=16)), facts(data(pictures=1600), net=network(slow=True))
    )
    assert (long.config.warmup_steps, long.config.ema, long.config.bn_momentum) == (500, 0.999, None)
    short = propose_length(
        draft(TrainConfig(epochs=10), "epochs"), facts(data(pictures=320), net=network(slow=True))
    )
    # Ten steps an epoch, so a hundred in all; a twentieth of them warms up.
    assert (short.config.warmup_steps, short.config.ema, short.config.bn_momentum) == (5, 0.99, 0.1)
    steps = propose_length(draft(TrainConfig(steps=995), "steps"), facts(data(pictures=320)))
    assert (steps.config.steps, steps.config.epochs, steps.config.warmup_steps) == (995, 15, 50)


def test_what_is_given_stays_and_says_so() -> None:
    config = TrainConfig(loss="focal", lr=0.5, schedule="constant", augment=AugmentConfig(flip=False))
    given = ("loss", "lr", "schedule", "flip", "ema", "batch_size")
    plan = propose_length(
        propose_recipe(draft(config, *given), data(pixels=(999, 1)), network()), facts(data(pixels=(999, 1)))
    )
    assert (plan.config.loss, plan.config.lr, plan.config.schedule) == ("focal", 0.5, "constant")
    assert (plan.config.ema, plan.config.augment.flip) == (0.0, False)
    assert {choice.setting for choice in plan.choices if choice.given} == {*given} - {"batch_size"}
    assert why(plan, "loss") == "as you asked"


def test_shares_in_words() -> None:
    assert [percent(share) for share in (0.3296, 0.01, 0.003, 0.0004)] == ["33.0%", "1.0%", "0.3%", "0.04%"]
