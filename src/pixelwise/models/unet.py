"""U-Net: a contracting and an expanding path, with the finer maps handed across.

Source: O. Ronneberger, P. Fischer, T. Brox, "U-Net: Convolutional Networks for Biomedical Image
Segmentation", MICCAI 2015 (arXiv:1505.04597), figure 1: convolutions without padding, 572x572 in, 388x388
out, skips cropped. As the paper does, what a border pixel lacks is continued by mirroring, so the answer has
the input's size. `padding="same"` is what most later code calls U-Net; with it, a named encoder can stand in
for the paper's contracting path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.encoders import Encoder, build_encoder
from pixelwise.encoders.levels import halving
from pixelwise.errors import ConfigError
from pixelwise.nn.activation import Activation, make_activation
from pixelwise.nn.conv import ARITHMETICS, BatchNorm
from pixelwise.nn.frame import MirroredBorder, RepeatedBorder, crop, enlarge, full_precision
from pixelwise.nn.normalise import Convention, Normalise
from pixelwise.nn.resample import UnpoolIndices, Upsampling, make_upsampling

DEPTH = 4
"""Poolings of the published network."""


class UNet(nn.Module):
    """Raw RGB `(N, 3, H, W)` in 0..255 to logits `(N, K, H, W) float32`, any size.

    Args:
        num_classes: K.
        padding: `valid` as published, or `same`: every convolution keeps its map's size.
        upsampling: `transposed` is the published up-convolution of 2x2; any other way follows a 1x1
            convolution that halves the channels.
        batch_norm: After every convolution; the paper has none. Through `build_model` the expanding path over
            a named encoder has it unless it is told not to, as in most later code.
        dropout: At the end of the contracting path, where the paper has it without saying how much (its
            reference code: 0.5).
        width: Channels of the first level of the paper's own path, doubled at each.
        encoder: A named one instead of the paper's own contracting path.
        encoder_arguments: Its own.
        native_stride: Where the expanding path ends; above 1, with a named encoder only, its logits are
            enlarged bilinearly. The last two levels cost most of the work and add least.
        activation: After every convolution.
        normalisation: What happens to raw RGB first.

    Raises:
        ConfigError: Arguments that exclude each other or are out of range.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        padding: Literal["valid", "same"] = "same",
        upsampling: Upsampling = "transposed",
        batch_norm: bool = False,
        dropout: float = 0.0,
        width: int = 64,
        encoder: str | None = None,
        encoder_arguments: Mapping[str, Any] | None = None,
        native_stride: Literal[1, 2, 4] = 1,
        activation: Activation = "relu",
        normalisation: Convention = "imagenet",
    ) -> None:
        super().__init__()
        if not 1 <= width <= 1024:
            raise ConfigError(f"width must lie in 1..1024, got {width}")
        if not 0 <= dropout < 1:
            raise ConfigError(f"dropout must lie in 0..1, got {dropout}")
        if encoder is None and encoder_arguments:
            raise ConfigError("encoder_arguments need an encoder")
        if encoder is not None and (padding == "valid" or upsampling == "unpool-indices"):
            raise ConfigError(
                "a named encoder pads its convolutions and keeps no positions of maxima: take padding same, "
                "and another upsampling than unpool-indices"
            )
        if padding == "valid" and upsampling == "unpool-indices":
            raise ConfigError(
                "without padding maps shrink after the pooling, so its positions do not fit them"
            )
        if native_stride not in (1, 2, 4):
            raise ConfigError(f"native_stride must be 1, 2 or 4, got {native_stride}")
        if native_stride != 1 and encoder is None:
            raise ConfigError("a native_stride above 1 needs a named encoder")
        self.native_stride = native_stride
        self.normalise = Normalise(normalisation)
        block = _Style(padding == "same", batch_norm, activation)
        if encoder is None:
            self.encoder: ContractingPath | Encoder = ContractingPath(width, block)
            channels = self.encoder.channels
            skips = channels[:-1]
            self.frame = VALID_FRAME if padding == "valid" else RepeatedBorder(2**DEPTH)
        else:
            self.encoder = build_encoder(encoder, encoder_arguments)
            strides = halving(self.encoder, of=encoder, decoder="unet")
            channels = self.encoder.channels
            skips = channels[:-1]
            if strides[0] == 4:
                # Nothing at stride 2, as with patches of 4x4 pixels: that level has no skip either.
                channels, skips = (max(8, channels[0] // 2), *channels), (0, *skips)
            # Features begin at stride 2: the finest level has no skip, and the width of the next one.
            channels, skips = (channels[0], *channels), (0, *skips)
            self.frame = RepeatedBorder(strides[-1])
        self.drop = nn.Dropout(dropout)
        finest = native_stride.bit_length() - 1
        levels = range(len(skips) - 1, finest - 1, -1)  # coarse to fine
        self.ups = nn.ModuleList(
            Up(channels[i + 1], channels[i], skips[i], upsampling=upsampling, style=block) for i in levels
        )
        self.head = nn.Conv2d(channels[finest], num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, 3, H, W)` raw RGB to `(N, K, H, W) float32` logits."""
        return crop(self.framed(self.frame(self.normalise(x))), *x.shape[2:])

    def framed(self, x: Tensor) -> Tensor:
        """Normalised input with its frame to logits that have the picture's in their upper left."""
        return enlarge(full_precision(self.forward_native(x)), self.native_stride)

    def forward_native(self, x: Tensor) -> Tensor:
        """Normalised input to logits: of its size over the native stride, 184 less without padding.

        The sides must be those that `frame` gives.
        """
        x, skips, places = self._contract(x)
        x = self.drop(x)
        for up, skip, indices in zip(self.ups, reversed(skips), reversed(places), strict=False):
            x = up(x, skip, indices)
        return self.head(x)

    def _contract(self, x: Tensor) -> tuple[Tensor, list[Tensor | None], list[Tensor | None]]:
        """The deepest map; of each finer level its map and its maxima's positions, None for what it lacks."""
        if isinstance(self.encoder, ContractingPath):
            return self.encoder(x)
        *skips, deepest = self.encoder(x)
        without = [None] * (self.encoder.strides[0].bit_length() - 1)
        return deepest, [*without, *skips], [None] * (len(without) + len(skips))


VALID_FRAME = MirroredBorder(before=92, lost=60, multiple=2**DEPTH, gained=124)
"""The shortest sides that the network without padding turns into at least the picture's: 388 -> 572.

With m pixels left at the bottom, 16 m - 60 come out at the top and 16 m + 124 went in; (572 - 388) / 2 = 92
are lost on either side.
"""


@dataclass(frozen=True)
class _Style:
    """What all convolutions of a network share."""

    padded: bool
    batch_norm: bool
    activation: Activation

    def block(self, in_channels: int, out_channels: int) -> nn.Sequential:
        """Twice a 3x3 convolution, perhaps batch normalisation, and activation."""
        layers: list[nn.Module] = []
        for channels in (in_channels, out_channels):
            conv = nn.Conv2d(channels, out_channels, 3, padding=1 if self.padded else 0)
            # Section 3: a standard deviation of sqrt(2 / N), with N the inputs of a neuron (He 2015).
            nn.init.kaiming_normal_(conv.weight, mode="fan_in", nonlinearity="relu")
            norm = [BatchNorm(out_channels, ARITHMETICS["torch"])] if self.batch_norm else []
            layers += [conv, *norm, make_activation(self.activation)]
        return nn.Sequential(*layers)


class ContractingPath(nn.Module):
    """The left side of the U: two convolutions at each of five levels, 2x2 max-pooling between them."""

    def __init__(self, width: int, style: _Style) -> None:
        super().__init__()
        self.channels = tuple(width * 2**level for level in range(DEPTH + 1))
        self.blocks = nn.ModuleList(
            style.block(i, o) for i, o in zip((3, *self.channels), self.channels, strict=False)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor | None], list[Tensor | None]]:
        """`(N, 3, H, W)` to the deepest map; the maps of the other levels; the positions of their maxima."""
        skips: list[Tensor | None] = []
        places: list[Tensor | None] = []
        for block in self.blocks[:-1]:
            x = block(x)
            skips.append(x)
            x, indices = F.max_pool2d(x, 2, return_indices=True)
            places.append(indices)
        return self.blocks[-1](x), skips, places


class Up(nn.Module):
    """A step up the right side: up-convolution, the finer map cropped and joined, two convolutions.

    Args:
        in_channels: Of the coarse map.
        out_channels: Of the result.
        skip_channels: Of the finer map; 0 if there is none.
        upsampling: How the map is doubled.
        style: Of the convolutions.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        skip_channels: int,
        *,
        upsampling: Upsampling,
        style: _Style,
    ) -> None:
        super().__init__()
        if upsampling == "transposed":
            self.up: nn.Module = nn.ConvTranspose2d(in_channels, out_channels, 2, stride=2)
            self.halve: nn.Module = nn.Identity()
        else:
            # A 1x1 convolution and interpolation commute, so it comes first, where the map is small.
            self.halve = nn.Conv2d(in_channels, out_channels, 1)
            by_indices = upsampling == "unpool-indices"
            self.up = UnpoolIndices() if by_indices else make_upsampling(upsampling, out_channels)
        self.block = style.block(out_channels + skip_channels, out_channels)

    def forward(self, x: Tensor, skip: Tensor | None, indices: Tensor | None) -> Tensor:
        """`(N, C, H, W)` to `(N, C', 2H, 2W)`, four rows and columns less without padding."""
        x = self.halve(x)
        x = self.up(x, indices) if isinstance(self.up, UnpoolIndices) else self.up(x)
        if skip is not None:
            x = torch.cat([centre(skip, x.shape[2], x.shape[3]), x], dim=1)
        return self.block(x)


def centre(x: Tensor, height: int, width: int) -> Tensor:
    """The middle `(height, width)` of `(N, C, H, W)`."""
    top, left = (x.shape[2] - height) // 2, (x.shape[3] - width) // 2
    return x[:, :, top : top + height, left : left + width]
