"""Networks by name. One architecture, one file; the literal dict below is the list of them.

Every network is an `nn.Module`: `(N, 3, H, W)` raw RGB in 0..255 in, `(N, K, H, W) float32` logits at the
input's size out, for any size. It owns its normalisation and pads what it must. Knows no config, no classes'
names, no data.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from pixelwise.errors import ConfigError
from pixelwise.models.unet_xception import UNetXception
from pixelwise.types import MAX_CLASSES


@dataclass(frozen=True)
class Architecture:
    """What rebuilds a network besides its number of classes: arguments of `build_model`, as JSON values."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class ModelInfo:
    """An entry of `MODELS`.

    Attributes:
        build: Called with `num_classes` and the architecture's own keyword arguments.
        source: Where the architecture was published.
    """

    build: Callable[..., nn.Module]
    source: str


MODELS: dict[str, ModelInfo] = {
    "unet-xception": ModelInfo(UNetXception, "Chollet 2020, keras.io Oxford Pets tutorial"),
}


def build_model(
    name: str,
    *,
    num_classes: int,
    arguments: Mapping[str, Any] | None = None,
    seed: int | None = None,
) -> nn.Module:
    """Builds a network with fresh weights.

    Args:
        name: A key of `MODELS`.
        num_classes: Channels of its logits, 1 to 255.
        arguments: The architecture's own arguments, e.g. `{"normalisation": "unit"}`.
        seed: Of the weights; torch's global generator is then left as it was. Without one it decides.

    Returns:
        The network in training mode. Its `.architecture` is the `Architecture` that builds it again.

    Raises:
        ConfigError: No such network, or it has no such argument; the message lists what there is.
    """
    if name not in MODELS:
        close = difflib.get_close_matches(name, MODELS, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise ConfigError(f"there is no network {name!r}: {hint}There are {', '.join(MODELS)}")
    if not 1 <= num_classes <= MAX_CLASSES:
        raise ConfigError(f"a network needs 1 to {MAX_CLASSES} classes, got {num_classes}")
    build = MODELS[name].build
    given = dict(arguments or {})
    parameters = inspect.signature(build).parameters
    possible = [p for p in parameters if p != "num_classes"]
    unknown = [argument for argument in given if argument not in possible]
    if unknown:
        raise ConfigError(f"{name} has no argument {', '.join(unknown)}; it has {', '.join(possible)}")
    if seed is None:
        network = build(num_classes=num_classes, **given)
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = build(num_classes=num_classes, **given)
    # Defaults are written down too, so that a later change of a default does not change an old model file.
    defaults = {name: parameters[name].default for name in possible}
    network.architecture = Architecture(name, {**defaults, **given})  # pyright: ignore[reportArgumentType, reportAttributeAccessIssue]
    return network
