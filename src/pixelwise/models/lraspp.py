"""LR-ASPP: a lite pyramid of one 1x1 branch and a gate of what the whole picture shows, on MobileNetV3.

Source: A. Howard et al., "Searching for MobileNetV3", ICCV 2019 (arXiv:1905.02244), section 6.4, as
torchvision's `lraspp_mobilenet_v3_large` has it: the gate averages the whole map, where the paper pools
windows of 49x49; all widths are those of classification. 3,221,538 parameters at 21 classes, as torchvision
counts, running statistics left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.encoders import build_encoder, takes, with_output_stride
from pixelwise.encoders.levels import level_at
from pixelwise.encoders.mobilenet_v3 import large_name
from pixelwise.nn.activation import Activation
from pixelwise.nn.conv import ARITHMETICS, ConvNorm
from pixelwise.nn.frame import RepeatedBorder, crop, enlarge, full_precision
from pixelwise.nn.normalise import Convention, Normalise
from pixelwise.nn.resample import Upsampling, make_upsampling

CHANNELS = 128


class LRASPP(nn.Module):
    """Raw RGB `(N, 3, H, W)` in 0..255 to logits `(N, K, H, W) float32`, any size.

    Args:
        num_classes: K.
        encoder: Where the features come from.
        encoder_arguments: The encoder's own.
        output_stride: Of the map that the pyramid reads. 16 is by dilation, which `mobilenet_v2` and `_v3`
            have, and of timm's encoders those of convolutions alone; 32 is every encoder's.
        tap: For MobileNetV3, which block hands out its map: `first` behind each stride is torchvision's way.
        upsampling: Of the pyramid's output to stride 8, before the finer features join.
        activation: After the pyramid's convolution.
        normalisation: What happens to raw RGB first.

    Raises:
        ConfigError: Arguments that exclude each other or are out of range.
    """

    native_stride = 8

    def __init__(
        self,
        *,
        num_classes: int,
        encoder: str = "mobilenet_v3_large",
        encoder_arguments: Mapping[str, Any] | None = None,
        output_stride: Literal[16, 32] = 16,
        tap: Literal["first", "last"] = "first",
        upsampling: Upsampling = "bilinear",
        activation: Activation = "relu",
        normalisation: Convention = "imagenet",
    ) -> None:
        super().__init__()
        own = with_output_stride(encoder, encoder_arguments, output_stride, decoder="lraspp")
        if takes(encoder, "tap"):
            own["tap"] = tap
        self.normalise = Normalise(normalisation)
        self.encoder = build_encoder(encoder, own)
        deepest = self.encoder.strides[-1]
        self.frame = RepeatedBorder(deepest)
        self.fine = level_at(self.encoder, self.native_stride, of=encoder, decoder="lraspp")
        deep, fine = self.encoder.channels[-1], self.encoder.channels[self.fine]
        arithmetic = ARITHMETICS["torch"]
        self.pixel = ConvNorm(deep, CHANNELS, kernel_size=1, arithmetic=arithmetic, activation=activation)
        self.gate = nn.Conv2d(deep, CHANNELS, 1, bias=False)
        self.up = make_upsampling(upsampling, CHANNELS, factor=deepest // self.native_stride)
        self.low = nn.Conv2d(fine, num_classes, 1)
        self.high = nn.Conv2d(CHANNELS, num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, 3, H, W)` raw RGB to `(N, K, H, W) float32` logits."""
        return crop(self.framed(self.frame(self.normalise(x))), *x.shape[2:])

    def framed(self, x: Tensor) -> Tensor:
        """Normalised input with its frame to logits that have the picture's in their upper left."""
        return enlarge(full_precision(self.forward_native(x)), self.native_stride)

    def forward_native(self, x: Tensor) -> Tensor:
        """Normalised input, its sides multiples of the output stride, to logits at an eighth of its size."""
        features = self.encoder(x)
        deep = features[-1]
        gate = self.gate(F.adaptive_avg_pool2d(deep, 1)).sigmoid()
        return self.low(features[self.fine]) + self.high(self.up(self.pixel(deep) * gate))


def torchvision_name(key: str) -> str | None:
    """Our name of a tensor in torchvision's `lraspp_mobilenet_v3_large`; None for what is not of it."""
    top, _, rest = key.partition(".")
    if top == "backbone":
        name = large_name(f"features.{rest}")
        return None if name is None else f"encoder.{name}"
    layer, _, part = rest.rpartition(".")
    layers = {
        "cbr.0": "pixel.conv",
        "cbr.1": "pixel.bn",
        "scale.1": "gate",
        "low_classifier": "low",
        "high_classifier": "high",
    }
    return f"{layers[layer]}.{part}" if top == "classifier" and layer in layers else None
