"""SegNet: VGG16 and its mirror image, upsampled by the positions of the maxima.

Source: V. Badrinarayanan, A. Kendall, R. Cipolla, "SegNet: A Deep Convolutional Encoder-Decoder Architecture
for Image Segmentation", PAMI 2017 (arXiv:1511.00561), figure 2: 13 convolutions of VGG16 and 13 of the
decoder, batch normalisation and ReLU after each but the last. Without the positions (`upsampling`), the
decoder stands on any encoder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from torch import Tensor, nn

from pixelwise.encoders import build_encoder, takes
from pixelwise.encoders.vgg16 import VGG16, conv3x3
from pixelwise.errors import ConfigError
from pixelwise.nn.activation import Activation
from pixelwise.nn.frame import RepeatedBorder, crop, full_precision
from pixelwise.nn.normalise import Convention, Normalise
from pixelwise.nn.resample import UnpoolIndices, Upsampling, make_upsampling

STRIDE = 32

_WIDTHS = (64, 128, 256, 512, 512)
"""Channels of VGG16's blocks; the decoder's stages have those in turn, deepest first."""

_INNER = (2, 2, 2, 1)
"""Convolutions of each stage before that to the next one's channels."""


class SegNet(nn.Module):
    """Raw RGB `(N, 3, H, W)` in 0..255 to logits `(N, K, H, W) float32`, any size.

    Args:
        num_classes: K.
        encoder: Where the features come from. By indices it must pool as the decoder unpools: `vgg16_bn` as
            published, or `vgg16`.
        encoder_arguments: The encoder's own.
        upsampling: How the decoder doubles its maps; the published way by indices.
        activation: After every batch normalisation, the encoder's too where it has a choice.
        normalisation: What happens to raw RGB first.

    Raises:
        ConfigError: An encoder that keeps no positions of maxima, where they are wanted, or of another
            output stride than 32.
    """

    native_stride = 1
    frame = RepeatedBorder(STRIDE)

    def __init__(
        self,
        *,
        num_classes: int,
        encoder: str = "vgg16_bn",
        encoder_arguments: Mapping[str, Any] | None = None,
        upsampling: Upsampling = "unpool-indices",
        activation: Activation = "relu",
        normalisation: Convention = "imagenet",
    ) -> None:
        super().__init__()
        self.normalise = Normalise(normalisation)
        own = dict(encoder_arguments or {})
        if takes(encoder, "activation"):
            own["activation"] = activation
        self.encoder = build_encoder(encoder, own)
        if upsampling == "unpool-indices" and not isinstance(self.encoder, VGG16):
            raise ConfigError(
                f"segnet puts values back where max-pooling found them, and {encoder} does not halve its "
                "maps by that alone: take vgg16 or vgg16_bn, or another upsampling"
            )
        if self.encoder.strides[-1] != STRIDE:
            raise ConfigError(
                f"segnet doubles its maps five times, but {encoder} here has strides {self.encoder.strides}"
            )

        def up(channels: int) -> nn.Module:
            by_indices = upsampling == "unpool-indices"
            return UnpoolIndices() if by_indices else make_upsampling(upsampling, channels)

        def conv(inputs: int, outputs: int) -> nn.Module:
            return conv3x3(inputs, outputs, batch_norm=True, activation=activation)

        # By indices each map returns to the channels that were pooled; others get VGG16's mirror image.
        mirrored = self.encoder.channels if isinstance(self.encoder, VGG16) else _WIDTHS
        *inner, last = mirrored[::-1]  # deepest first: 512, 512, 256, 128, and 64
        widths = (self.encoder.channels[-1], *inner[1:], last)
        self.ups = nn.ModuleList(map(up, widths))
        self.stages = nn.ModuleList(
            nn.Sequential(
                conv(width, across), *(conv(across, across) for _ in range(count - 1)), conv(across, end)
            )
            for width, across, count, end in zip(widths, inner, _INNER, widths[1:], strict=False)
        )
        self.last = conv(last, last)
        self.head = nn.Conv2d(last, num_classes, 3, padding=1)
        self.by_indices = upsampling == "unpool-indices"

    def forward(self, x: Tensor) -> Tensor:
        """`(N, 3, H, W)` raw RGB to `(N, K, H, W) float32` logits."""
        return crop(self.framed(self.frame(self.normalise(x))), *x.shape[2:])

    def framed(self, x: Tensor) -> Tensor:
        """Normalised input with its frame to logits that have the picture's in their upper left."""
        return full_precision(self.forward_native(x))

    def forward_native(self, x: Tensor) -> Tensor:
        """Normalised input whose sides are multiples of 32 to logits of the same size."""
        places: list[Tensor] = []
        if self.by_indices:
            x, places = cast("VGG16", self.encoder).forward_with_indices(x)
        else:
            x = self.encoder(x)[-1]
        stages = [*cast("Iterable[nn.Module]", self.stages), self.last]
        for up, stage in zip(self.ups, stages, strict=True):
            x = stage(up(x, places.pop()) if self.by_indices else up(x))
        return self.head(x)
