"""Random changes of a training batch, on its device, picture and mask together, in one resampling pass.

Mirroring, scaling, rotation, shift and crop become one affine map per picture, sampled once; then classes of
another picture may be pasted in; brightness, contrast, saturation and hue become one 3x4 matrix on RGB; blur,
JPEG's losses and a grey rectangle come last. What a picture meets is a function of (seed, epoch, its index)
and nothing else: no global generator, no neighbour in the batch, no worker or rank count. Pasting alone needs
a second picture, which is the neighbour in the order of the epoch.

Knows no data set, no loader and no network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from pixelwise.augment.colour import recolour
from pixelwise.augment.crop import choose_places
from pixelwise.augment.draw import Draw, draw
from pixelwise.augment.geometry import place
from pixelwise.augment.jpeg import jpeg
from pixelwise.augment.paste import cut_out, paste_classes
from pixelwise.augment.texture import blur
from pixelwise.config import AugmentConfig

__all__ = ["Draw", "apply", "augment", "draw"]


def augment(
    images: Tensor, masks: Tensor, indices: Sequence[int], *, config: AugmentConfig, seed: int, epoch: int
) -> tuple[Tensor, Tensor]:
    """Changes a batch as `config` asks, or only converts it where it asks for nothing.

    Args:
        images: `(N, H, W, 3) uint8` RGB, on any device.
        masks: `(N, H, W) uint8` train ids, 255 = ignore, on the same device.
        indices: N sample numbers, unique within the data set.
        config: What may change, and how far.
        seed: Of the run.
        epoch: Counted from anywhere, as long as it is counted the same way after a resume.

    Returns:
        Pictures `(N, 3, h, w) float32` in 0..255, channels_last, and masks `(N, h, w) uint8`; h and w are
        those of the crop, or H and W.
    """
    size = (int(masks.shape[1]), int(masks.shape[2]))
    draws = [draw(config, seed=seed, epoch=epoch, index=int(i), size=size) for i in indices]
    if config.crop_max_share < 1:
        draws = choose_places(draws, masks, crop=config.crop or size, max_share=config.crop_max_share)
    return apply(images, masks, draws, size=config.crop)


def apply(
    images: Tensor, masks: Tensor, draws: Sequence[Draw], *, size: tuple[int, int] | None = None
) -> tuple[Tensor, Tensor]:
    """Does to each picture and mask what was drawn for it; shapes as in `augment`.

    Args:
        images: `(N, H, W, 3) uint8`.
        masks: `(N, H, W) uint8`.
        draws: One for each picture.
        size: Height and width of the result; those of the pictures where not given.
    """
    _check(images, masks, draws)
    planes = images.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)
    planes, masks = place(planes, masks, draws, size=size or (masks.shape[1], masks.shape[2]))
    planes, masks = paste_classes(planes, masks, [d.paste for d in draws])
    for wanted, change in (
        ([d.recolours for d in draws], recolour),
        ([d.blur > 0 for d in draws], blur),
        ([d.jpeg < 100 for d in draws], jpeg),
    ):
        planes = _where(planes, wanted, draws, change)
    planes, masks = cut_out(planes, masks, draws)
    return planes.contiguous(memory_format=torch.channels_last), masks


def _where(
    planes: Tensor,
    wanted: list[bool],
    draws: Sequence[Draw],
    change: Callable[[Tensor, Sequence[Draw]], Tensor],
) -> Tensor:
    """The batch with `change` done to the pictures that want it; only these pay for it."""
    which = [i for i, want in enumerate(wanted) if want]
    if not which:
        return planes
    if len(which) == len(planes):
        return change(planes, draws)
    result = planes.clone()
    result[which] = change(planes[which], [draws[i] for i in which])
    return result


def _check(images: Tensor, masks: Tensor, draws: Sequence[Draw]) -> None:
    expected = (len(draws), *masks.shape[1:], 3)
    if images.dtype != torch.uint8 or masks.dtype != torch.uint8:
        raise TypeError(f"pictures and masks must be uint8, got {images.dtype} and {masks.dtype}")
    if masks.ndim != 3 or tuple(images.shape) != expected or len(masks) != len(draws):
        raise ValueError(
            f"pictures (N, H, W, 3), masks (N, H, W) and N draws must fit, got {tuple(images.shape)}, "
            f"{tuple(masks.shape)} and {len(draws)}"
        )
