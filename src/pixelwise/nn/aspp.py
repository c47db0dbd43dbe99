"""Atrous spatial pyramid pooling (Chen 2017, 2018): one map looked at through several fields of view."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.nn.activation import Activation
from pixelwise.nn.conv import Arithmetic, ConvNorm, SeparableConvNorm


class ASPP(nn.Module):
    """A 1x1 branch, separable 3x3 branches at several rates, and image pooling; concatenated and projected.

    Args:
        in_channels: Channels of the input.
        channels: Channels of each branch and of the output.
        rates: Dilations of the 3x3 branches.
        dropout: Share of output values that are zeroed in training.
        arithmetic: Eps and momentum; nothing here is strided.
        activation: After every batch normalisation.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        *,
        rates: tuple[int, ...],
        dropout: float,
        arithmetic: Arithmetic,
        activation: Activation = "relu",
    ) -> None:
        super().__init__()

        def one_by_one(inputs: int) -> ConvNorm:
            return ConvNorm(inputs, channels, kernel_size=1, arithmetic=arithmetic, activation=activation)

        self.image_pooling = one_by_one(in_channels)
        self.pixel = one_by_one(in_channels)
        self.atrous = nn.ModuleList(
            SeparableConvNorm(
                in_channels, channels, dilation=rate, arithmetic=arithmetic, activation=activation
            )
            for rate in rates
        )
        self.project = one_by_one(channels * (2 + len(rates)))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to `(N, C', H, W)`."""
        # The mean of a map, looked at from everywhere: one vector a picture, spread over the whole map again.
        pooled = self.image_pooling(F.adaptive_avg_pool2d(x, 1)).expand(-1, -1, *x.shape[2:])
        branches = [pooled, self.pixel(x)]
        branches += [branch(x) for branch in cast("Iterable[nn.Module]", self.atrous)]
        return self.dropout(self.project(torch.cat(branches, dim=1)))
