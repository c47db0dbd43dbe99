"""What a head learns that says where classes end, and what the network learns from it.

Source: J. Xu et al., "PIDNet: A Real-time Semantic Segmentation Network Inspired by PID Controllers", CVPR
2023, equations 2 and 3; its loss is the network's own, 0.4 of the auxiliary head's, `20*edge` and `edge_ce`.
The authors take a mask's edges by Canny's detector, 4 pixels wide, along ignored pixels too; here they are
where two labelled classes meet, as wide, and as near to one as to the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.errors import ConfigError
from pixelwise.losses.cross_entropy import cross_entropy
from pixelwise.losses.window import spread
from pixelwise.nn.outputs import BOUNDARY, LOGITS
from pixelwise.types import IGNORE


@dataclass(frozen=True, kw_only=True)
class Edge:
    """Binary cross-entropy of the boundary head, edges and the rest weighing as much.

    An edge pixel weighs as much as the share of other pixels in its picture, another pixel as much as that of
    edges (S. Xie, Z. Tu, "Holistically-Nested Edge Detection", ICCV 2015, equation 2); the authors of PIDNet
    take the shares of the batch, which would make a step depend on how its batch is cut into pieces. The mean
    runs over the counted pixels. A picture without an edge costs 0. Class weights say nothing here.

    Attributes:
        width: Of an edge in pixels, even: half of it on either side of where two classes meet.
    """

    width: int = 4

    reads: ClassVar[tuple[str, ...]] = (BOUNDARY,)
    teaches: ClassVar[tuple[str, ...]] = (BOUNDARY,)

    def __post_init__(self) -> None:
        if not (2 <= self.width <= 98 and self.width % 2 == 0):
            raise ConfigError(f"edge's width must be an even number of pixels up to 98, got {self.width}")

    def __call__(self, outputs: Mapping[str, Tensor], target: Tensor, class_weights: Tensor | None) -> Tensor:
        """The loss, a float32 scalar."""
        scores = outputs[BOUNDARY]
        with torch.autocast(scores.device.type, enabled=False):
            edge = edges(target, self.width)
            counted = target != IGNORE
            pixels = counted.sum((1, 2), keepdim=True)  # (N, 1, 1)
            share = edge.sum((1, 2), keepdim=True) / pixels.clamp(min=1)
            weights = torch.where(edge, 1 - share, share) * counted
            loss = F.binary_cross_entropy_with_logits(
                scores[:, 0].float(), edge.float(), weights, reduction="sum"
            )
            return loss / pixels.sum().clamp(min=1)


@dataclass(frozen=True, kw_only=True)
class EdgeCrossEntropy:
    """The cross-entropy of the network's own logits over the pixels where the boundary head sees an edge.

    It teaches the network's logits, and nothing to the boundary head. A batch without such a pixel costs 0.

    Attributes:
        threshold: Probability of an edge above which a pixel counts.
    """

    threshold: float = 0.8

    reads: ClassVar[tuple[str, ...]] = (LOGITS, BOUNDARY)
    teaches: ClassVar[tuple[str, ...]] = (LOGITS,)

    def __post_init__(self) -> None:
        if not 0 <= self.threshold < 1:
            raise ConfigError(f"edge_ce's threshold must lie in 0..1, got {self.threshold}")

    def __call__(self, outputs: Mapping[str, Tensor], target: Tensor, class_weights: Tensor | None) -> Tensor:
        """The loss, a float32 scalar."""
        seen = outputs[BOUNDARY].detach()[:, 0].float().sigmoid() > self.threshold
        kept = torch.where(seen, target, torch.full_like(target, IGNORE))
        return cross_entropy(outputs[LOGITS], kept, class_weights=class_weights)


def edges(target: Tensor, width: int) -> Tensor:
    """Whether another class lies within half of `width` pixels, diagonals included.

    Args:
        target: `(N, H, W)` train ids, 255 = ignore.
        width: In pixels, even.

    Returns:
        `(N, H, W) bool`; False where ignored. Ignored pixels are of no class.
    """
    counted = target != IGNORE
    ids = target.float()
    around = torch.stack([torch.where(counted, sign * ids, -float(IGNORE)) for sign in (1, -1)], dim=1)
    highest, lowest = spread(around, width + 1).unbind(1)  # (N, 2, H, W)
    return counted & ((highest != ids) | (-lowest != ids))
