"""UPerNet: pyramid pooling of the deepest feature, a feature pyramid down from there, all its levels joined.

Source: T. Xiao et al., "Unified Perceptual Parsing for Scene Understanding", ECCV 2018 (arXiv:1807.10221),
section 3.1, its part for scenes and objects, with 512 channels throughout as its reference code has them; the
pooling of H. Zhao et al., "Pyramid Scene Parsing Network", CVPR 2017. It answers at a quarter of the input's
size; here that is enlarged bilinearly, as the source does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from pixelwise.encoders import build_encoder
from pixelwise.encoders.levels import halving
from pixelwise.errors import ConfigError
from pixelwise.nn.activation import Activation
from pixelwise.nn.conv import ARITHMETICS, ConvNorm
from pixelwise.nn.frame import RepeatedBorder, crop, enlarge, full_precision
from pixelwise.nn.normalise import Convention, Normalise
from pixelwise.nn.pool_pyramid import PoolPyramid
from pixelwise.nn.pyramid import FeaturePyramid
from pixelwise.nn.resample import Upsampling, make_upsampling

CHANNELS = 512


class UPerNet(nn.Module):
    """Raw RGB `(N, 3, H, W)` in 0..255 to logits `(N, K, H, W) float32`, any size.

    Args:
        num_classes: K.
        encoder: Where the features come from; those of strides 4 and more are taken.
        encoder_arguments: The encoder's own.
        width: Channels of everything after it; most of the work is proportional to its square.
        upsampling: From each level to stride 4, where they are joined.
        dropout: Share of the joined map's channels that are zeroed in training; the source has none.
        activation: After every batch normalisation.
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
        upsampling: Upsampling = "bilinear",
        dropout: float = 0.1,
        activation: Activation = "relu",
        normalisation: Convention = "imagenet",
    ) -> None:
        super().__init__()
        if not 1 <= width <= 2048:
            raise ConfigError(f"width must lie in 1..2048, got {width}")
        if not 0 <= dropout < 1:
            raise ConfigError(f"dropout must lie in 0..1, got {dropout}")
        self.normalise = Normalise(normalisation)
        self.encoder = build_encoder(encoder, encoder_arguments)
        strides = halving(self.encoder, of=encoder, decoder="upernet")
        self.frame = RepeatedBorder(strides[-1])
        self.first = strides.index(self.native_stride)
        channels = self.encoder.channels[self.first :]

        def conv(inputs: int, kernel_size: int) -> ConvNorm:
            return ConvNorm(
                inputs,
                width,
                kernel_size=kernel_size,
                arithmetic=ARITHMETICS["torch"],
                activation=activation,
            )

        self.pooling = PoolPyramid(
            channels[-1], width, arithmetic=ARITHMETICS["torch"], activation=activation
        )
        self.pyramid = FeaturePyramid(
            channels,
            lateral=lambda inputs: conv(inputs, 1),
            output=lambda: conv(width, 3),
            lateral_of_deepest=False,
            mode="bilinear",
        )
        self.ups = nn.ModuleList(
            make_upsampling(upsampling, width, factor=stride // self.native_stride)
            for stride in strides[self.first + 1 :]
        )
        self.join = conv(len(channels) * width, 3)
        self.drop = nn.Dropout2d(dropout)
        self.head = nn.Conv2d(width, num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, 3, H, W)` raw RGB to `(N, K, H, W) float32` logits."""
        return crop(self.framed(self.frame(self.normalise(x))), *x.shape[2:])

    def framed(self, x: Tensor) -> Tensor:
        """Normalised input with its frame to logits that have the picture's in their upper left."""
        return enlarge(full_precision(self.forward_native(x)), self.native_stride)

    def forward_native(self, x: Tensor) -> Tensor:
        """Normalised input, its sides multiples of the encoder's stride, to logits at a quarter of them."""
        *finer, deepest = self.encoder(x)[self.first :]
        finest, *coarser = self.pyramid([*finer, self.pooling(deepest)])
        enlarged = [up(y) for up, y in zip(self.ups, coarser, strict=True)]
        return self.head(self.drop(self.join(torch.cat([finest, *enlarged], dim=1))))
