"""The drawn logits and masks on which losses are compared with published implementations."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

CLASSES = 4
_SHAPE = (3, 9, 11)


def draw_logits() -> Tensor:
    """`(3, 4, 9, 11) float32`, of a network that is half right."""
    generator = np.random.Generator(np.random.PCG64(7))
    logits = torch.from_numpy(generator.standard_normal((_SHAPE[0], CLASSES, *_SHAPE[1:])))
    truth = draw_target().clamp(max=CLASSES - 1)
    return (logits + 1.5 * torch.nn.functional.one_hot(truth, CLASSES).permute(0, 3, 1, 2)).float()


def draw_target() -> Tensor:
    """`(3, 9, 11) int64`: all classes, one of them rare, and a ninth ignored."""
    generator = np.random.Generator(np.random.PCG64(8))
    ids = generator.choice(CLASSES, _SHAPE, p=(0.5, 0.3, 0.17, 0.03))
    ids[generator.random(_SHAPE) < 1 / 9] = 255
    return torch.from_numpy(ids)
