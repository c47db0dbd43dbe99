"""What a plan knows of the network that a config names, without its weights ever being made.

Knows no data, and decides nothing.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from pixelwise.config import TrainConfig
from pixelwise.encoders.published import IMAGENET
from pixelwise.errors import ConfigError
from pixelwise.models import assemble, read_weights
from pixelwise.nn.arguments import parse_arguments
from pixelwise.nn.channel_norm import ChannelNorm
from pixelwise.nn.frame import MirroredBorder, RepeatedBorder
from pixelwise.training.encoder_layers import freeze
from pixelwise.training.plan.facts import Network

_SLOW_MOMENTUM = 0.05
"""Running statistics that take in less of a batch are slow; Keras' take in 1%, PyTorch's 10%."""


def describe_network(config: TrainConfig, *, classes: int) -> Network:
    """What the decisions know of the network that the config names; `ConfigError` if there is none such."""
    with torch.device("meta"):  # no data: shapes are enough
        network = assemble(config.model, num_classes=classes, arguments=parse_arguments(config.model_args))
        freeze(network, config)
    encoder = getattr(network, "encoder", None)
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    return Network(
        name=config.model,
        stride=cast("RepeatedBorder | MirroredBorder", network.frame).multiple,
        native_stride=cast("int", network.native_stride),
        has_encoder=hasattr(encoder, "stages"),
        fewest=_fewest(network),
        slow_norms=config.bn_momentum is None
        and any((norm.momentum or 1.0) < _SLOW_MOMENTUM for norm in norms),
        # Nothing else here normalises each pixel by itself.
        transformer=any(isinstance(m, ChannelNorm | nn.LayerNorm) for m in network.modules()),
    )


def _fewest(network: nn.Module) -> int:
    """Pictures that the network needs to train at once; pooling over the picture leaves a norm one value."""
    try:
        with torch.no_grad():
            network.train()(torch.empty(1, 3, 256, 256, device="meta"))
    except ValueError as error:
        if "more than 1 value per channel" in str(error):
            return 2
        raise
    return 1


def check_weights(config: TrainConfig, network: Network) -> None:
    """Fails where training would fail at the weights; published ones are fetched by training only."""
    if config.weights and not network.has_encoder:
        raise ConfigError(f"{config.model} has no encoder that weights are known for: leave --weights away")
    if config.weights in ("", IMAGENET):
        return
    arguments = parse_arguments(config.model_args)
    pretrained = read_weights(config.model, config.weights, arguments=arguments)
    with torch.device("meta"):
        assemble(config.model, num_classes=1, arguments=arguments, pretrained=pretrained)
