"""Any picture size through a network that needs multiples of its stride: pad, run, crop. Knows no network."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def pad_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """Repeats the last row and column until height and width are multiples.

    Repeating the border shows the network nothing that it does not know from inside pictures; a frame of
    zeros would be a black edge. Padding comes below and right only, so pixel positions stay what they are.
    """
    bottom, right = -x.shape[2] % multiple, -x.shape[3] % multiple
    return F.pad(x, (0, right, 0, bottom), mode="replicate") if bottom or right else x


def crop(x: Tensor, height: int, width: int) -> Tensor:
    """The upper left `(height, width)` of `(N, C, H, W)`."""
    return x if tuple(x.shape[2:]) == (height, width) else x[:, :, :height, :width]


def full_precision(logits: Tensor) -> Tensor:
    """Half-precision logits (autocast) as float32; float64 stays, for tests that compare to many digits."""
    return logits if logits.dtype == torch.float64 else logits.float()
