"""The parallel aggregation pyramid of PIDNet: one small map looked at through windows of growing size.

Source: J. Xu et al., "PIDNet: A Real-time Semantic Segmentation Network Inspired by PID Controllers", CVPR
2023, section 3.3, after the DAPPM of Y. Hong et al., "Deep Dual-resolution Networks", 2021. Knows no network.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.nn.norm_act_conv import NormActConv
from pixelwise.nn.resample import Fit

_WINDOWS = ((5, 2), (9, 4), (17, 8))
"""(side, stride) of the windows; a fourth one is the whole map."""


class PAPPM(nn.Module):
    """Means of windows of 5, 9, 17 and of the whole map, each added to the map itself; joined, and projected.

    Windows reach over the border of a small map, where zeros count: a map of one pixel is allowed.

    Args:
        in_channels: Channels of the input.
        channels: Of each window's branch.
        out_channels: Channels of the output.
    """

    def __init__(self, in_channels: int, channels: int, out_channels: int) -> None:
        super().__init__()
        branches = 1 + len(_WINDOWS)
        self.pixel = NormActConv(in_channels, channels)
        self.windows = nn.ModuleList(NormActConv(in_channels, channels) for _ in range(branches))
        self.fit = Fit()
        self.process = NormActConv(channels * branches, channels * branches, kernel_size=3, groups=branches)
        self.compress = NormActConv(channels * (branches + 1), out_channels)
        self.shortcut = NormActConv(in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to `(N, C', H, W)`."""
        pixel = self.pixel(x)
        pooled = [F.avg_pool2d(x, side, stride, side // 2) for side, stride in _WINDOWS]
        pooled.append(F.adaptive_avg_pool2d(x, 1))
        windows = cast("Iterable[nn.Module]", self.windows)
        seen = [self.fit(window(mean), pixel) + pixel for window, mean in zip(windows, pooled, strict=True)]
        processed = self.process(torch.cat(seen, dim=1))
        return self.compress(torch.cat([pixel, processed], dim=1)) + self.shortcut(x)
