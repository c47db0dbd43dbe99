"""Networks by name. One architecture, one file; the literal dict below is the list of them.

Every network is an `nn.Module`: `(N, 3, H, W)` raw RGB in 0..255 in, `(N, K, H, W) float32` logits at the
input's size out, for any size. It owns its normalisation and pads what it must. Knows no config, no classes'
names, no data.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from pixelwise.encoders import complete_encoder_arguments, convention
from pixelwise.encoders.foreign_names import Rename
from pixelwise.encoders.pretrained import Pretrained, load_pretrained, load_rest, read_pretrained
from pixelwise.errors import ConfigError
from pixelwise.header import Architecture
from pixelwise.models import lraspp, pidnet
from pixelwise.models.deeplabv3plus import DeepLabV3Plus
from pixelwise.models.eomt import EoMT
from pixelwise.models.fcn import FCN
from pixelwise.models.fpn import FPN
from pixelwise.models.lraspp import LRASPP
from pixelwise.models.mobilenet_segnet import MobileNetSegNet
from pixelwise.models.pidnet import PIDNet
from pixelwise.models.segformer import SegFormer
from pixelwise.models.segnet import SegNet
from pixelwise.models.unet import UNet
from pixelwise.models.unet_xception import UNetXception
from pixelwise.models.upernet import UPerNet
from pixelwise.nn.arguments import complete
from pixelwise.progress import Progress
from pixelwise.types import MAX_CLASSES


@dataclass(frozen=True)
class ModelInfo:
    """An entry of `MODELS`.

    Attributes:
        build: Called with `num_classes`, what is fixed, and the architecture's own keyword arguments.
        source: Where the architecture was published.
        fixed: Arguments of `build` that the name stands for.
        encoder: The encoder of networks that have no argument of that name; its weights can be pretrained.
        decides: Arguments of the encoder that the network's own of that name stand for too.
        published: Our name of a tensor in the files of the network's authors; None for a foreign one.
        over_encoders: Defaults that are others where an encoder is named instead of the paper's own.
    """

    build: Callable[..., nn.Module]
    source: str
    fixed: Mapping[str, Any] = field(default_factory=dict[str, Any])
    encoder: str | None = None
    decides: tuple[str, ...] = ()
    published: Rename | None = None
    over_encoders: Mapping[str, Any] = field(default_factory=dict[str, Any])


_LONG = "Long 2015, Fully Convolutional Networks"
_XIE = "Xie 2021, SegFormer"
_KERSSIES = "Kerssies 2025, Your ViT is Secretly an Image Segmentation Model"

MODELS: dict[str, ModelInfo] = {
    "unet-xception": ModelInfo(UNetXception, "Chollet 2020, keras.io Oxford Pets tutorial"),
    "mobilenet-segnet": ModelInfo(
        MobileNetSegNet, "Gupta 2019, Image Segmentation Keras", encoder="mobilenet_v1"
    ),
    "segnet": ModelInfo(SegNet, "Badrinarayanan 2017, SegNet", decides=("activation",)),
    "fcn-32s": ModelInfo(FCN, _LONG, {"stride": 32}),
    "fcn-16s": ModelInfo(FCN, _LONG, {"stride": 16}),
    "fcn-8s": ModelInfo(FCN, _LONG, {"stride": 8}),
    "unet": ModelInfo(UNet, "Ronneberger 2015, U-Net", over_encoders={"batch_norm": True}),
    "deeplabv3plus": ModelInfo(DeepLabV3Plus, "Chen 2018, DeepLabv3+"),
    "fpn": ModelInfo(FPN, "Kirillov 2019, Panoptic Feature Pyramid Networks"),
    "upernet": ModelInfo(UPerNet, "Xiao 2018, Unified Perceptual Parsing"),
    "segformer-b0": ModelInfo(SegFormer, _XIE, {"encoder": "mit_b0", "channels": 256}),
    "segformer-b1": ModelInfo(SegFormer, _XIE, {"encoder": "mit_b1", "channels": 256}),
    "segformer-b2": ModelInfo(SegFormer, _XIE, {"encoder": "mit_b2", "channels": 768}),
    "lraspp": ModelInfo(LRASPP, "Howard 2019, Searching for MobileNetV3", published=lraspp.torchvision_name),
    "pidnet-s": ModelInfo(PIDNet, "Xu 2023, PIDNet", encoder="pidnet", published=pidnet.published_name),
    "eomt-s": ModelInfo(EoMT, _KERSSIES, {"heads": 6}, encoder="dinov2_small"),
    "eomt-b": ModelInfo(EoMT, _KERSSIES, {"heads": 12}, encoder="dinov2_base"),
}


def build_model(
    name: str,
    *,
    num_classes: int,
    arguments: Mapping[str, Any] | None = None,
    seed: int | None = None,
    weights: str = "",
    progress: Progress | None = None,
) -> nn.Module:
    """Builds a network with fresh weights, its encoder perhaps with pretrained ones.

    Args:
        name: A key of `MODELS`.
        num_classes: Channels of its logits, 1 to 255.
        arguments: The architecture's own arguments, e.g. `{"normalisation": "unit"}`.
        seed: Of the weights; torch's global generator is then left as it was. Without one it decides.
        weights: Pretrained weights of the encoder: `imagenet`, or a file (see `read_pretrained`). What they
            were trained with (normalisation, arithmetic) becomes an argument of the network. Of a file that
            the network's authors published, the rest of the network comes along, but for layers that answer
            for another number of classes.
        progress: Told of bytes that come, where weights are fetched.

    Returns:
        The network in training mode. Its `.architecture` is the `Architecture` that builds it again.

    Raises:
        ConfigError: No such network, or it has no such argument; the message lists what there is. Weights
            that do not fit, or contradict an argument.
        DataError: Weights that cannot be fetched or read.
    """
    pretrained = read_weights(name, weights, arguments=arguments, progress=progress) if weights else None
    return assemble(name, num_classes=num_classes, arguments=arguments, seed=seed, pretrained=pretrained)


def read_weights(
    name: str,
    source: str,
    *,
    arguments: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Pretrained:
    """Reads pretrained weights for the encoder that a network has with these arguments; see `build_model`."""
    info = _find(name)
    encoder = _encoder_name(name, info, _complete(name, info, arguments or {}))
    return read_pretrained(encoder, source, whole=info.published, progress=progress)


def assemble(
    name: str,
    *,
    num_classes: int,
    arguments: Mapping[str, Any] | None = None,
    seed: int | None = None,
    pretrained: Pretrained | None = None,
) -> nn.Module:
    """`build_model` with weights that were read already; opens no file."""
    if not 1 <= num_classes <= MAX_CLASSES:
        raise ConfigError(f"a network needs 1 to {MAX_CLASSES} classes, got {num_classes}")
    info, given = _find(name), dict(arguments or {})
    # Defaults are written down too, so that a later change of a default does not change an old model file.
    own = _complete(name, info, given)
    if pretrained is not None:
        own = _complete(name, info, _follow(info, given, own, pretrained))
    if seed is None:
        network = info.build(num_classes=num_classes, **info.fixed, **own)
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = info.build(num_classes=num_classes, **info.fixed, **own)
    if pretrained is not None:
        load_pretrained(network.encoder, pretrained)  # pyright: ignore[reportArgumentType]
        load_rest(network, pretrained)
    network.architecture = Architecture(name, own)  # pyright: ignore[reportArgumentType, reportAttributeAccessIssue]
    return network


def _find(name: str) -> ModelInfo:
    if name not in MODELS:
        close = difflib.get_close_matches(name, MODELS, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise ConfigError(f"there is no network {name!r}: {hint}There are {', '.join(MODELS)}")
    return MODELS[name]


def _complete(name: str, info: ModelInfo, given: Mapping[str, Any]) -> dict[str, Any]:
    """All arguments of a network and of its encoder, checked."""
    own = complete(info.build, given, owner=name, without=("num_classes", *info.fixed))
    encoder = info.fixed.get("encoder", own.get("encoder"))
    if encoder is not None:
        if "normalisation" not in given:
            own["normalisation"] = convention(encoder) or own["normalisation"]
        own |= {key: value for key, value in info.over_encoders.items() if key not in given}
        of_encoder = complete_encoder_arguments(encoder, own["encoder_arguments"])
        # What the network decides for its encoder is its own argument, and the encoder's number of input
        # channels is the network contract's three.
        for decided in [key for key in of_encoder if key == "in_channels" or _decides(info, own, key)]:
            if decided in (own["encoder_arguments"] or {}):
                raise ConfigError(f"{name} decides the encoder's {decided} itself")
            del of_encoder[decided]
        own["encoder_arguments"] = of_encoder
    return own


def _decides(info: ModelInfo, own: Mapping[str, Any], argument: str) -> bool:
    """Whether an argument of a network's encoder is the network's; activations may differ."""
    return argument in own and (argument != "activation" or argument in info.decides)


def _encoder_name(name: str, info: ModelInfo, own: Mapping[str, Any]) -> str:
    encoder = info.fixed.get("encoder", own.get("encoder", info.encoder))
    if encoder is None:
        raise ConfigError(
            f"{name} has no encoder that weights are known for"
            + ("; name one with the argument encoder" if "encoder" in own else "")
        )
    return encoder


def _follow(
    info: ModelInfo, given: Mapping[str, Any], own: Mapping[str, Any], pretrained: Pretrained
) -> dict[str, Any]:
    """The given arguments and those that the weights ask for.

    Raises:
        ConfigError: A given argument contradicts them.
    """
    followed = dict(given)
    if pretrained.normalisation is not None:
        _agree("normalisation", given, pretrained.normalisation, pretrained.origin)
        followed["normalisation"] = pretrained.normalisation
    if "encoder_arguments" in own:
        of_encoder = dict(given.get("encoder_arguments") or {})
        asked = {key: v for key, v in pretrained.arguments.items() if not _decides(info, own, key)}
        for key, value in asked.items():
            _agree(key, of_encoder, value, pretrained.origin)
        followed["encoder_arguments"] = {**of_encoder, **asked}
        return followed
    for key in own.keys() & pretrained.arguments.keys():
        _agree(key, given, pretrained.arguments[key], pretrained.origin)
        followed[key] = pretrained.arguments[key]
    return followed


def _agree(key: str, given: Mapping[str, Any], wanted: object, origin: str) -> None:
    if key in given and given[key] != wanted:
        raise ConfigError(
            f"{origin}: the weights were trained with {key}={wanted}, so {given[key]} cannot be"
        )
