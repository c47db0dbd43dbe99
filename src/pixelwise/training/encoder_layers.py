"""What is done to a pretrained encoder only: slower learning, stage by stage, and frozen layers.

Knows networks by their `encoder` alone, and no optimiser.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from pixelwise.config import TrainConfig
from pixelwise.errors import ConfigError

_BatchNorm = torch.nn.modules.batchnorm._BatchNorm


def learning_rate_factors(network: nn.Module, config: TrainConfig) -> dict[nn.Parameter, float]:
    """The factor on the learning rate of each of the encoder's parameters; what is missing learns in full.

    The encoder's last stage has `encoder_lr`, and each stage before it `layer_decay` times that of the stage
    behind it: early features are the most general ones and need the least change (layer-wise decay after
    Clark 2020, ELECTRA, and Bao 2022, BEiT, by stages instead of by layers).

    Raises:
        ConfigError: One of them is set and the network has no encoder.
    """
    if config.encoder_lr == 1 and config.layer_decay == 1:
        return {}
    stages = _encoder(network, "--encoder-lr and --layer-decay").stages()  # pyright: ignore[reportCallIssue]
    last = len(stages) - 1
    return {
        parameter: config.encoder_lr * config.layer_decay ** (last - number)
        for number, stage in enumerate(stages)
        for layer in stage
        for parameter in layer.parameters()
    }


def freeze(network: nn.Module, config: TrainConfig) -> tuple[nn.Module, ...]:
    """Takes what the config freezes out of the training.

    An encoder with `encoder_lr` 0 gets no gradients, which saves its backward pass. Frozen batch
    normalisation keeps scale and shift, and normalises by its running statistics in training too: with small
    batches, or few pictures, those of the pretraining are better than what a batch says.

    Returns:
        The layers that must stay in evaluation mode while the others train; see `to_training_mode`.

    Raises:
        ConfigError: The encoder is meant and the network has none.
    """
    if config.encoder_lr == 0:
        _encoder(network, "--encoder-lr").requires_grad_(False)
    layers = _norms(network, config.freeze_bn)
    for layer in layers:
        layer.requires_grad_(False)
    return layers


def to_training_mode(network: nn.Module, frozen: tuple[nn.Module, ...]) -> None:
    """Training mode for all layers but the frozen ones."""
    network.train()
    for layer in frozen:
        layer.eval()


def set_bn_momentum(network: nn.Module, momentum: float) -> None:
    """Lets the running statistics of batch normalisation follow the batches faster, or slower.

    They trail the weights by some `1 / momentum` steps. With Keras' 0.01 and a few hundred steps in all they
    are those of weights long gone, and a network that fits its training pictures predicts one class
    everywhere.
    """
    for layer in _norms(network, "all"):
        layer.momentum = momentum


def _norms(network: nn.Module, where: Literal["none", "encoder", "all"]) -> tuple[_BatchNorm, ...]:
    if where == "none":
        return ()
    root = network if where == "all" else _encoder(network, "--freeze-bn encoder")
    return tuple(layer for layer in root.modules() if isinstance(layer, _BatchNorm))


def _encoder(network: nn.Module, wish: str) -> nn.Module:
    encoder = getattr(network, "encoder", None)
    if not isinstance(encoder, nn.Module) or not hasattr(encoder, "stages"):
        raise ConfigError(
            f"{wish} is for networks with a named encoder, like deeplabv3plus, and this one has none"
        )
    return encoder
