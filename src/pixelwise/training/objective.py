"""What a step minimises: the loss of the network's own logits, and those of heads that only training has.

Knows no optimiser and no data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pixelwise.config import TrainConfig
from pixelwise.errors import ConfigError
from pixelwise.losses import ExtraLoss, Loss, build_extra_loss, build_loss
from pixelwise.models.auxiliary import extra_loss, output_names
from pixelwise.nn.outputs import AUXILIARY, LOGITS


@dataclass(frozen=True)
class Objective:
    """What a step minimises.

    Attributes:
        loss: Of logits and targets.
        class_weights: `(K,) float32` on the device, or None: the weight of a pixel of each class when pieces
            of a batch are put together.
        auxiliary: Weight of the auxiliary head's loss.
        extra: Of outputs that are no logits of classes; None where the network has none.
    """

    loss: Loss
    class_weights: Tensor | None
    auxiliary: float
    extra: ExtraLoss | None = None

    def __call__(self, outputs: Mapping[str, Tensor], masks: Tensor) -> tuple[Tensor, Tensor]:
        """The loss of the network's own logits, and what is minimised: with that of all other outputs."""
        own = self.loss(outputs[LOGITS], masks)
        total = own
        if AUXILIARY in outputs:
            total = total + self.auxiliary * self.loss(outputs[AUXILIARY], masks)
        if self.extra is not None:
            total = total + self.extra(outputs, masks)
        return own, total

    def weight(self, masks: Tensor) -> Tensor:
        """A batch's weight in a mean over pixels, float64: counted pixels, each times its class weight."""
        counts = torch.bincount(masks.reshape(-1), minlength=256)
        if self.class_weights is None:
            return counts[:255].sum(dtype=torch.float64)
        return (counts[: len(self.class_weights)] * self.class_weights.double()).sum()


def build_objective(network: nn.Module, config: TrainConfig, class_weights: Tensor | None) -> Objective:
    """What training a network by a config minimises.

    Args:
        network: Its heads decide what can be read.
        config: The losses.
        class_weights: `(K,) float32` on the device, or None.

    Raises:
        ConfigError: There is no such loss; one reads what the network does not answer, or a head has none.
    """
    expression = extra_loss(network) if config.extra_loss is None else config.extra_loss
    extra = build_extra_loss(expression, class_weights=class_weights) if expression else None
    _check(output_names(network), extra, config)
    return Objective(
        loss=build_loss(config.loss, class_weights=class_weights),
        class_weights=class_weights,
        auxiliary=config.aux_weight,
        extra=extra,
    )


def _check(answered: frozenset[str], extra: ExtraLoss | None, config: TrainConfig) -> None:
    """Every output that a loss reads must be there, and every head must learn from something."""
    read = frozenset[str]() if extra is None else extra.reads
    missing = sorted(read - answered)
    if missing:
        raise ConfigError(
            f"--extra-loss {config.extra_loss!r} reads the output {missing[0]}, which {config.model} as it "
            f"is built here does not have in training; it has {', '.join(sorted(answered))}"
        )
    taught = {LOGITS, AUXILIARY} | (set() if extra is None else extra.teaches)
    idle = sorted(answered - taught)
    if idle:
        raise ConfigError(
            f"--extra-loss {config.extra_loss!r} teaches nothing to the {idle[0]} head of {config.model}: "
            "add its loss, or build the network without heads for training, --model-args auxiliary=false"
        )
