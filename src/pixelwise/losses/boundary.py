"""One minus the F1 score of the boundaries, softened so that it has a gradient.

Source: A. Bokhovkin, E. Burnaev, "Boundary Loss for Remote Sensing Imagery Semantic Segmentation", 2019
(arXiv:1905.07852), equations 5 to 11. Chosen among the losses of that name because it takes several classes
and the logits as they are: distance maps (Kervadec 2019) would have to be computed for each augmented mask.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pixelwise.errors import ConfigError
from pixelwise.losses.overlap import one_hot
from pixelwise.losses.window import spread
from pixelwise.types import IGNORE

_TINY = 1e-7


@dataclass(frozen=True, kw_only=True)
class Boundary:
    """Mean over pictures and classes of `1 - 2 P R / (P + R)`, P and R of boundaries with a tolerance.

    A class's boundary in a map is where the class ends within `width // 2` pixels; precision is the share of
    the predicted boundary that lies within `tolerance // 2` pixels of the true one, recall the reverse. A
    class that has no boundary in a picture's truth is left out there. No boundary runs along ignored pixels.
    It says nothing of what lies inside, so it is an addend: `ce + 0.5*boundary`. Class weights make it a
    weighted mean.

    Attributes:
        width: Of the boundary's search window, in pixels, odd.
        tolerance: Of the window in which boundaries may meet, in pixels, odd.
    """

    width: int = 3
    tolerance: int = 5

    def __post_init__(self) -> None:
        for name in ("width", "tolerance"):
            value = getattr(self, name)
            if not (1 <= value <= 99 and value % 2 == 1) or (name == "width" and value == 1):
                raise ConfigError(f"boundary's {name} must be an odd number of pixels up to 99, got {value}")

    def __call__(self, logits: Tensor, target: Tensor, class_weights: Tensor | None) -> Tensor:
        """The loss, a float32 scalar."""
        with torch.autocast(logits.device.type, enabled=False):
            counted = (target != IGNORE)[:, None]
            truth = one_hot(target, logits.shape[1]).float()
            true_edge = self._edge(truth, counted)
            edge = self._edge(logits.float().softmax(1), counted)
            precision = (edge * spread(true_edge, self.tolerance)).sum((2, 3)) / _at_least_tiny(edge)
            recall = (spread(edge, self.tolerance) * true_edge).sum((2, 3)) / _at_least_tiny(true_edge)
            score = 2 * precision * recall / (precision + recall).clamp(min=_TINY)  # (N, K)
            present = (true_edge.sum((2, 3)) > 0).to(score)
            weights = present if class_weights is None else present * class_weights.to(score)
            total = weights.sum()
            return ((1 - score) * weights).sum() / torch.where(total > 0, total, 1)

    def _edge(self, shares: Tensor, counted: Tensor) -> Tensor:
        """How much of the class, `(N, K, H, W)` in 0..1, ends near each of its pixels; 0 where ignored."""
        # An ignored pixel is taken as of every class, so that nothing ends there. Pooling is quicker on whole
        # planes than on few channels side by side.
        outside = torch.where(counted, 1 - shares, 0).contiguous()
        return torch.where(counted, spread(outside, self.width) - outside, 0)


def _at_least_tiny(edge: Tensor) -> Tensor:
    return edge.sum((2, 3)).clamp(min=_TINY)
