"""Stochastic depth: in training, a picture now and then goes around a residual branch. Knows no network."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class DropPath(nn.Module):
    """Zeroes a branch for some pictures of a batch, and lets the others make up for it.

    Source: G. Huang et al., "Deep Networks with Stochastic Depth", ECCV 2016, with the branch scaled by one
    over the share that is kept, so that its mean is that of prediction.

    Args:
        share: Of the pictures, from 0 to below 1.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to the same; in evaluation as it is."""
        if not self.training or self.share == 0:
            return x
        kept = 1 - self.share
        mask = torch.empty(len(x), 1, 1, 1, dtype=x.dtype, device=x.device).bernoulli_(kept)
        return x * (mask / kept)

    def extra_repr(self) -> str:
        """For printing."""
        return f"{self.share:.3g}"
