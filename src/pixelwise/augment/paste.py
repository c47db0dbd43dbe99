"""Pieces that cover a picture: classes of its neighbour, a grey rectangle. Exact ids, no blending."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from pixelwise.augment.draw import Draw
from pixelwise.types import IGNORE

_GREY = 127.5


def paste_classes(planes: Tensor, masks: Tensor, seeds: Sequence[int | None]) -> tuple[Tensor, Tensor]:
    """Pastes half the classes of a neighbour over a picture, with their labels (ClassMix).

    Source: V. Olsson et al., "ClassMix: Segmentation-Based Data Augmentation for Semi-Supervised Learning",
    2021, here with true masks on both sides. Pictures 2k and 2k + 1 of the batch are each other's neighbours
    and give what they were before; a last odd one stays alone. So the neighbour follows from the order of the
    epoch, however a batch is cut at even places. It comes before the colours are changed, so that what is
    pasted takes on the light of the picture it comes into.

    Args:
        planes: `(N, 3, H, W) float32`.
        masks: `(N, H, W) uint8`.
        seeds: For each picture what decides the classes, or None for nothing.
    """
    wanted = [i for i, seed in enumerate(seeds) if seed is not None and i ^ 1 < len(seeds)]
    if not wanted:
        return planes, masks
    new_planes, new_masks = planes.clone(), masks.clone()
    for i in wanted:
        donor = masks[i ^ 1]
        present = torch.bincount(donor.reshape(-1), minlength=256)[:IGNORE].nonzero().flatten().tolist()
        chosen = torch.zeros(256, dtype=torch.bool)
        chosen[_half(present, seeds[i] or 0)] = True
        pasted = chosen.to(masks.device)[donor.long()]
        new_planes[i] = torch.where(pasted, planes[i ^ 1], planes[i])
        new_masks[i] = torch.where(pasted, donor, masks[i])
    return new_planes, new_masks


def cut_out(planes: Tensor, masks: Tensor, draws: Sequence[Draw]) -> tuple[Tensor, Tensor]:
    """Greys the drawn rectangles out and ignores their pixels (T. DeVries, G. Taylor, "Cutout", 2017)."""
    if all(d.cutout is None for d in draws):
        return planes, masks
    planes, masks = planes.clone(), masks.clone()
    height, width = masks.shape[1:]
    for i, d in enumerate(draws):
        if d.cutout is not None:
            top, left, rows, columns = d.cutout
            y, x = round(top * height), round(left * width)
            part = slice(y, y + round(rows * height)), slice(x, x + round(columns * width))
            planes[(i, slice(None), *part)] = _GREY
            masks[(i, *part)] = IGNORE
    return planes, masks


def _half(classes: list[int], seed: int) -> list[int]:
    """Half of the classes, rounded up: those with the smallest of the numbers that the seed gives each id."""
    keys = np.random.PCG64(seed).random_raw(IGNORE)
    return sorted(classes, key=lambda label: int(keys[label]))[: (len(classes) + 1) // 2]
