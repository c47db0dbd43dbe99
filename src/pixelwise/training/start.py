"""What a run starts from: pretrained weights of an encoder, or a whole network that was trained before.

Knows no data but its classes, and no loop.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from pixelwise.config import TrainConfig
from pixelwise.encoders.published import IMAGENET
from pixelwise.errors import ConfigError, ModelFileError
from pixelwise.files import sha256_of
from pixelwise.header import Architecture
from pixelwise.model_file import load_model, read_header
from pixelwise.models import assemble
from pixelwise.nn.arguments import format_arguments, parse_arguments
from pixelwise.types import Classes


@dataclass(frozen=True)
class Start:
    """A trained network to start from.

    Attributes:
        path: Its model file.
        network: With the file's weights.
        classes: What its channels mean.
        sha256: Of the file, in lower-case hexadecimal.
    """

    path: Path
    network: nn.Module
    classes: Classes
    sha256: str


def settled(config: TrainConfig) -> TrainConfig:
    """The config with its files noted absolutely, and with the architecture of the model file that it names.

    A resume may stand in another folder, and everything else then needs to know the architecture alone.

    Raises:
        ModelFileError: `init` names a file that is no model file.
        ConfigError: Other arguments of the network are given than the file has.
    """
    if config.weights not in ("", IMAGENET):
        config = dataclasses.replace(config, weights=_absolute(config.weights))
    if not config.init:
        return config
    path = Path(_absolute(config.init))
    architecture = read_header(path).architecture
    if config.model not in (TrainConfig().model, architecture.name):
        raise ConfigError(f"{path} holds a {architecture.name}, so --model cannot be {config.model}")
    own = format_arguments(architecture.arguments)
    foreign = [pair for pair in format_arguments(parse_arguments(config.model_args)) if pair not in own]
    if foreign:
        raise ConfigError(
            f"{path} has a network of its own arguments, so --model-args cannot be {', '.join(foreign)}; "
            f"it has {', '.join(own)}"
        )
    return dataclasses.replace(config, init=str(path), model=architecture.name, model_args=own)


def read_start(config: TrainConfig) -> Start | None:
    """The network that a settled config starts from; None where it starts from an initialisation.

    Raises:
        ModelFileError: The file is damaged, or has come to hold another network since.
    """
    if not config.init:
        return None
    path = Path(config.init)
    network, header = load_model(path)
    if (header.architecture.name, format_arguments(header.architecture.arguments)) != (
        config.model,
        config.model_args,
    ):
        raise ModelFileError(f"{path} holds another network than when the run began: restore it")
    return Start(path, network, header.classes, sha256_of(path))


def take_over(network: nn.Module, start: Start, classes: Classes) -> str:
    """Gives a network the weights of the one that it starts from, and says which.

    Channels mean classes: where these are others, by name or by order, what depends on their number (the
    last layer) keeps its fresh weights.

    Args:
        network: Of the same architecture, for `classes`.
        start: Where the weights come from.
        classes: Those of the data.
    """
    given = start.network.state_dict()
    origin = f"starting from {start.path}"
    if classes.names == start.classes.names:
        network.load_state_dict(given)
        return origin
    fresh = class_dependent(network.architecture)  # pyright: ignore[reportArgumentType]
    network.load_state_dict(
        {name: tensor for name, tensor in given.items() if name not in fresh}, strict=False
    )
    return (
        f"{origin}, but for {', '.join(sorted(fresh))}: the file's classes are "
        f"{', '.join(start.classes.names)}, those of the data {', '.join(classes.names)}"
    )


def class_dependent(architecture: Architecture) -> frozenset[str]:
    """Names of the tensors whose shape depends on the number of classes."""
    with torch.device("meta"):  # no data: shapes are enough
        fewer, more = (
            assemble(architecture.name, num_classes=n, arguments=architecture.arguments).state_dict()
            for n in (2, 3)
        )
    return frozenset(name for name, tensor in fewer.items() if tensor.shape != more[name].shape)


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().resolve())
