"""The small Xception-style U-Net of the Oxford Pets tutorial.

Source: F. Chollet, "Image segmentation with a U-Net-like architecture", keras.io, 2020, after F. Chollet,
"Xception: Deep learning with depthwise separable convolutions", CVPR 2017. 2,058,979 parameters at 3 classes,
counted as Keras does (running statistics included). Despite the name there are no skips from encoder to
decoder: the residuals run from block to block.

The parameters are the published ones and `forward_published` is the published graph, layer by layer.
`forward` computes the same function with less work; `docs/decisions/0002-graph-rewriting.md` says how and
what it gains.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.nn.frame import RepeatedBorder, crop, full_precision
from pixelwise.nn.normalise import Convention, Normalise
from pixelwise.nn.resample import Upsampling, make_upsampling
from pixelwise.nn.same import SameConv2d, SameMaxPool2d, SeparableConv2d
from pixelwise.nn.upsample import Add, Conv2dTranspose, UpsampledConv2d, add_upsampled

STRIDE = 16

_ENCODER = (64, 128, 256)
_DECODER = (256, 128, 64, 32)


class UNetXception(nn.Module):
    """Raw RGB `(N, 3, H, W)` in 0..255 to logits `(N, K, H, W) float32`, any size.

    Args:
        num_classes: K.
        upsampling: How the decoder doubles its maps; the tutorial's way is nearest, and only that one is
            computed with less work.
        normalisation: What happens to raw RGB first; the tutorial feeds 0..255 as it is.
    """

    native_stride = 1
    frame = RepeatedBorder(STRIDE)

    def __init__(
        self,
        *,
        num_classes: int,
        upsampling: Upsampling = "nearest",
        normalisation: Convention = "identity",
    ) -> None:
        super().__init__()
        self.nearest = upsampling == "nearest"
        self.normalise = Normalise(normalisation)
        self.stem = Stem(32)
        self.encoder = nn.ModuleList(
            EncoderBlock(i, o) for i, o in zip((32, *_ENCODER), _ENCODER, strict=False)
        )
        self.decoder = nn.ModuleList(
            DecoderBlock(i, o, upsampling) for i, o in zip((256, *_DECODER), _DECODER, strict=False)
        )
        self.head = UpsampledConv2d(_DECODER[-1], num_classes, kernel_size=3)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, 3, H, W)` raw RGB to `(N, K, H, W) float32` logits."""
        return crop(self.framed(self.frame(self.normalise(x))), *x.shape[2:])

    def framed(self, x: Tensor) -> Tensor:
        """Normalised input with its frame to logits that have the picture's in their upper left."""
        return full_precision(self.forward_native(x))

    def forward_native(self, x: Tensor) -> Tensor:
        """Normalised input whose sides are multiples of 16 to logits of the same size."""
        x = self.stem(x)
        for block in self._encoder():
            x = block(x)
        if not self.nearest:
            for block in self._decoder():
                x = block.published(x)
            return self.head(x)
        # Both addends of a decoder block's sum are upsampled, so the sum is upsampled instead: `x` is always
        # the small one, and whatever reads it takes the upsampling along.
        first, *rest = self._decoder()
        x = first.small(x)
        for block in rest:
            x = block.after_upsampling(x)
        return self.head.after_upsampling(x)

    def forward_published(self, x: Tensor) -> Tensor:
        """The same function, layer by layer as in the source: slower, and the reference of `forward`."""
        height, width = x.shape[2:]
        x = self.stem.published(self.frame(self.normalise(x)))
        for block in (*self._encoder(), *self._decoder()):
            x = block.published(x)
        return full_precision(crop(self.head(x), height, width))

    def _encoder(self) -> Iterable[EncoderBlock]:
        return cast("Iterable[EncoderBlock]", self.encoder)

    def _decoder(self) -> Iterable[DecoderBlock]:
        return cast("Iterable[DecoderBlock]", self.decoder)


class Stem(nn.Module):
    """Convolution of stride 2, batch normalisation, ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = SameConv2d(3, channels, kernel_size=3, stride=2)
        self.bn = _batch_norm(channels)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """`(N, 3, H, W)` to `(N, C, H/2, W/2)`."""
        return F.relu(self.bn(self.conv(x)), inplace=True)

    def published(self, x: Tensor) -> Tensor:
        """The same, layer by layer."""
        return self.relu(self.bn(self.conv(x)))


class EncoderBlock(nn.Module):
    """Twice ReLU, separable convolution, batch normalisation; max-pooling; plus a strided 1x1 residual."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.relu1 = nn.ReLU()
        self.conv1 = SeparableConv2d(in_channels, out_channels)
        self.bn1 = _batch_norm(out_channels)
        self.relu2 = nn.ReLU()
        self.conv2 = SeparableConv2d(out_channels, out_channels)
        self.bn2 = _batch_norm(out_channels)
        self.pool = SameMaxPool2d()
        self.residual = SameConv2d(in_channels, out_channels, kernel_size=1, stride=2)
        self.add = Add()

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to `(N, C', H/2, W/2)`."""
        y = self.bn1(self.conv1(F.relu(x)))
        y = self.bn2(self.conv2(F.relu(y, inplace=True)))
        return self.pool(y) + self.residual(x)

    def published(self, x: Tensor) -> Tensor:
        """The same, layer by layer."""
        y = self.bn1(self.conv1(self.relu1(x)))
        y = self.bn2(self.conv2(self.relu2(y)))
        y = self.pool(y)
        return self.add(y, self.residual(x))


class DecoderBlock(nn.Module):
    """Twice ReLU, transposed convolution, batch normalisation; upsampling; plus an upsampled 1x1 residual."""

    def __init__(self, in_channels: int, out_channels: int, upsampling: Upsampling) -> None:
        super().__init__()
        self.relu1 = nn.ReLU()
        self.conv1 = Conv2dTranspose(in_channels, out_channels)
        self.bn1 = _batch_norm(out_channels)
        self.relu2 = nn.ReLU()
        self.conv2 = Conv2dTranspose(out_channels, out_channels)
        self.bn2 = _batch_norm(out_channels)
        self.upsample_residual = make_upsampling(upsampling, in_channels)
        self.upsample = make_upsampling(upsampling, out_channels)
        self.residual = SameConv2d(in_channels, out_channels, kernel_size=1)
        self.add = Add()

    def small(self, x: Tensor) -> Tensor:
        """The block without its upsampling: `(N, C, H, W)` to `(N, C', H, W)`."""
        y = self.bn1(self.conv1.as_convolution(F.relu(x)))
        y = self.bn2(self.conv2.as_convolution(F.relu(y, inplace=True)))
        return y + self.residual(x)

    def after_upsampling(self, x: Tensor) -> Tensor:
        """`small(up(x))`, with `up` taken into the convolutions: `(N, C, H, W)` to `(N, C', 2H, 2W)`."""
        y = self.bn1(self.conv1.after_upsampling(F.relu(x)))
        y = self.bn2(self.conv2.as_convolution(F.relu(y, inplace=True)))
        return add_upsampled(y, self.residual(x))

    def published(self, x: Tensor) -> Tensor:
        """The block layer by layer: `(N, C, H, W)` to `(N, C', 2H, 2W)`."""
        y = self.bn1(self.conv1(self.relu1(x)))
        y = self.bn2(self.conv2(self.relu2(y)))
        residual = self.upsample_residual(x)
        y = self.upsample(y)
        return self.add(y, self.residual(residual))


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    """Batch normalisation with Keras' constants: eps 1e-3, and 0.99 of the old running statistics kept."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)
