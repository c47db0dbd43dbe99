"""DeepLabv3+: atrous spatial pyramid pooling, and a decoder that takes in the features of stride 4.

Source: L.-C. Chen et al., "Encoder-Decoder with Atrous Separable Convolution for Semantic Image
Segmentation", ECCV 2018 (arXiv:1802.02611), on MobileNetV2 by the layer table of the Keras port of it.
2,753,714 parameters at 2 classes, counted as Keras does. The architecture answers at a quarter of the input's
size; here that is enlarged bilinearly, as the source does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from pixelwise.encoders import build_encoder, with_output_stride
from pixelwise.encoders.levels import level_at
from pixelwise.errors import ConfigError
from pixelwise.nn.activation import Activation
from pixelwise.nn.aspp import ASPP
from pixelwise.nn.conv import ARITHMETICS, ConvNorm, SeparableConvNorm
from pixelwise.nn.frame import RepeatedBorder, crop, enlarge, full_precision
from pixelwise.nn.normalise import Convention, Normalise
from pixelwise.nn.outputs import AUXILIARY, LOGITS
from pixelwise.nn.resample import Upsampling, make_upsampling

RATES = (6, 12, 18)
CHANNELS = 256
SKIP_CHANNELS = 48
_MIDDLE = -2
"""Which feature the auxiliary head reads: the last but one."""


class DeepLabV3Plus(nn.Module):
    """Raw RGB `(N, 3, H, W)` in 0..255 to logits `(N, K, H, W) float32`, any size.

    Args:
        num_classes: K.
        encoder: Where the features come from.
        encoder_arguments: The encoder's own.
        output_stride: Of the map that the pyramid pools. 8 and 16 are by dilation, which `mobilenet_v2` has,
            and of timm's encoders those of convolutions alone; 32 is every encoder's.
        double_rates: Atrous rates 12, 24, 36 instead of 6, 12, 18, as the paper advises at output stride 8.
        upsampling: Of the pyramid's output to stride 4, before the finer features join.
        dropout: Share of the pyramid's outputs that are zeroed in training.
        auxiliary: A second head on the feature before the deepest, for training only (`models/auxiliary.py`).
        eps: What batch normalisation outside the encoder adds to the variance; the port has 1e-5.
        activation: After every batch normalisation outside the encoder.
        normalisation: What happens to raw RGB first.

    Raises:
        ConfigError: Arguments that exclude each other or are out of range.
    """

    native_stride = 4

    def __init__(
        self,
        *,
        num_classes: int,
        encoder: str = "mobilenet_v2",
        encoder_arguments: Mapping[str, Any] | None = None,
        output_stride: Literal[8, 16, 32] = 8,
        double_rates: bool = False,
        upsampling: Upsampling = "bilinear",
        dropout: float = 0.1,
        auxiliary: bool = False,
        eps: float = 1e-5,
        activation: Activation = "relu",
        normalisation: Convention = "symmetric",
    ) -> None:
        super().__init__()
        if not 0 <= dropout < 1:
            raise ConfigError(f"dropout must lie in 0..1, got {dropout}")
        if not 0 < eps < 1:
            raise ConfigError(f"eps must lie in 0..1, got {eps}")
        own = with_output_stride(encoder, encoder_arguments, output_stride, decoder="deeplabv3plus")
        self.normalise = Normalise(normalisation)
        self.encoder = build_encoder(encoder, own)
        deepest = self.encoder.strides[-1]
        self.frame = RepeatedBorder(deepest)
        self.fine = level_at(self.encoder, self.native_stride, of=encoder, decoder="deeplabv3plus")
        deep, fine = self.encoder.channels[-1], self.encoder.channels[self.fine]
        arithmetic = dataclasses.replace(ARITHMETICS["keras"], eps=eps)
        rates = tuple(rate * (2 if double_rates else 1) for rate in RATES)
        self.aspp = ASPP(
            deep, CHANNELS, rates=rates, dropout=dropout, arithmetic=arithmetic, activation=activation
        )
        self.up = make_upsampling(upsampling, CHANNELS, factor=deepest // self.native_stride)
        self.skip = ConvNorm(fine, SKIP_CHANNELS, kernel_size=1, arithmetic=arithmetic, activation=activation)
        self.refine = nn.Sequential(
            SeparableConvNorm(
                CHANNELS + SKIP_CHANNELS, CHANNELS, arithmetic=arithmetic, activation=activation
            ),
            SeparableConvNorm(CHANNELS, CHANNELS, arithmetic=arithmetic, activation=activation),
        )
        self.head = nn.Conv2d(CHANNELS, num_classes, 1)
        self.auxiliary = None
        if auxiliary:
            width = self.encoder.channels[_MIDDLE]
            self.auxiliary = nn.Sequential(
                ConvNorm(width, max(32, width // 4), arithmetic=arithmetic, activation=activation),
                nn.Dropout(dropout),
                nn.Conv2d(max(32, width // 4), num_classes, 1),
            )

    def forward(self, x: Tensor) -> Tensor:
        """`(N, 3, H, W)` raw RGB to `(N, K, H, W) float32` logits."""
        return crop(self.framed(self.frame(self.normalise(x))), *x.shape[2:])

    def framed(self, x: Tensor) -> Tensor:
        """Normalised input with its frame to logits that have the picture's in their upper left."""
        return enlarge(full_precision(self.forward_native(x)), self.native_stride)

    def forward_auxiliary(self, x: Tensor) -> dict[str, Tensor]:
        """As `forward`, with the auxiliary head's logits beside the network's own."""
        features = self.encoder(self.frame(self.normalise(x)))
        second = self.auxiliary(features[_MIDDLE])  # pyright: ignore[reportOptionalCall]
        heads = {
            LOGITS: (self._decode(features), self.native_stride),
            AUXILIARY: (second, self.encoder.strides[_MIDDLE]),
        }
        return {
            name: crop(enlarge(full_precision(head), stride), *x.shape[2:])
            for name, (head, stride) in heads.items()
        }

    def forward_native(self, x: Tensor) -> Tensor:
        """Normalised input, its sides multiples of the output stride, to logits at a quarter of its size."""
        return self._decode(self.encoder(x))

    def _decode(self, features: list[Tensor]) -> Tensor:
        pooled = self.up(self.aspp(features[-1]))
        return self.head(self.refine(torch.cat([pooled, self.skip(features[self.fine])], dim=1)))
