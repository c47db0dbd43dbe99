"""Random changes of a training batch, on its device, picture and mask together, in one resampling pass.

Mirroring, scaling, rotation and shift become one affine map per picture, sampled once; brightness, contrast,
saturation and hue become one 3x4 matrix on RGB per picture. What a picture meets is a function of (seed,
epoch, its index) and nothing else: no global generator, no neighbour in the batch, no worker or rank count.

Knows no data set, no loader and no network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.config import AugmentConfig
from pixelwise.types import IGNORE

_LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of R, G and B in a grey value, ITU-R BT.601: the Y of YIQ."""

_RGB_TO_YIQ = np.array([_LUMA, [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]])

_HUE_TURN = 0.25
"""Largest hue change at colour strength 1, in turns of the colour wheel; 0.4 gives the usual 36 degrees."""


@dataclass(frozen=True, kw_only=True)
class Draw:
    """What one picture meets.

    Attributes:
        mirror: Flip left-right, before everything else.
        scale: Enlargement about the centre; below 1 the picture shrinks.
        degrees: Rotation about the centre, counter-clockwise as seen.
        shift: Movement down and right, in whole pixels (a share of one would blur the picture for nothing).
        brightness: Factor on RGB.
        contrast: Factor on the distance from mid-grey (127.5).
        saturation: Factor on the distance from the pixel's own grey.
        hue: Rotation of the colour wheel, in turns.
    """

    mirror: bool = False
    scale: float = 1.0
    degrees: float = 0.0
    shift: tuple[int, int] = (0, 0)
    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    hue: float = 0.0

    @property
    def resamples(self) -> bool:
        """Whether more than a mirroring happens to the geometry."""
        return self.scale != 1.0 or self.degrees != 0.0 or self.shift != (0, 0)

    @property
    def recolours(self) -> bool:
        """Whether the colours change."""
        return (self.brightness, self.contrast, self.saturation, self.hue) != (1.0, 1.0, 1.0, 0.0)


def draw(config: AugmentConfig, *, seed: int, epoch: int, index: int, size: tuple[int, int]) -> Draw:
    """What the picture `index` of size (height, width) meets in this epoch: the same on every call."""
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, epoch, index))))
    # Always nine numbers in this order, so that switching one change on leaves the others' draws alone.
    coin, scale, angle, down, right, *colour = generator.random(9).tolist()
    low, high = config.scale
    brightness, contrast, saturation, hue = (config.colour * (2 * u - 1) for u in colour)
    return Draw(
        mirror=config.flip and coin < 0.5,
        scale=low * (high / low) ** scale,
        degrees=config.rotate * (2 * angle - 1),
        shift=(
            round(config.shift * (2 * down - 1) * size[0]),
            round(config.shift * (2 * right - 1) * size[1]),
        ),
        brightness=1 + brightness,
        contrast=1 + contrast,
        saturation=1 + saturation,
        hue=_HUE_TURN * hue,
    )


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
        Pictures `(N, 3, H, W) float32` in 0..255, channels_last, and masks `(N, H, W) uint8`.
    """
    size = (int(masks.shape[1]), int(masks.shape[2]))
    return apply(
        images,
        masks,
        [draw(config, seed=seed, epoch=epoch, index=int(i), size=size) for i in indices],
    )


def apply(images: Tensor, masks: Tensor, draws: Sequence[Draw]) -> tuple[Tensor, Tensor]:
    """Does to each picture and mask what was drawn for it; shapes as in `augment`.

    A picture and its mask share one sampling grid: bilinear for the picture, nearest for the mask. Where the
    grid leaves the picture, the mask says 255 and the picture is reflected, which keeps hard borders that no
    photo has out of the training. What is only mirrored, or left as it is, is not resampled: bit-exact.
    """
    _check(images, masks, draws)
    planes = images.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)
    mirrored = [i for i, d in enumerate(draws) if d.mirror and not d.resamples]
    sampled = [i for i, d in enumerate(draws) if d.resamples]
    recoloured = [i for i, d in enumerate(draws) if d.recolours]
    if mirrored:
        planes, masks = _put(planes, mirrored, _mirror), _put(masks, mirrored, _mirror)
    if sampled:
        height, width = masks.shape[1:]
        grid = sampling_grid([draws[i] for i in sampled], size=(height, width)).to(masks.device)
        planes = _put(planes, sampled, lambda part: _sample_images(part, grid))
        masks = _put(masks, sampled, lambda part: _sample_masks(part, grid))
    if recoloured:
        matrices = torch.from_numpy(np.stack([colour_matrix(draws[i]) for i in recoloured])).to(planes)
        planes = _put(planes, recoloured, lambda part: _recolour(part, matrices))
    return planes.contiguous(memory_format=torch.channels_last), masks


def sampling_grid(draws: Sequence[Draw], *, size: tuple[int, int]) -> Tensor:
    """Where each output pixel is read: `(N, H, W, 2) float32`, x before y, in `grid_sample`'s -1..1.

    Angles and lengths are in pixels until the last division: a picture that is not square is not sheared.
    A row part plus a column part, rounded once: a sample's bits don't depend on the rest of the batch.
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
    for axis, length in enumerate((width, height)):
        row = torch.from_numpy((across[axis] * 2 / length).astype(np.float32))
        column = torch.from_numpy((down[axis] * 2 / length).astype(np.float32))
        torch.add(row[:, None, :], column[:, :, None], out=grid[..., axis])
    return grid


