"""Encoders by name: what turns a picture into features at strides 2, 4, 8, 16 and 32, or from 4 on.

Those of the literal dict below are ours; `timm:NAME` is any network of timm that hands out its features, of
which some begin at stride 4. Every encoder is an `nn.Module`: a normalised `(N, C, H, W)` in, a list of maps
out, with `.channels` and `.strides` beside it. The input's sides must be multiples of its largest stride;
networks pad. Knows no decoder and no classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast

from torch import Tensor, nn

from pixelwise.encoders.mix_transformer import mit_b0, mit_b1, mit_b2
from pixelwise.encoders.mobilenet_v1 import MobileNetV1
from pixelwise.encoders.mobilenet_v2 import MobileNetV2
from pixelwise.encoders.mobilenet_v3 import mobilenet_v3_large, mobilenet_v3_small
from pixelwise.encoders.resnet import resnet18, resnet34
from pixelwise.encoders.timm_encoder import PREFIX, TimmEncoder, timm_convention
from pixelwise.encoders.vgg16 import VGG16
from pixelwise.errors import ConfigError
from pixelwise.nn.activation import Activation
from pixelwise.nn.arguments import complete


class Encoder(Protocol):
    """Features of a picture, finest first."""

    channels: tuple[int, ...]
    strides: tuple[int, ...]

    def __call__(self, x: Tensor) -> list[Tensor]:
        """`(N, C, H, W)` normalised to maps `(N, channels[i], H / strides[i], W / strides[i])`."""
        ...

    def stages(self) -> list[list[nn.Module]]:
        """The layers by the feature that they lead to, finest first; every parameter lies in one of them."""
        ...


def vgg16(*, in_channels: int = 3, alpha: float = 1.0, activation: Activation = "relu") -> nn.Module:
    """VGG16 without batch normalisation, as published."""
    return VGG16(in_channels=in_channels, alpha=alpha, batch_norm=False, activation=activation)


def vgg16_bn(*, in_channels: int = 3, alpha: float = 1.0, activation: Activation = "relu") -> nn.Module:
    """VGG16 with batch normalisation."""
    return VGG16(in_channels=in_channels, alpha=alpha, batch_norm=True, activation=activation)


ENCODERS: dict[str, Callable[..., nn.Module]] = {
    "mit_b0": mit_b0,
    "mit_b1": mit_b1,
    "mit_b2": mit_b2,
    "mobilenet_v1": MobileNetV1,
    "mobilenet_v2": MobileNetV2,
    "mobilenet_v3_large": mobilenet_v3_large,
    "mobilenet_v3_small": mobilenet_v3_small,
    "resnet18": resnet18,
    "resnet34": resnet34,
    "vgg16": vgg16,
    "vgg16_bn": vgg16_bn,
}


def build_encoder(name: str, arguments: Mapping[str, Any] | None = None) -> Encoder:
    """Builds an encoder, an `nn.Module`, with fresh weights from torch's global generator.

    Args:
        name: A key of `ENCODERS`, or `timm:` and a name of `timm.list_models()`.
        arguments: Its own arguments, e.g. `{"alpha": 0.5}`.

    Raises:
        ConfigError: No such encoder, or it has no such argument; the message lists what there is. timm is
            not installed.
    """
    complete_arguments = complete_encoder_arguments(name, arguments)
    if name.startswith(PREFIX):
        return TimmEncoder(name=name, **complete_arguments)
    return cast("Encoder", ENCODERS[name](**complete_arguments))


def complete_encoder_arguments(name: str, arguments: Mapping[str, Any] | None) -> dict[str, Any]:
    """All arguments of an encoder, defaults where none was given; the errors of `build_encoder`."""
    if name.startswith(PREFIX):
        return complete(TimmEncoder, arguments or {}, owner=f"encoder {name}", without=("name",))
    if name not in ENCODERS:
        raise ConfigError(
            f"there is no encoder {name!r}; there are {', '.join(ENCODERS)}, and {PREFIX}NAME for those of "
            "timm"
        )
    return complete(ENCODERS[name], arguments or {}, owner=f"encoder {name}")


def takes(name: str, argument: str) -> bool:
    """Whether an encoder has an argument of that name."""
    return argument in complete_encoder_arguments(name, None)


def with_output_stride(
    name: str, arguments: Mapping[str, Any] | None, stride: int, *, decoder: str
) -> dict[str, Any]:
    """An encoder's arguments with the output stride that its decoder decides.

    Args:
        name: As for `build_encoder`.
        arguments: The encoder's own.
        stride: Of its deepest map; below 32 by dilation.
        decoder: Whose argument the stride is, for the message.

    Raises:
        ConfigError: The stride is among the encoder's own arguments, or needs a dilated form that the encoder
            does not have; as `build_encoder` for a name.
    """
    own = dict(arguments or {})
    if "output_stride" in own:
        raise ConfigError(f"output_stride is {decoder}'s own argument: give it without the encoder's name")
    if takes(name, "output_stride"):
        return {**own, "output_stride": stride}
    if stride != 32:
        raise ConfigError(f"{name} has no dilated form, so its output_stride must be 32")
    return own


def convention(name: str) -> str | None:
    """The range of pictures that an encoder says it wants; None where that is for its weights to say.

    Raises:
        ConfigError: As `build_encoder`.
    """
    return timm_convention(name) if name.startswith(PREFIX) else None
