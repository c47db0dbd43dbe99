"""SegNet's decoder, without its indices, on MobileNet: the Keras tutorials' `mobilenet_segnet`.

Source: D. Gupta, "Image Segmentation Keras", 2019 (after V. Badrinarayanan et al., "SegNet", 2017, and A.
Howard et al., "MobileNets", 2017), by its layer table. 5,541,378 parameters at 2 classes, counted as Keras
does. The decoder has no activations. The source answers at half the input's size; here that is enlarged
bilinearly.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Literal, cast

from torch import Tensor, nn

from pixelwise.encoders.mobilenet_v1 import MobileNetV1
from pixelwise.errors import ConfigError
from pixelwise.nn.activation import Activation
from pixelwise.nn.conv import Arithmetic, BatchNorm
from pixelwise.nn.frame import RepeatedBorder, crop, enlarge, full_precision
from pixelwise.nn.normalise import Convention, Normalise
from pixelwise.nn.resample import Upsampling, make_upsampling
from pixelwise.nn.same import SameConv2d
from pixelwise.nn.upsample import UpsampledConv2d

_ARITHMETIC = Arithmetic("symmetric", 1e-3, 0.01)


class MobileNetSegNet(nn.Module):
    """Raw RGB `(N, 3, H, W)` in 0..255 to logits `(N, K, H, W) float32`, any size.

    Args:
        num_classes: K.
        level: Which feature of the encoder the decoder starts from, f1 to f5.
        n_up: How often the decoder doubles the map, 2 and more.
        upsampling: How it does.
        alpha: Width of the encoder.
        depth_multiplier: Of its depthwise convolutions.
        activation: Of the encoder.
        normalisation: What happens to raw RGB first.

    Raises:
        ConfigError: An argument out of its range, or an output larger than the input.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        level: Literal[1, 2, 3, 4, 5] = 4,
        n_up: int = 3,
        upsampling: Upsampling = "nearest",
        alpha: float = 1.0,
        depth_multiplier: int = 1,
        activation: Activation = "relu6",
        normalisation: Convention = "symmetric",
    ) -> None:
        super().__init__()
        if n_up < 2:
            raise ConfigError(f"n_up must be at least 2, got {n_up}")
        self.normalise = Normalise(normalisation)
        self.encoder = MobileNetV1(alpha=alpha, depth_multiplier=depth_multiplier, activation=activation)
        self.encoder.keep(level)
        stride = self.encoder.strides[-1]
        if 2**n_up > stride:
            raise ConfigError(
                f"level {level} has stride {stride}, so n_up must be at most {stride.bit_length() - 1}"
            )
        self.native_stride = stride // 2**n_up
        self.frame = RepeatedBorder(stride)
        widths = (512, 256, *(128,) * (n_up - 2), 64)
        channels = (self.encoder.channels[-1], *widths)
        self.first = SameConv2d(channels[0], widths[0], kernel_size=3)
        self.first_bn = BatchNorm(widths[0], _ARITHMETIC)
        self.decoder = nn.ModuleList(UpConvNorm(i, o, upsampling) for i, o in pairwise(widths))
        self.head = SameConv2d(widths[-1], num_classes, kernel_size=3)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, 3, H, W)` raw RGB to `(N, K, H, W) float32` logits."""
        return crop(self.framed(self.frame(self.normalise(x))), *x.shape[2:])

    def framed(self, x: Tensor) -> Tensor:
        """Normalised input with its frame to logits that have the picture's in their upper left."""
        return enlarge(full_precision(self.forward_native(x)), self.native_stride)

    def forward_native(self, x: Tensor) -> Tensor:
        """Normalised input, its sides multiples of the encoder's stride, to logits at the native stride."""
        x = self.first_bn(self.first(self.encoder(x)[-1]))
        for stage in cast("Iterable[UpConvNorm]", self.decoder):
            x = stage(x)
        return self.head(x)

    def forward_published(self, x: Tensor) -> Tensor:
        """The source's graph, layer by layer: raw RGB to logits at the native stride."""
        x = self.normalise(x)
        x = self.first_bn(self.first(self.encoder(x)[-1]))
        for stage in cast("Iterable[UpConvNorm]", self.decoder):
            x = stage.published(x)
        return self.head(x)


class UpConvNorm(nn.Module):
    """Upsampling by two, a 3x3 convolution with bias, batch normalisation."""

    def __init__(self, in_channels: int, out_channels: int, upsampling: Upsampling) -> None:
        super().__init__()
        self.up = make_upsampling(upsampling, in_channels)
        self.nearest = upsampling in ("nearest", "unpool-repeat")
        self.conv = UpsampledConv2d(in_channels, out_channels, kernel_size=3)
        self.bn = BatchNorm(out_channels, _ARITHMETIC)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to `(N, C', 2H, 2W)`; nearest upsampling and convolution in one, where it can be."""
        return self.bn(self.conv.after_upsampling(x) if self.nearest else self.conv(self.up(x)))

    def published(self, x: Tensor) -> Tensor:
        """The same, layer by layer."""
        return self.bn(self.conv(self.up(x)))
