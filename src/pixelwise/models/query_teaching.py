"""What only training has of EoMT: queries that look at their own masks alone, less and less.

Source: T. Kerssies et al., "Your ViT is Secretly an Image Segmentation Model", CVPR 2025 (arXiv:2503.19108),
section 3.3 and the authors' settings: each block stops after the one before it, and with B blocks that read
queries, block i (from 0) does so between the shares (i + 1) / (B + 2) and (i + 2) / (B + 2) of the training.
That is what their steps for four blocks come to (ADE20K: from 6,520 to 32,600; COCO: from 14,782 to 73,910).
It has no weights, and how far the training has come is told before each step (`models.auxiliary`).
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.nn.outputs import QUERY_CLASSES, QUERY_MASKS

POWER = 0.9
"""Of the polynomial by which a block's share of masked queries falls."""


class MaskedQueries(nn.Module):
    """Decides which tokens see which, in each block that queries are read by.

    Args:
        blocks: How many there are.
    """

    answers: ClassVar[tuple[str, ...]] = (QUERY_CLASSES, QUERY_MASKS)
    """What a network with this says in training beside its logits."""

    done: Tensor

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.blocks = blocks
        # A tensor, since a number would be compiled anew at each step; no state, since it is told.
        self.register_buffer("done", torch.zeros(()), persistent=False)

    def note_progress(self, share: float) -> None:
        """Takes down how much of the training is done, 0..1."""
        self.done.fill_(share)

    def chance(self, block: int) -> Tensor:
        """The share of queries that look at their masks alone in a block, counted from 0."""
        fallen = (self.done * (self.blocks + 2) - (block + 1)).clamp(0, 1)
        return (1 - fallen) ** POWER

    @torch.no_grad()
    def seen(self, masks: Tensor, patches: Tensor, *, block: int, before: int) -> Tensor:
        """Which tokens (last axis) each token looks at.

        Args:
            masks: `(N, Q, h, w)`, logits of what the queries asked for before this block.
            patches: `(N, C, H, W)`, of the map's size.
            block: Counted from 0.
            before: Tokens between queries and patches, which all see.

        Returns:
            `(N, 1, L, L) bool` for the list of queries, those tokens, and patches.
        """
        n, count = masks.shape[:2]
        first, tokens = count + before, count + before + patches.shape[2] * patches.shape[3]
        inside = F.interpolate(masks.float(), size=patches.shape[2:], mode="bilinear").flatten(2) > 0
        free = torch.rand(n, count, 1, device=masks.device) >= self.chance(block)
        seen = torch.ones(n, 1, tokens, tokens, dtype=torch.bool, device=masks.device)
        seen[:, 0, :count, first:] = inside | free
        return seen
