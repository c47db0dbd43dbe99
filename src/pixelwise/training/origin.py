"""What a network begins with: drawn weights, a pretrained encoder, or another run's network.

Knows no data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from pixelwise.config import TrainConfig
from pixelwise.encoders.pretrained import Pretrained
from pixelwise.header import Architecture
from pixelwise.losses import build_loss
from pixelwise.models import assemble, read_weights
from pixelwise.nn.arguments import parse_arguments
from pixelwise.training.encoder_layers import freeze, learning_rate_factors
from pixelwise.training.events import Listener
from pixelwise.training.ranks import Ranks
from pixelwise.training.start import Start, read_start


@dataclass(frozen=True)
class Origin:
    """Which network it is, and what it begins with besides drawn weights.

    Attributes:
        name: Of the architecture.
        arguments: Its own.
        pretrained: Weights of its encoder.
        start: A whole trained network to go on from.
    """

    name: str
    arguments: dict[str, Any]
    pretrained: Pretrained | None = None
    start: Start | None = None

    @property
    def sha256(self) -> str | None:
        """Of the file that the weights come from."""
        weights = self.pretrained or self.start
        return None if weights is None else weights.sha256

    def network(self, classes: int, *, seed: int | None = None) -> torch.nn.Module:
        """The network; what it takes over from `start` is not in it yet."""
        return assemble(
            self.name, num_classes=classes, arguments=self.arguments, seed=seed, pretrained=self.pretrained
        )


def find_origin(
    config: TrainConfig, architecture: Architecture | None, ranks: Ranks, listener: Listener
) -> Origin:
    """Reads what the config names; a rank that fetches weights is waited for.

    Args:
        config: The settings, `settled`.
        architecture: Of a run with a checkpoint, which holds all weights.
        ranks: Take their turns, so that a file is fetched once.
        listener: Hears how far it is.
    """
    if architecture is not None:
        return Origin(architecture.name, dict(architecture.arguments))
    name, arguments = config.model, parse_arguments(config.model_args)
    if not config.weights:
        return Origin(name, arguments, start=read_start(config))
    with ranks.in_turn():
        pretrained = read_weights(name, config.weights, arguments=arguments, progress=listener.work)
    return Origin(name, arguments, pretrained=pretrained)


def check_names(origin: Origin, config: TrainConfig) -> None:
    """Before the data is read: a wrong name should not cost a walk over all pictures."""
    build_loss(config.loss, class_weights=None)
    with torch.device("meta"):
        outline = origin.network(1)
        freeze(outline, config)
        learning_rate_factors(outline, config)
