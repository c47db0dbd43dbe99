"""Fully convolutional networks: FCN-32s, FCN-16s and FCN-8s.

Source: J. Long, E. Shelhamer, T. Darrell, "Fully Convolutional Networks for Semantic Segmentation", CVPR
2015, sections 4.1 to 4.3: a classifier's fully connected layers as convolutions (fc6 of 7x7, fc7 of 1x1), a
1x1 scoring layer that begins at zero, scores of pool4 and pool3 added, transposed convolutions that begin as
bilinear interpolation; the last one stays so.

The reference code pads the first layer by 100 so that fc6 fits, and crops; here fc6 keeps its map's size by
padding 3, which takes the same weights, any size, and does not score a frame of zeros.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor, nn

from pixelwise.encoders import build_encoder
from pixelwise.encoders.levels import level_at
from pixelwise.errors import ConfigError
from pixelwise.nn.activation import Activation, make_activation
from pixelwise.nn.frame import RepeatedBorder, crop, full_precision
from pixelwise.nn.normalise import Convention, Normalise
from pixelwise.nn.resample import TransposedConv2d, Upsampling, make_upsampling
from pixelwise.nn.wide_conv import WideConv2d

Head = Literal["published", "light"]

# (channels, kernel of fc6)
_HEADS: dict[str, tuple[int, int]] = {"published": (4096, 7), "light": (512, 3)}


class FCN(nn.Module):
    """Raw RGB `(N, 3, H, W)` in 0..255 to logits `(N, K, H, W) float32`, any size.

    Args:
        stride: 32, 16 or 8: that of the scores before the last upsampling.
        num_classes: K.
        encoder: Where the features come from; the source takes VGG16.
        encoder_arguments: The encoder's own.
        head: `published` has 4096 channels and 120 million parameters, `light` 512 and a 3x3 fc6.
        upsampling: From scores to larger scores; the published way is transposed.
        dropout: Share of fc6's and fc7's outputs that are zeroed in training.
        activation: After fc6 and fc7.
        normalisation: What happens to raw RGB first.

    Raises:
        ConfigError: No such encoder; dropout out of 0..1.
    """

    def __init__(
        self,
        *,
        stride: Literal[8, 16, 32],
        num_classes: int,
        encoder: str = "vgg16",
        encoder_arguments: Mapping[str, Any] | None = None,
        head: Head = "published",
        upsampling: Upsampling = "transposed",
        dropout: float = 0.5,
        activation: Activation = "relu",
        normalisation: Convention = "imagenet",
    ) -> None:
        super().__init__()
        if not 0 <= dropout < 1:
            raise ConfigError(f"dropout must lie in 0..1, got {dropout}")
        self.normalise = Normalise(normalisation)
        self.encoder = build_encoder(encoder, encoder_arguments)
        channels, deepest = self.encoder.channels, self.encoder.strides[-1]
        if deepest != 32:
            raise ConfigError(f"fcn needs an encoder of output stride 32, and this one has {deepest}")
        self.native_stride = stride
        self.frame = RepeatedBorder(deepest)
        width, kernel = _HEADS[head]
        self.classifier = nn.Sequential(
            WideConv2d(channels[-1], width, kernel),
            make_activation(activation),
            nn.Dropout(dropout),
            nn.Conv2d(width, width, 1),
            make_activation(activation),
            nn.Dropout(dropout),
        )
        self.score = _score(width, num_classes)
        # Coarse to fine: FCN-16s joins the scores of pool4, FCN-8s those of pool3 too.
        joined = (16, 8)[: {32: 0, 16: 1, 8: 2}[stride]]
        self.levels = tuple(level_at(self.encoder, s, of=encoder, decoder="fcn") for s in joined)
        self.scores = nn.ModuleList(_score(channels[level], num_classes) for level in self.levels)
        self.ups = nn.ModuleList(_upsampling(upsampling, num_classes, 2, last=False) for _ in self.levels)
        self.last_up = _upsampling(upsampling, num_classes, stride, last=True)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, 3, H, W)` raw RGB to `(N, K, H, W) float32` logits."""
        return crop(self.framed(self.frame(self.normalise(x))), *x.shape[2:])

    def framed(self, x: Tensor) -> Tensor:
        """Normalised input with its frame to logits that have the picture's in their upper left."""
        return full_precision(self.last_up(self.forward_native(x)))

    def forward_native(self, x: Tensor) -> Tensor:
        """Normalised input whose sides are multiples of 32 to scores at stride 32, 16 or 8."""
        features = self.encoder(x)
        x = self.score(self.classifier(features[-1]))
        for level, score, up in zip(self.levels, self.scores, self.ups, strict=True):
            x = up(x) + score(features[level])
        return x


def _score(in_channels: int, num_classes: int) -> nn.Conv2d:
    """A 1x1 convolution to class scores that begins at zero."""
    layer = nn.Conv2d(in_channels, num_classes, 1)
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def _upsampling(way: Upsampling, num_classes: int, factor: int, *, last: bool) -> nn.Module:
    """The published way learns the upsamplings within, for each pair of classes, and fixes the last."""
    if way == "transposed":
        return TransposedConv2d(num_classes, factor, per_channel=last, learned=not last)
    return make_upsampling(way, num_classes, factor=factor)
