"""Losses on the overlap of prediction and truth: Dice, Jaccard (soft IoU) and Tversky.

Each is one minus a quotient of three sums per class, taken over all counted pixels of the batch together:
TP = sum of the probabilities where the class is true, FP = sum of them elsewhere, FN = sum of what is missing
to 1 where it is true. Small classes weigh as much as large ones.

Sources: F. Milletari et al., "V-Net", 2016 (Dice); M. A. Rahman and Y. Wang, "Optimizing
Intersection-Over-Union in Deep Neural Networks", 2016 (Jaccard); S. Salehi et al., "Tversky loss function for
image segmentation using 3D fully convolutional deep networks", 2017, and N. Abraham and N. Khan, "A novel
focal Tversky loss function", 2019 (its gamma).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pixelwise.errors import ConfigError
from pixelwise.types import IGNORE

_TINY = 1e-7
"""Keeps the quotient of a class that is never predicted from 0 / 0, as when the truth has none of it."""


@dataclass(frozen=True, kw_only=True)
class Tversky:
    """Mean over the classes of the batch of `(1 - TP / (TP + alpha FP + beta FN)) ** gamma`.

    Classes without a true pixel in the batch are left out, since their quotient is 0 whatever is predicted.
    Class weights make it a weighted mean over classes.

    Attributes:
        alpha: Weight of false positives.
        beta: Weight of false negatives; above alpha, recall counts more than precision.
        gamma: Power of each class's loss; 0.75 in focal Tversky, which dwells on classes that are bad.
    """

    alpha: float = 0.3
    beta: float = 0.7
    gamma: float = 1.0

    def __post_init__(self) -> None:
        for name in ("alpha", "beta"):
            if not 0 <= getattr(self, name) <= 10:
                raise ConfigError(f"tversky's {name} must lie in 0..10, got {getattr(self, name)}")
        if self.alpha + self.beta == 0:
            raise ConfigError("tversky's alpha and beta must not both be 0")
        if not 0 < self.gamma <= 10:
            raise ConfigError(f"tversky's gamma must lie in 0..10, got {self.gamma}")

    def __call__(self, logits: Tensor, target: Tensor, class_weights: Tensor | None) -> Tensor:
        """The loss, a float32 scalar."""
        with torch.autocast(logits.device.type, enabled=False):
            overlap, predicted, true = soft_counts(logits, target)
            missed = self.alpha * (predicted - overlap) + self.beta * (true - overlap)
            loss = 1 - overlap / (overlap + missed).clamp(min=_TINY)
            if self.gamma != 1:
                loss = loss.clamp(min=_TINY) ** self.gamma
            present = (true > 0).to(loss)
            weights = present if class_weights is None else present * class_weights.to(loss)
            total = weights.sum()
            return (loss * weights).sum() / torch.where(total > 0, total, 1)


@dataclass(frozen=True, kw_only=True)
class Dice:
    """One minus the Dice coefficient, 2 TP / (2 TP + FP + FN): Tversky with alpha = beta = 0.5."""

    def __call__(self, logits: Tensor, target: Tensor, class_weights: Tensor | None) -> Tensor:
        """The loss, a float32 scalar."""
        return Tversky(alpha=0.5, beta=0.5)(logits, target, class_weights)


@dataclass(frozen=True, kw_only=True)
class Jaccard:
    """One minus the soft IoU, TP / (TP + FP + FN): Tversky with alpha = beta = 1."""

    def __call__(self, logits: Tensor, target: Tensor, class_weights: Tensor | None) -> Tensor:
        """The loss, a float32 scalar."""
        return Tversky(alpha=1.0, beta=1.0)(logits, target, class_weights)


def soft_counts(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Per class over the counted pixels, `(K,)` each: probability where true, probability, true pixels.

    Sums of a product with the one-hot truth: adding up by index would be quicker for many classes, but sums
    in no fixed order on a GPU.
    """
    shares = logits.float().softmax(1)
    truth = one_hot(target, shares.shape[1])
    counted = (target != IGNORE)[:, None]
    overlap = torch.where(truth, shares, 0).sum((0, 2, 3))
    return overlap, torch.where(counted, shares, 0).sum((0, 2, 3)), truth.sum((0, 2, 3)).to(shares)


def one_hot(target: Tensor, classes: int) -> Tensor:
    """`(N, H, W)` train ids as `(N, K, H, W) bool`; an ignored pixel is of no class."""
    return target[:, None] == torch.arange(classes, device=target.device, dtype=target.dtype).view(
        1, -1, 1, 1
    )
