"""Batch normalisation, activation, convolution: the order of "pre-activation" networks (He 2016)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.nn.conv import ARITHMETICS, BatchNorm


class NormActConv(nn.Module):
    """Batch normalisation, ReLU and a convolution that keeps its input's size, in PyTorch's arithmetic.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Height and width of the kernel, odd.
        groups: Groups of channels that don't see each other.
        bias: Whether the convolution has one.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel_size: int = 1,
        groups: int = 1,
        bias: bool = False,
    ) -> None:
        super().__init__()
        self.bn = BatchNorm(in_channels, ARITHMETICS["torch"])
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel_size, padding=kernel_size // 2, groups=groups, bias=bias
        )

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to `(N, C', H, W)`."""
        return self.conv(F.relu(self.bn(x)))
