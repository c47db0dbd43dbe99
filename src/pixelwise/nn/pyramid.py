"""Feature pyramids: coarse maps, which know what, added to fine ones, which know where.

Source: T.-Y. Lin et al., "Feature Pyramid Networks for Object Detection", CVPR 2017, section 3. Knows no
network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch.nn.functional as F
from torch import Tensor, nn


class FeaturePyramid(nn.Module):
    """Features of one width at every level, each with all coarser ones added from above.

    Args:
        channels: Of the features, finest first; each map is half as large as the one before.
        lateral: Makes the layer that brings a feature of so many channels to the common width. The coarsest
            feature has none where `lateral_of_deepest` is false: it comes with that width.
        output: Makes the layer that each sum goes through.
        lateral_of_deepest: Whether the coarsest feature is brought to the common width, and its map goes
            through an output layer.
        mode: How a coarser map is enlarged.
    """

    def __init__(
        self,
        channels: Sequence[int],
        *,
        lateral: Callable[[int], nn.Module],
        output: Callable[[], nn.Module],
        lateral_of_deepest: bool = True,
        mode: str = "nearest",
    ) -> None:
        super().__init__()
        own = channels if lateral_of_deepest else channels[:-1]
        self.laterals = nn.ModuleList(map(lateral, own))
        self.outputs = nn.ModuleList(output() for _ in own)
        self.mode = mode

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Maps `(N, C[i], H[i], W[i])` to `(N, C, H[i], W[i])`, finest first."""
        maps = [lateral(x) for lateral, x in zip(self.laterals, features, strict=False)]
        maps += features[len(maps) :]
        for place in range(len(maps) - 2, -1, -1):
            maps[place] = maps[place] + self._enlarged(maps[place + 1])
        answers = [output(x) for output, x in zip(self.outputs, maps, strict=False)]
        return answers + maps[len(answers) :]

    def _enlarged(self, x: Tensor) -> Tensor:
        corners = False if self.mode == "bilinear" else None
        return F.interpolate(x, scale_factor=2, mode=self.mode, align_corners=corners)
