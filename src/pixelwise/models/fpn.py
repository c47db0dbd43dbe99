"""FPN: a feature pyramid whose levels are brought to stride 4 and added up.

Source: A. Kirillov et al., "Panoptic Feature Pyramid Networks", CVPR 2019 (arXiv:1901.02446), section 3 and
figure 3, its semantic branch, over the pyramid of T.-Y. Lin et al., "Feature Pyramid Networks", CVPR 2017:
256 channels, top-down sums, 3x3 convolutions; then for each level as many times a 3x3 convolution of 128
channels, group normalisation, ReLU and bilinear upsampling by 2 as bring it to stride 4. It answers at a
quarter of the input's size; here that is enlarged bilinearly, as the source does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, cast

from torch import Tensor, nn

from pixelwise.encoders import build_encoder
from pixelwise.encoders.levels import halving
from pixelwise.errors import ConfigError
from pixelwise.nn.activation import Activation, make_activation
from pixelwise.nn.conv import ARITHMETICS, BatchNorm
from pixelwise.nn.frame import RepeatedBorder, crop, enlarge, full_precision
from pixelwise.nn.normalise import Convention, Normalise
from pixelwise.nn.pyramid import FeaturePyramid
from pixelwise.nn.resample import Upsampling, make_upsampling

Norm = Literal["group", "batch"]

CHANNELS = 256
HEAD_CHANNELS = 128
_GROUP = 4
"""Channels of a group (Wu and He 2018): 32 groups as published. More than one, so that a map of a single
pixel has a deviation."""


class FPN(nn.Module):
    """Raw RGB `(N, 3, H, W)` in 0..255 to logits `(N, K, H, W) float32`, any size.

    Args:
        num_classes: K.
        encoder: Where the features come from; those of strides 4 and more are taken.
        encoder_arguments: The encoder's own.
        width: Channels of the pyramid.
        head_width: Channels of what each level is brought to, a multiple of 4.
        norm: After the head's convolutions: `group` as published, which no batch is too small for, or
            `batch`.
        upsampling: From each stride to the next finer one in the head.
        dropout: Share of the summed map's channels that are zeroed in training; the source has none.
        activation: After every normalisation.
        normalisation: What happens to raw RGB first.

    Raises:
        ConfigError: An argument out of its range, or an encoder whose maps are not halved from stride 4 on.
    """

    native_stride = 4

    def __init__(
        self,
        *,
        num_classes: int,
        encoder: str = "resnet18",
        encoder_arguments: Mapping[str, Any] | None = None,
        width: int = CHANNELS,
        head_width: int = HEAD_CHANNELS,
        norm: Norm = "group",
        upsampling: Upsampling = "bilinear",
        dropout: float = 0.0,
        activation: Activation = "relu",
        normalisation: Convention = "imagenet",
    ) -> None:
        super().__init__()
        if not 1 <= width <= 2048:
            raise ConfigError(f"width must lie in 1..2048, got {width}")
        if not _GROUP <= head_width <= 2048 or head_width % _GROUP:
            raise ConfigError(
                f"head_width must be a multiple of {_GROUP} in {_GROUP}..2048, got {head_width}"
            )
        if not 0 <= dropout < 1:
            raise ConfigError(f"dropout must lie in 0..1, got {dropout}")
        self.normalise = Normalise(normalisation)
        self.encoder = build_encoder(encoder, encoder_arguments)
        strides = halving(self.encoder, of=encoder, decoder="fpn")
        self.frame = RepeatedBorder(strides[-1])
        self.first = strides.index(self.native_stride)
        self.pyramid = FeaturePyramid(
            self.encoder.channels[self.first :],
            lateral=lambda channels: nn.Conv2d(channels, width, 1),
            output=lambda: nn.Conv2d(width, width, 3, padding=1),
        )

        def step(inputs: int, *, doubled: bool) -> nn.Sequential:
            conv = nn.Conv2d(inputs, head_width, 3, padding=1, bias=False)
            nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
            layers = [conv, _norm(norm, head_width), make_activation(activation)]
            return nn.Sequential(*layers, *([make_upsampling(upsampling, head_width)] if doubled else []))

        # A level of stride 4 has one convolution, and each further one as many as it must be doubled.
        self.levels = nn.ModuleList(
            nn.Sequential(
                *(
                    step(width if place == 0 else head_width, doubled=stride > self.native_stride)
                    for place in range(max(1, (stride // self.native_stride).bit_length() - 1))
                )
            )
            for stride in strides[self.first :]
        )
        self.drop = nn.Dropout2d(dropout)
        self.head = nn.Conv2d(head_width, num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, 3, H, W)` raw RGB to `(N, K, H, W) float32` logits."""
        return crop(self.framed(self.frame(self.normalise(x))), *x.shape[2:])

    def framed(self, x: Tensor) -> Tensor:
        """Normalised input with its frame to logits that have the picture's in their upper left."""
        return enlarge(full_precision(self.forward_native(x)), self.native_stride)

    def forward_native(self, x: Tensor) -> Tensor:
        """Normalised input, its sides multiples of the encoder's stride, to logits at a quarter of them."""
        maps = self.pyramid(self.encoder(x)[self.first :])
        levels = cast("Iterable[nn.Module]", self.levels)
        total, *others = [level(y) for level, y in zip(levels, maps, strict=True)]
        for other in others:
            total = total + other
        return self.head(self.drop(total))


def _norm(kind: Norm, channels: int) -> nn.Module:
    return (
        nn.GroupNorm(channels // _GROUP, channels)
        if kind == "group"
        else BatchNorm(channels, ARITHMETICS["torch"])
    )