def colour_matrix(change: Draw) -> npt.NDArray[np.float32]:
    """The `(3, 4)` matrix on (R, G, B, 1): brightness, contrast, saturation, then hue.

    Hue is a rotation of the IQ plane: linear, and it leaves greys and luma alone.
    """
    grey = np.tile(_LUMA, (3, 1))
    saturate = change.saturation * np.eye(3) + (1 - change.saturation) * grey
    angle = 2 * np.pi * change.hue
    turn = np.eye(3)
    turn[1:, 1:] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    hue = np.linalg.inv(_RGB_TO_YIQ) @ turn @ _RGB_TO_YIQ
    # The contrast's offset is grey, and saturation and hue leave greys alone.
    offset = np.full((3, 1), (1 - change.contrast) * 127.5)
    return np.hstack((change.contrast * change.brightness * hue @ saturate, offset)).astype(np.float32)


def _mirror(part: Tensor) -> Tensor:
    return part.flip(-1)


def _sample_images(part: Tensor, grid: Tensor) -> Tensor:
    """Bilinear, reflected about the picture's outer edge; `(M, 3, H, W)`."""
    return F.grid_sample(part, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def _sample_masks(part: Tensor, grid: Tensor) -> Tensor:
    """Nearest, 255 outside; `(M, H, W) uint8`."""
    # grid_sample pads with zero only, so the ids are moved to make zero mean 255; float32 holds them exactly.
    moved = part[:, None].to(torch.float32).sub_(IGNORE)
    found = F.grid_sample(moved, grid, mode="nearest", padding_mode="zeros", align_corners=False)
    return found.add_(IGNORE).squeeze(1).to(torch.uint8)


def _recolour(part: Tensor, matrices: Tensor) -> Tensor:
    """`(M, 3, H, W)` times `(M, 3, 4)`, kept in 0..255.

    Multiplications and additions one by one, each rounded alone: a matrix product or a fused operation is
    2 to 3 ms faster for 32x160x160 but may round otherwise when the batch is another.
    """
    weights = matrices[..., None, None]  # (M, 3, 4, 1, 1)
    result = part[:, 0:1] * weights[:, :, 0]
    for channel in (1, 2):
        result += part[:, channel : channel + 1] * weights[:, :, channel]
    result += weights[:, :, 3]
    return result.clamp_(0, 255)


def _put(batch: Tensor, which: list[int], change: Callable[[Tensor], Tensor]) -> Tensor:
    """The batch with `change` done to the samples `which`; the batch itself is left alone."""
    if len(which) == len(batch):
        return change(batch)
    result = batch.clone()
    result[which] = change(batch[which])
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
