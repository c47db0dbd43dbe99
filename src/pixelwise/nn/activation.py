"""Activations by name: what a network applies after its convolutions. Knows no network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from torch import nn

from pixelwise.errors import ConfigError

Activation = Literal["relu", "relu6", "leaky-relu", "sigmoid", "tanh", "hard-swish"]

LEAK = 0.01
"""Slope of the leaky ReLU below zero (Maas 2013)."""

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "relu6": lambda: nn.ReLU6(inplace=True),
    "leaky-relu": lambda: nn.LeakyReLU(LEAK, inplace=True),
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "hard-swish": lambda: nn.Hardswish(inplace=True),
}


def make_activation(name: Activation) -> nn.Module:
    """`max(x, 0)`, that capped at 6, with slope 0.01 below zero, `1 / (1 + exp(-x))`, `tanh(x)`, hard swish.

    The last is `x * relu6(x + 3) / 6` (Howard 2019). It and the ReLUs work in place: put them after a layer
    whose output nobody else reads.

    Raises:
        ConfigError: Another name; the message lists what there is.
    """
    if name not in ACTIVATIONS:
        raise ConfigError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {name!r}")
    return ACTIVATIONS[name]()
