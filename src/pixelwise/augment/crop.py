"""Which piece of a picture a step sees: not one that is nearly all of one class.

After the crop rule of DeepLab-style training code (`cat_max_ratio` in MMSegmentation): ten tries for a piece
in which no class has more than a given share. Knows no drawing and no sampling of pictures.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from pixelwise.augment.draw import Draw
from pixelwise.types import IGNORE

_POINTS = 24
"""A candidate is judged by its labels at 24 x 24 evenly spread points: a share is then known to some 2%."""


def choose_places(
    draws: Sequence[Draw], masks: Tensor, *, crop: tuple[int, int], max_share: float
) -> list[Draw]:
    """The draws with the shift of the first of their places that is not too much of one class.

    If all are, the one whose commonest class has the least share is taken. Ignored pixels and what lies
    outside the picture are not counted; a place without a counted point is as good as none.

    Args:
        draws: N of them, each with as many `places`.
        masks: `(N, H, W) uint8` train ids, 255 = ignore.
        crop: Height and width of the piece.
        max_share: Largest share of a class.
    """
    height, width = int(masks.shape[1]), int(masks.shape[2])
    places = np.stack([_points(d, crop, (height, width)) for d in draws])  # (N, tries, points, 2)
    count, tries, points = places.shape[:3]
    y, x = places[..., 0], places[..., 1]
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    flat = np.where(inside, y * width + x, 0).reshape(count, tries * points)
    device = masks.device
    labels = masks.reshape(count, -1).gather(1, torch.from_numpy(flat).to(device)).long()
    labels = torch.where(torch.from_numpy(inside.reshape(count, -1)).to(device), labels, IGNORE)
    # One histogram of 256 values for each place, all of them in one count.
    place = torch.arange(count * tries, device=device).repeat_interleave(points)
    pairs = torch.bincount(place * 256 + labels.reshape(-1), minlength=count * tries * 256)
    histogram = pairs.view(count, tries, 256)[..., :IGNORE]
    total = histogram.sum(2)
    share = torch.where(total > 0, histogram.amax(2) / total.clamp(min=1), 2.0).cpu().numpy()
    chosen = np.where((share <= max_share).any(1), (share <= max_share).argmax(1), share.argmin(1))
    return [
        dataclasses.replace(d, shift=d.places[best], places=())
        for d, best in zip(draws, chosen.tolist(), strict=True)
    ]


def _points(d: Draw, crop: tuple[int, int], source: tuple[int, int]) -> np.ndarray:
    """Source pixels `(tries, points, 2) int64`, y before x, under evenly spread points of each place."""
    y, x = np.meshgrid(
        *((np.arange(_POINTS) + 0.5) / _POINTS * length - length / 2 for length in crop), indexing="ij"
    )
    shifts = np.array(d.places)[:, :, None]  # (tries, 2, 1)
    y, x = y.reshape(-1) - shifts[:, 0], x.reshape(-1) - shifts[:, 1]  # (tries, points)
    cosine, sine = np.cos(np.radians(d.degrees)) / d.scale, np.sin(np.radians(d.degrees)) / d.scale
    side = -1.0 if d.mirror else 1.0
    found = np.stack(
        (sine * x + cosine * y + source[0] / 2, side * (cosine * x - sine * y) + source[1] / 2), axis=-1
    )
    return np.floor(found).astype(np.int64)
