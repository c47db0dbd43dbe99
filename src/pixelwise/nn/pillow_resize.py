"""Pillow's bilinear, antialiased resize for tensors, so that a program without Pillow gives the same masks.

Knows sizes and tensors only. All of it can be scripted (TorchScript).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def resize_bytes(x: Tensor, height: int, width: int) -> Tensor:
    """Whole values in 0..255 at another size, rounded to whole values after each of two passes.

    Columns come first, or rows where these shrink by more than twice what columns do, as in Pillow 13.

    Args:
        x: `(N, C, H, W)`, of a floating type.
        height: Wanted.
        width: Wanted.
    """
    rows_first = x.shape[2] - height > 2 * max(x.shape[3] - width, 0)
    for place in (0, 1):
        side = 2 if rows_first == (place == 0) else 3
        new = width if side == 3 else height
        if x.shape[side] != new:
            # Its weights are fixed-point numbers of 22 bits; float64 holds them and their sums exactly.
            weights = torch.floor(_weights(x.shape[side], new) * 2.0**22 + 0.5) / 2.0**22
            x = torch.floor(_along(x.double(), weights, side) + 0.5).clamp(0, 255).to(x.dtype)
    return x


def resize_maps(x: Tensor, height: int, width: int) -> Tensor:
    """Maps `(N, C, H, W)` at another size, nothing rounded."""
    for side in (3, 2):
        new = width if side == 3 else height
        if new < x.shape[side]:
            x = _along(x, _weights(x.shape[side], new).to(x.dtype), side)
    # A side that grows is plain interpolation, which needs no matrix.
    if x.shape[2] == height and x.shape[3] == width:
        return x
    return F.interpolate(x, size=[height, width], mode="bilinear", align_corners=False)


def _along(x: Tensor, weights: Tensor, side: int) -> Tensor:
    """Rows (side 2) or columns (side 3) as weighted sums of those that were."""
    return torch.matmul(x, weights.t()) if side == 3 else torch.matmul(weights, x)


def _weights(old: int, new: int) -> Tensor:
    """The triangle filter `(new, old) float64`, as wide as an output pixel where that is the wider.

    Each row sums to one. In units of `1 / (2 * new)` pixels every centre is a whole number.
    """
    outputs = (2 * torch.arange(new) + 1) * old
    inputs = (2 * torch.arange(old) + 1) * new
    distance = (outputs[:, None] - inputs[None, :]).abs().double()
    height = (1.0 - distance / (2.0 * max(old, new))).clamp(min=0.0)
    return height / height.sum(1, keepdim=True)
