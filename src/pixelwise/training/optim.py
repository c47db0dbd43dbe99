"""Optimisers, the course of the learning rate, the pace of running statistics. Knows no data and no loop."""

from __future__ import annotations

import math

import torch

from pixelwise.config import TrainConfig
from pixelwise.training.rmsprop import KerasRMSprop


def build_optimizer(network: torch.nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """The optimiser that the config names, over all parameters of the network.

    Weight decay reaches kernels only (more than one dimension): decaying biases and batch-norm scales pulls
    activations towards zero and regularises nothing.
    """
    parameters = [p for p in network.parameters() if p.requires_grad]
    kernels = [p for p in parameters if p.ndim > 1]
    others = [p for p in parameters if p.ndim <= 1]
    groups = [
        {"params": kernels, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=config.lr, foreach=True)
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, foreach=True)
    return KerasRMSprop(groups, lr=config.lr, rho=0.9, eps=1e-7)


def set_bn_momentum(network: torch.nn.Module, momentum: float) -> None:
    """Lets the running statistics of batch normalisation follow the batches faster, or slower.

    They trail the weights by some `1 / momentum` steps. With Keras' 0.01 and a few hundred steps in all they
    are those of weights long gone, and a network that fits its training pictures predicts one class
    everywhere.
    """
    for module in network.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.momentum = momentum


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
    """Gives every parameter group the same learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = value
