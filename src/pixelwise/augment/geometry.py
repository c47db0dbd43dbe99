"""Where each pixel of the result is read: mirror, scale, rotation, shift and crop as one affine map.

A picture and its mask share one sampling grid: bilinear for the picture, nearest for the mask. Where the grid
leaves the picture, the mask says 255 and the picture is reflected, which keeps hard borders that no photo has
out of the training. What is neither scaled nor rotated is copied, bit by bit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.augment.draw import Draw
from pixelwise.types import IGNORE


def place(
    planes: Tensor, masks: Tensor, draws: Sequence[Draw], *, size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Pictures `(N, 3, H, W) float32` and masks `(N, H, W) uint8` as drawn, at `size`."""
    same_size = size == (masks.shape[1], masks.shape[2])
    sampled = [i for i, d in enumerate(draws) if d.resamples]
    copied = [
        i for i, d in enumerate(draws) if not d.resamples and (d.mirror or d.shift != (0, 0) or not same_size)
    ]
    if not sampled and not copied:
        return planes, masks
    if len(sampled) == len(draws):
        grid = sampling_grid(draws, size=size, source=(masks.shape[1], masks.shape[2])).to(masks.device)
        return _sample_images(planes, grid), _sample_masks(masks, grid)
    new_planes = planes.clone() if same_size else planes.new_empty(len(planes), planes.shape[1], *size)
    new_masks = masks.clone() if same_size else masks.new_empty(len(masks), *size)
    if sampled:
        source = (masks.shape[1], masks.shape[2])
        grid = sampling_grid([draws[i] for i in sampled], size=size, source=source).to(masks.device)
        new_planes[sampled] = _sample_images(planes[sampled], grid)
        new_masks[sampled] = _sample_masks(masks[sampled], grid)
    for i in copied:
        new_planes[i], new_masks[i] = _copy(planes[i], masks[i], draws[i], size)
    return new_planes, new_masks


def sampling_grid(draws: Sequence[Draw], *, size: tuple[int, int], source: tuple[int, int]) -> Tensor:
    """Where each output pixel is read: `(N, h, w, 2) float32`, x before y, in `grid_sample`'s -1..1.

    Angles and lengths are in pixels until the last division: a picture that is not square is not sheared.
    A row part plus a column part, rounded once: a sample's bits don't depend on the rest of the batch.

    Args:
        draws: N of them.
        size: Height and width of the result.
        source: Height and width of the pictures.
    """
    height, width = size
    across = np.empty((2, len(draws), width))  # what the output column adds to x and to y
    down = np.empty((2, len(draws), height))  # what the output row adds
    for n, d in enumerate(draws):
        cosine, sine = np.cos(np.radians(d.degrees)) / d.scale, np.sin(np.radians(d.degrees)) / d.scale
        side = -1.0 if d.mirror else 1.0
        x = np.arange(width) - (width - 1) / 2 - d.shift[1]
        y = np.arange(height) - (height - 1) / 2 - d.shift[0]
        # The inverse of mirror, scale, rotate, shift: output offset from the centre -> input offset from it.
        across[0, n], down[0, n] = side * cosine * x, -side * sine * y
        across[1, n], down[1, n] = sine * x, cosine * y
    grid = torch.empty(len(draws), height, width, 2)
    for axis, length in enumerate((source[1], source[0])):
        row = torch.from_numpy((across[axis] * 2 / length).astype(np.float32))
        column = torch.from_numpy((down[axis] * 2 / length).astype(np.float32))
        torch.add(row[:, None, :], column[:, :, None], out=grid[..., axis])
    return grid


def _copy(plane: Tensor, mask: Tensor, d: Draw, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """One picture mirrored and moved by whole pixels; what lies outside is reflected and ignored."""
    rows, row_inside = _source_places(mask.shape[0], size[0], d.shift[0], mirror=False)
    columns, column_inside = _source_places(mask.shape[1], size[1], d.shift[1], mirror=d.mirror)
    y, x = torch.from_numpy(rows).to(mask.device), torch.from_numpy(columns).to(mask.device)
    found = mask.index_select(0, y).index_select(1, x)
    if not (row_inside.all() and column_inside.all()):
        inside = torch.from_numpy(row_inside[:, None] & column_inside[None, :]).to(mask.device)
        found = torch.where(inside, found, IGNORE)
    return plane.index_select(1, y).index_select(2, x), found


def _source_places(length: int, out: int, shift: float, *, mirror: bool) -> tuple[np.ndarray, np.ndarray]:
    """The source pixel of each of `out` result pixels, reflected where outside, and whether it is inside."""
    begin = round((length - 1) / 2 - (out - 1) / 2 - shift)
    places = np.arange(begin, begin + out)
    inside = (places >= 0) & (places < length)
    places %= 2 * length
    places = np.where(places < length, places, 2 * length - 1 - places)
    return (length - 1 - places if mirror else places), inside


def _sample_images(part: Tensor, grid: Tensor) -> Tensor:
    """Bilinear, reflected about the picture's outer edge; `(M, 3, H, W)` to `(M, 3, h, w)`."""
    return F.grid_sample(part, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def _sample_masks(part: Tensor, grid: Tensor) -> Tensor:
    """Nearest, 255 outside; `(M, H, W) uint8` to `(M, h, w) uint8`."""
    # grid_sample pads with zero only, so the ids are moved to make zero mean 255; float32 holds them exactly.
    moved = part[:, None].to(torch.float32).sub_(IGNORE)
    found = F.grid_sample(moved, grid, mode="nearest", padding_mode="zeros", align_corners=False)
    return found.add_(IGNORE).squeeze(1).to(torch.uint8)
