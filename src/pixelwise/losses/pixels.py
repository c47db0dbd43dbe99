"""What losses that are means over pixels share: the loss of each pixel and its weight. Knows no loss."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.types import IGNORE


def pixel_losses(logits: Tensor, target: Tensor, class_weights: Tensor | None) -> tuple[Tensor, Tensor]:
    """The cross-entropy of each pixel, and its weight.

    Args:
        logits: `(N, K, H, W)`.
        target: `(N, H, W)` train ids, 255 = ignore.
        class_weights: `(K,)`, or None.

    Returns:
        `-log softmax(logits)[true class]` and the class weight, both `(N, H, W) float32`; 0 where ignored.
    """
    ids = target.long()
    entropy = F.cross_entropy(logits.float(), ids, ignore_index=IGNORE, reduction="none")
    counted = ids != IGNORE
    if class_weights is None:
        return entropy, counted.float()
    return entropy, class_weights.to(entropy)[ids.clamp(max=len(class_weights) - 1)] * counted


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """`sum(w * v) / sum(w)`, and 0 with a gradient of zeros where no weight is above 0."""
    total = weights.sum()
    return (values * weights).sum() / torch.where(total > 0, total, 1)
