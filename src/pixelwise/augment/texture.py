"""Blur: a Gaussian of its own width for each picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.augment.draw import Draw


def blur(part: Tensor, draws: Sequence[Draw]) -> Tensor:
    """`(M, 3, H, W)` float32, each picture blurred by its own Gaussian; borders are continued.

    Tap by tap instead of a grouped convolution: each product is rounded alone, so that a picture's bits don't
    depend on the batch. The window ends at three standard deviations of the widest blur in the batch; taps
    beyond a picture's own three have weight 0 and add exactly nothing.
    """
    radius = max(1, math.ceil(3 * max(d.blur for d in draws)))
    taps = np.stack([_taps(d.blur, radius) for d in draws]).astype(np.float32)
    weights = torch.from_numpy(taps).to(part)[:, :, None, None, None]  # (M, taps, 1, 1, 1)
    result = part
    for padding, axis in (((radius, radius, 0, 0), 3), ((0, 0, radius, radius), 2)):
        length = result.shape[axis]
        padded = F.pad(result, padding, mode="replicate")
        total = padded.narrow(axis, radius, length) * weights[:, radius]
        for step in range(1, radius + 1):
            pair = padded.narrow(axis, radius - step, length) + padded.narrow(axis, radius + step, length)
            total += pair.mul_(weights[:, radius + step])
        result = total
    return result


def _taps(sigma: float, radius: int) -> np.ndarray:
    """Weights at -radius..radius, their sum 1; 0 from three standard deviations on."""
    offsets = np.arange(-radius, radius + 1)
    weights = np.where(np.abs(offsets) <= math.ceil(3 * sigma), np.exp(-0.5 * (offsets / sigma) ** 2), 0.0)
    return weights / weights.sum()
