"""Upsampling three ways, for every decoder: interpolation, unpooling, transposed convolution.

| name | what a pixel becomes, for factor 2 |
|---|---|
| `nearest` | a 2x2 block of itself |
| `bilinear` | weighted by distance to the four nearest centres (half-pixel centres, edges repeated) |
| `unpool-corner` | itself in the upper left of a 2x2 block of zeros (Dosovitskiy 2015) |
| `unpool-repeat` | a 2x2 block of itself; nearest by the textbook's other name |
| `unpool-indices` | itself where max-pooling found it, zeros around (Zeiler 2011, SegNet) |
| `transposed` | a learned 4x4 stamp, overlapping its neighbours'; begins as bilinear (Long 2015) |

Knows tensors only; no network.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.errors import ConfigError

Upsampling = Literal["nearest", "bilinear", "unpool-corner", "unpool-repeat", "unpool-indices", "transposed"]


class Interpolate(nn.Module):
    """Enlarges by a whole factor, by nearest neighbour or bilinearly.

    Args:
        factor: 2 and more; 1 leaves the map as it is.
        mode: Bilinear takes pixels as areas (half-pixel centres), as Keras' `Resizing` does.
    """

    def __init__(self, factor: int, mode: Literal["nearest", "bilinear"]) -> None:
        super().__init__()
        self.factor, self.mode = factor, mode

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to `(N, C, factor H, factor W)`."""
        if self.factor == 1:
            return x
        corners = False if self.mode == "bilinear" else None
        return F.interpolate(x, scale_factor=self.factor, mode=self.mode, align_corners=corners)

    def extra_repr(self) -> str:
        """For printing."""
        return f"factor={self.factor}, mode={self.mode}"


class Fit(nn.Module):
    """Brings a map to the height and width of another, bilinearly; pixels are areas."""

    def forward(self, x: Tensor, like: Tensor) -> Tensor:
        """`(N, C, h, w)` to `(N, C, H, W)`, the sides of `like`; smaller ones leave pixels out."""
        return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=False)


class UnpoolCorner(nn.Module):
    """Each pixel goes to the upper left of a block of zeros."""

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to `(N, C, factor H, factor W)`."""
        n, c, h, w = x.shape
        f = self.factor
        blocks = F.pad(x.reshape(n, c, h, 1, w, 1), (0, f - 1, 0, 0, 0, f - 1))  # (N, C, H, f, W, f)
        return blocks.reshape(n, c, h * f, w * f)


class UnpoolIndices(nn.Module):
    """Each value goes back to where max-pooling took it from; the rest is zero."""

    def forward(self, x: Tensor, indices: Tensor) -> Tensor:
        """`(N, C, H, W)` to `(N, C, 2H, 2W)`.

        Args:
            x: The small map.
            indices: Of its shape, from `max_pool2d(..., 2, return_indices=True)` of a `(N, C, 2H, 2W)` map:
                positions in one flattened plane.
        """
        n, c, h, w = x.shape
        plane = x.new_zeros(n, c, 4 * h * w)
        return plane.scatter(2, indices.flatten(2), x.flatten(2)).view(n, c, 2 * h, 2 * w)


class TransposedConv2d(nn.Module):
    """Enlarges by a transposed convolution whose kernel begins as bilinear interpolation.

    The kernel is `2 factor` wide for an even factor (`2 factor - 1` for an odd one), so that stamps overlap
    by half and no checkerboard shows. Inside the map the first output is exactly bilinear interpolation; at
    the edges zeros stand where interpolation repeats the border.

    Args:
        channels: Channels of input and output.
        factor: How much larger the output is.
        per_channel: One kernel a channel, instead of one for each pair of channels.
        learned: Otherwise the kernel stays bilinear.
    """

    def __init__(self, channels: int, factor: int, *, per_channel: bool = True, learned: bool = True) -> None:
        super().__init__()
        self.factor, self.groups = factor, channels if per_channel else 1
        kernel = bilinear_kernel(factor)
        weight = kernel.expand(channels, 1, *kernel.shape).clone()
        if not per_channel:
            diagonal = torch.eye(channels).view(channels, channels, 1, 1)
            weight = diagonal * kernel
        self.weight = nn.Parameter(weight, requires_grad=learned)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to `(N, C, factor H, factor W)`."""
        padding = (self.weight.shape[-1] - self.factor) // 2
        return F.conv_transpose2d(x, self.weight, stride=self.factor, padding=padding, groups=self.groups)

    def extra_repr(self) -> str:
        """For printing."""
        return f"factor={self.factor}, kernel={tuple(self.weight.shape)}, groups={self.groups}"


def bilinear_kernel(factor: int) -> Tensor:
    """The kernel of a transposed convolution of stride `factor` that interpolates bilinearly.

    `(k, k)` with k = 2 factor - factor % 2: the product of two triangles (Long 2015, `upsample_filt`). For
    factor 2 one axis is (1, 3, 3, 1) / 4.
    """
    size = 2 * factor - factor % 2
    centre = (size - 1) / 2
    axis = 1 - (torch.arange(size, dtype=torch.float64) - centre).abs() / factor
    return (axis[:, None] * axis[None, :]).float()


def make_upsampling(way: Upsampling, channels: int, *, factor: int = 2) -> nn.Module:
    """The layer from one map to a larger one; all but `unpool-indices`, which needs a second input.

    Args:
        way: A name from the table above.
        channels: Of the map.
        factor: How much larger.

    Raises:
        ConfigError: `unpool-indices`, because here no max-pooling kept its positions.
    """
    if way in ("nearest", "unpool-repeat"):
        return Interpolate(factor, "nearest")
    if way == "bilinear":
        return Interpolate(factor, "bilinear")
    if way == "unpool-corner":
        return UnpoolCorner(factor)
    if way == "transposed":
        return TransposedConv2d(channels, factor)
    raise ConfigError(
        "upsampling unpool-indices needs a decoder that mirrors the max-pooling of its encoder: segnet, or "
        "unet with its own encoder; here take nearest, bilinear, unpool-corner, unpool-repeat or transposed"
    )
