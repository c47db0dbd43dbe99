"""Pyramid pooling (Zhao 2017): one map beside its own means over the whole, quarters, ninths and 36ths.

Source: H. Zhao et al., "Pyramid Scene Parsing Network", CVPR 2017, section 3.2. Knows no network.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.nn.activation import Activation
from pixelwise.nn.conv import Arithmetic, ConvNorm
from pixelwise.nn.resample import Fit

SCALES = (1, 2, 3, 6)
"""Into how many rows and columns of windows the map is divided."""


class PoolPyramid(nn.Module):
    """Means of windows, through 1x1 convolutions, enlarged, concatenated to the map; a 3x3 convolution.

    Args:
        in_channels: Channels of the input.
        channels: Of each scale's means, and of the output.
        arithmetic: Eps and momentum; nothing here is strided.
        activation: After every batch normalisation.
    """

    def __init__(
        self, in_channels: int, channels: int, *, arithmetic: Arithmetic, activation: Activation = "relu"
    ) -> None:
        super().__init__()
        self.scales = nn.ModuleList(
            ConvNorm(in_channels, channels, kernel_size=1, arithmetic=arithmetic, activation=activation)
            for _ in SCALES
        )
        self.fit = Fit()
        self.project = ConvNorm(
            in_channels + len(SCALES) * channels, channels, arithmetic=arithmetic, activation=activation
        )

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to `(N, C', H, W)`."""
        means = [
            self.fit(layer(F.adaptive_avg_pool2d(x, count)), x)
            for count, layer in zip(SCALES, cast("Iterable[nn.Module]", self.scales), strict=True)
        ]
        return self.project(torch.cat([x, *means], dim=1))
