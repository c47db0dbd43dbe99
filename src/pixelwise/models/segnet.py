"""SegNet: VGG16 and its mirror image, upsampled by the positions of the maxima.

Source: V. Badrinarayanan, A. Kendall, R. Cipolla, "SegNet: A Deep Convolutional Encoder-Decoder Architecture
for Image Segmentation", PAMI 2017 (arXiv:1511.00561), figure 2: 13 convolutions of VGG16 and 13 of the
decoder, batch normalisation and ReLU after each but the last.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from torch import Tensor, nn

from pixelwise.encoders.vgg16 import VGG16, conv3x3
from pixelwise.nn.activation import Activation
from pixelwise.nn.frame import RepeatedBorder, crop, full_precision
from pixelwise.nn.normalise import Convention, Normalise
from pixelwise.nn.resample import UnpoolIndices, Upsampling, make_upsampling

STRIDE = 32

# (channels of the inner convolutions, how many, channels of the last) of each decoder stage, deepest first.
_STAGES = ((512, 2, 512), (512, 2, 256), (256, 2, 128), (128, 1, 64))


class SegNet(nn.Module):
    """Raw RGB `(N, 3, H, W)` in 0..255 to logits `(N, K, H, W) float32`, any size.

    Args:
        num_classes: K.
        upsampling: How the decoder doubles its maps; the published way by indices.
        activation: After every batch normalisation.
        normalisation: What happens to raw RGB first.
    """

    native_stride = 1
    frame = RepeatedBorder(STRIDE)

    def __init__(
        self,
        *,
        num_classes: int,
        upsampling: Upsampling = "unpool-indices",
        activation: Activation = "relu",
        normalisation: Convention = "imagenet",
    ) -> None:
        super().__init__()
        self.normalise = Normalise(normalisation)
        self.encoder = VGG16(batch_norm=True, activation=activation)

        def up(channels: int) -> nn.Module:
            by_indices = upsampling == "unpool-indices"
            return UnpoolIndices() if by_indices else make_upsampling(upsampling, channels)

        def conv(inputs: int, outputs: int) -> nn.Module:
            return conv3x3(inputs, outputs, batch_norm=True, activation=activation)

        self.ups = nn.ModuleList([*(up(inner) for inner, _, _ in _STAGES), up(64)])
        self.stages = nn.ModuleList(
            nn.Sequential(*(conv(inner, inner) for _ in range(count)), conv(inner, last))
            for inner, count, last in _STAGES
        )
        self.last = conv(64, 64)
        self.head = nn.Conv2d(64, num_classes, 3, padding=1)
        self.by_indices = upsampling == "unpool-indices"

    def forward(self, x: Tensor) -> Tensor:
        """`(N, 3, H, W)` raw RGB to `(N, K, H, W) float32` logits."""
        return crop(self.framed(self.frame(self.normalise(x))), *x.shape[2:])

    def framed(self, x: Tensor) -> Tensor:
        """Normalised input with its frame to logits that have the picture's in their upper left."""
        return full_precision(self.forward_native(x))

    def forward_native(self, x: Tensor) -> Tensor:
        """Normalised input whose sides are multiples of 32 to logits of the same size."""
        x, places = self.encoder.forward_with_indices(x)
        stages = [*cast("Iterable[nn.Module]", self.stages), self.last]
        for up, stage in zip(self.ups, stages, strict=True):
            indices = places.pop()
            x = stage(up(x, indices) if self.by_indices else up(x))
        return self.head(x)
