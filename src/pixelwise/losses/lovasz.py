"""The Lovász-softmax: a convex extension of one minus the IoU, on the hard set of pixels that it is.

Source: M. Berman, A. Rannen Triki, M. B. Blaschko, "The Lovász-Softmax loss", CVPR 2018, algorithm 1, over
the classes that are present in the batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pixelwise.types import IGNORE


@dataclass(frozen=True, kw_only=True)
class LovaszSoftmax:
    """Mean over the classes of the batch of the Lovász extension of the Jaccard loss.

    All counted pixels of the batch are one set. Class weights make it a weighted mean over classes.
    """

    def __call__(self, logits: Tensor, target: Tensor, class_weights: Tensor | None) -> Tensor:
        """The loss, a float32 scalar."""
        with torch.autocast(logits.device.type, enabled=False):
            classes = logits.shape[1]
            # (N, K, H, W) -> (K, pixels) and (N, H, W) -> (pixels,), the counted ones
            counted = (target != IGNORE).reshape(-1)
            shares = logits.float().softmax(1).permute(1, 0, 2, 3).reshape(classes, -1)[:, counted]
            ids = target.reshape(-1)[counted]
            present = torch.bincount(ids.long(), minlength=classes)[:classes] > 0
            weights = present.to(shares) if class_weights is None else present * class_weights.to(shares)
            total, loss = weights.sum(), shares.sum() * 0
            # Taken apart at once: each row taken by its index would cost a gradient of the whole matrix.
            rows = shares.unbind()
            for label in present.nonzero().flatten().tolist():
                truth = ids == label
                errors = torch.where(truth, 1 - rows[label], rows[label])
                loss = loss + weights[label] * (errors * jaccard_slopes(errors.detach(), truth)).sum()
            return loss / torch.where(total > 0, total, 1)


def jaccard_slopes(errors: Tensor, truth: Tensor) -> Tensor:
    """What each pixel adds to the Jaccard loss when it joins those with larger errors.

    Args:
        errors: `(P,) float32` in 0..1.
        truth: `(P,) bool`, at least one of them true.

    Returns:
        `(P,) float32`; the loss is their product with the errors, and they are its gradient.
    """
    order = descending(errors)
    hit = truth[order]
    positives = hit.sum()
    # The set of the i pixels with the largest errors taken as wrong: IoU = kept positives / union.
    seen = torch.arange(1, len(hit) + 1, device=hit.device)
    hits = hit.cumsum(0)
    jaccard = 1 - (positives - hits).double() / (positives + seen - hits)
    slopes = torch.empty_like(errors)
    slopes[order] = torch.diff(jaccard, prepend=jaccard.new_zeros(1)).float()
    return slopes


def descending(errors: Tensor) -> Tensor:
    """The order from the largest to the smallest of values in 0..1, the later place first among equals.

    On the processor bits of the value and place are packed into one whole number and sorted as such, which is
    eight times faster than sorting with places; the bits of floats that are not negative rise as they do.
    """
    if errors.device.type != "cpu":
        return errors.flip(0).sort(descending=True, stable=True).indices.neg().add(len(errors) - 1)
    keys = errors.clamp(min=0).numpy().view(np.uint32).astype(np.uint64)
    keys <<= np.uint64(32)
    keys |= np.arange(len(keys), dtype=np.uint64)
    keys.sort()
    return torch.from_numpy((keys[::-1] & np.uint64(0xFFFFFFFF)).astype(np.int64))
