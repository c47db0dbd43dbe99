"""How long to train, and what follows from it: warm-up, average, pace of running statistics.

Pure functions of facts and of the batch that was chosen before.
"""

from __future__ import annotations

from pixelwise.training.plan.choice import Draft
from pixelwise.training.plan.facts import Facts
from pixelwise.training.plan.room import LONGEST_SECONDS, SHORTEST_RUN

EPOCHS, MOST_EPOCHS = 100, 400
"""Passes over a small set; and the most, since each epoch is validated and saved."""

MOST_STEPS = 40_000
"""Published runs on VOC and Cityscapes have 30,000 to 40,000 (Chen 2017)."""

FEWEST_STEPS = 1_000
"""Steps that a plan has in any case, however long they take; fewer teach a network from scratch little."""

MOST_WARMUP = 500
SLOW_STEPS = 5_000
"""Steps below which running statistics that follow at 1% a step trail the weights."""


def steps_per_epoch(draft: Draft, facts: Facts) -> int:
    """Steps of an epoch; the last one takes what is left over."""
    return -(-facts.data.train.pictures // draft.config.batch_size)


def total_steps(draft: Draft, facts: Facts) -> int:
    """Steps of the run; whole epochs, as training rounds them."""
    each = steps_per_epoch(draft, facts)
    if draft.config.steps is not None:
        return -(-draft.config.steps // each) * each
    return draft.config.epochs * each


def epoch_seconds(draft: Draft, facts: Facts) -> float:
    """Of training and validation, each model's that is validated."""
    config, data, cost = draft.config, facts.data, facts.cost
    height, width = config.size
    seen = config.augment.crop or config.size
    models = 2 if config.ema else 1
    return (
        data.train.pictures * seen[0] * seen[1] * cost.train_seconds
        + models * data.val.pictures * height * width * cost.val_seconds
    )


def propose_length(draft: Draft, facts: Facts) -> Draft:
    """Decides on the average, the epochs, the warm-up and the momentum of batch normalisation."""
    draft = draft.choose(
        "an average of the weights often predicts better than the last (Polyak 1992)", {"ema": 0.999}
    )
    if draft.free("epochs", "steps"):
        draft = _epochs(draft, facts)
    else:
        draft = draft.choose("", {name: None for name in ("epochs", "steps") if not draft.free(name)})
    steps = total_steps(draft, facts)
    if steps < 2_000 and draft.config.ema == 0.999:
        draft = draft.choose(f"{steps:,} steps are few, so the average is one of fewer", {"ema": 0.99})
    warmup = min(MOST_WARMUP, steps // 20)
    draft = draft.choose("the first, wild steps are small ones (Goyal 2017)", {"warmup_steps": warmup})
    if facts.network.slow_norms and steps < SLOW_STEPS:
        draft = draft.choose(f"in {steps:,} steps running statistics must follow fast", {"bn_momentum": 0.1})
    return draft


def _epochs(draft: Draft, facts: Facts) -> Draft:
    each = steps_per_epoch(draft, facts)
    steps = max(SHORTEST_RUN, min(EPOCHS * each, MOST_STEPS))
    epochs = min(-(-steps // each), MOST_EPOCHS)
    why = f"{epochs * each:,} steps of {draft.config.batch_size} pictures"
    possible = int(LONGEST_SECONDS / max(epoch_seconds(draft, facts), 1e-9))
    if possible < epochs:
        least = min(-(-FEWEST_STEPS // each), epochs)
        epochs = max(possible, least, 1)
        why = f"{epochs * each:,} steps: more would take longer than a night"
    return draft.choose(why, {"epochs": epochs})
