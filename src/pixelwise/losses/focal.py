"""The focal loss: cross-entropy in which pixels that are right already hardly count.

Source: T.-Y. Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, equation 5, with the softmax in
place of the sigmoid.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pixelwise.errors import ConfigError
from pixelwise.losses.pixels import pixel_losses, weighted_mean


@dataclass(frozen=True, kw_only=True)
class Focal:
    """Mean over the counted pixels of `(1 - p) ** gamma * -log p`, p the probability of the true class.

    Class weights stand for the paper's alpha; the mean is weighted as that of the cross-entropy is.

    Attributes:
        gamma: How fast easy pixels lose their weight; 0 is the cross-entropy.
    """

    gamma: float = 2.0

    def __post_init__(self) -> None:
        if not 0 <= self.gamma <= 10:
            raise ConfigError(f"focal's gamma must lie in 0..10, got {self.gamma}")

    def __call__(self, logits: Tensor, target: Tensor, class_weights: Tensor | None) -> Tensor:
        """The loss, a float32 scalar."""
        with torch.autocast(logits.device.type, enabled=False):
            entropy, weights = pixel_losses(logits, target, class_weights)
            hardness = (1 - torch.exp(-entropy)).clamp(min=0)
            if self.gamma == 0:
                return weighted_mean(entropy, weights)
            # At p = 1 a power below 1 has an infinite slope; nothing is to be learnt there.
            hardness = hardness.clamp(min=1e-12)
            return weighted_mean(hardness**self.gamma * entropy, weights)
