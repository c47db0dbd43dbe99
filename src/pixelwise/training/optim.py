"""Optimisers and the course of the learning rate. Knows no data and no loop."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import torch
from torch import nn

from pixelwise.config import TrainConfig
from pixelwise.training.encoder_layers import learning_rate_factors
from pixelwise.training.rmsprop import KerasRMSprop

_FACTOR = "lr_factor"
"""Key of a parameter group's own factor on the learning rate."""


def build_optimizer(network: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """The optimiser that the config names, over all parameters of the network that are trained.

    Weight decay reaches kernels only (more than one dimension): decaying biases and batch-norm scales pulls
    activations towards zero and regularises nothing. Parameters with one learning rate and one decay form a
    group; the order of groups and of what is in them follows the network alone, so a checkpoint finds its
    places.

    Raises:
        ConfigError: The encoder is to learn at another pace and the network has none, or nothing is trained.
    """
    factors = learning_rate_factors(network, config)
    members: dict[tuple[float, bool], list[nn.Parameter]] = defaultdict(list)
    for parameter in network.parameters():
        if parameter.requires_grad:
            members[factors.get(parameter, 1.0), parameter.ndim > 1].append(parameter)
    groups: list[dict[str, Any]] = [
        {"params": parameters, "weight_decay": config.weight_decay if kernels else 0.0, _FACTOR: factor}
        for (factor, kernels), parameters in sorted(members.items(), key=lambda item: item[0], reverse=True)
    ]
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=config.lr, foreach=True)
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, foreach=True)
    return KerasRMSprop(groups, lr=config.lr, rho=0.9, eps=1e-7)


def learning_rate(step: int, total_steps: int, config: TrainConfig) -> float:
    """The learning rate of step `step` (from 0) of `total_steps`: a pure function, so resume cannot shift it.

    It rises linearly to `config.lr` over `warmup_steps`, the first step taking one share and not zero, and
    then stays (`constant`), follows half a cosine to zero (`cosine`) or `(1 - t) ** 0.9` (`poly`, Liu 2015).
    """
    if step < config.warmup_steps:
        return config.lr * (step + 1) / (config.warmup_steps + 1)
    left = max(1, total_steps - config.warmup_steps)
    t = min(1.0, (step - config.warmup_steps) / left)
    if config.schedule == "cosine":
        return config.lr * 0.5 * (1 + math.cos(math.pi * t))
    if config.schedule == "poly":
        return config.lr * (1 - t) ** 0.9
    return config.lr


def set_learning_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    """Gives every parameter group this learning rate times its own factor."""
    for group in optimizer.param_groups:
        group["lr"] = value * group.get(_FACTOR, 1.0)
