"""Squeeze and excitation: each channel weighed by what the whole picture shows.

Source: J. Hu et al., "Squeeze-and-Excitation Networks", CVPR 2018, with the hard sigmoid of A. Howard et al.,
"Searching for MobileNetV3", ICCV 2019. Knows no network.
"""

from __future__ import annotations

from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn


class SqueezeExcitation(nn.Module):
    """The mean of each channel through two 1x1 convolutions, as a factor of 0 to 1 for that channel.

    Args:
        channels: Of the map.
        squeezed: Between the two convolutions.
    """

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.expand = nn.Conv2d(squeezed, channels, 1)
        for layer in (self.reduce, self.expand):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out")
            nn.init.zeros_(cast("Tensor", layer.bias))

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to the same."""
        mean = F.adaptive_avg_pool2d(x, 1)
        return x * F.hardsigmoid(self.expand(F.relu(self.reduce(mean))))
