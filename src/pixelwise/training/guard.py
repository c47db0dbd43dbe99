"""Says in plain words when training goes wrong, and what the likely cause is.

Each check is a function of numbers that training has anyway. Knows no tensor, no loop and no file.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pixelwise.types import Classes

COLLAPSE_SHARE = 0.995
"""One class with more than this share of the predicted pixels has swallowed the others…"""

COLLAPSE_TRUTH = 0.95
"""…unless it has more than this share of the true pixels."""

STARVING_SHARE = 0.2
"""Waiting longer than this share of an epoch for pictures means that loading is the bottleneck."""


def broken_loss(loss: float, *, step: int, lr: float) -> str | None:
    """A sentence if the loss is not a finite number, else None."""
    if math.isfinite(loss):
        return None
    return (
        f"the loss became {loss} at step {step} (learning rate {lr:g}), so training stopped; the last "
        "checkpoint is from before. Likely causes: a learning rate too high (try --lr a tenth of it, or "
        "--warmup-steps 200), or gradients that explode (try --clip-norm 1)"
    )


def unseen_classes(pixels: Sequence[int], classes: Classes, split: str) -> str | None:
    """A sentence if a class has no pixel in a split, else None.

    Args:
        pixels: Pixel count of each class.
        classes: Their names.
        split: How the split is called, e.g. `training`.
    """
    missing = [name for name, count in zip(classes.names, pixels, strict=True) if count == 0]
    if not missing:
        return None
    names, verb = ", ".join(missing), "has" if len(missing) == 1 else "have"
    effect = (
        "the network cannot learn what it never sees"
        if split == "training"
        else "its score there comes from false alarms alone, or is left out of the mean"
    )
    remedy = "Check the split (--val-share, --val-last)"
    return f"{names} {verb} no pixel in the {split} pictures: {effect}. {remedy}"


def collapse(confusion: npt.NDArray[np.int64], classes: Classes) -> str | None:
    """A sentence if nearly all pixels are predicted as one class, else None.

    Args:
        confusion: `(K, K)` counts, rows the truth, columns the prediction.
        classes: Their names.
    """
    total = int(confusion.sum())
    if total == 0 or len(classes) == 1:
        return None
    predicted, true = confusion.sum(0) / total, confusion.sum(1) / total
    winner = int(predicted.argmax())
    if predicted[winner] <= COLLAPSE_SHARE or true[winner] > COLLAPSE_TRUTH:
        return None
    return (
        f"{100 * predicted[winner]:.1f}% of the validation pixels are predicted as {classes.names[winner]}, "
        f"which has {100 * true[winner]:.1f}% of the true ones. If the training loss falls all the same, the "
        "running statistics of batch normalisation trail the weights, as they do in runs of few steps (try "
        "--bn-momentum 0.1); else the classes are out of balance (try --class-weights) or the learning rate "
        "is too high (try --lr a tenth of it)"
    )


def starving(wait_share: float, *, workers: int, cached: bool) -> str | None:
    """A sentence if the network waited too long for pictures, else None.

    Args:
        wait_share: Share of the epoch spent waiting, 0..1.
        workers: Loader threads.
        cached: Whether decoded pictures come from the cache.
    """
    if wait_share <= STARVING_SHARE:
        return None
    remedy = "let them be cached (drop --no-cache)" if not cached else f"try --workers {2 * workers}"
    return (
        f"the network waited {100 * wait_share:.0f}% of the time for pictures: {remedy}, or use a faster disk"
    )
