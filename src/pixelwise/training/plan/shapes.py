"""Sizes and crops that might be trained, the best first. Knows pictures and objects, but no memory.

In this order: whole pictures, as long as the narrowest objects survive; crops of larger ones; and last whole
pictures that are smaller than their objects ask for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from pixelwise.data.statistics import Statistics
from pixelwise.training.plan.choice import Draft
from pixelwise.training.plan.facts import Network
from pixelwise.types import size_text

Size = tuple[int, int]

KEPT = 2.0
"""Pixels that the narrowest objects should keep on the grid of the network's own logits: what is narrower
than two samples is found or lost by where it happens to lie (the sampling theorem)."""

LARGEST_WHOLE = 1 << 20
"""Larger pictures are made smaller, to a megapixel, or trained in crops where their objects forbid that."""

CROPS = (768, 640, 512, 448, 384, 320, 256, 192, 128)
"""Sides of crops. 512 and 768 are about those of DeepLab (Chen 2018); the smaller ones are for memory."""

SMALLEST = 64
"""Sides below which hardly anything can be recognised; smaller pictures are trained as they are."""

_STEPS = (1.0, 0.875, 0.75, 0.625, 0.5)
_LAST_STEPS = (0.375, 0.25, 0.1875, 0.125, 0.0625)


@dataclass(frozen=True)
class Shape:
    """What validation sees, and what a step sees of it.

    Attributes:
        size: Height and width to which pictures are resized.
        crop: Height and width of the piece that a step trains on; None for the whole.
        why: The reason for the size.
    """

    size: Size
    crop: Size | None
    why: str

    @property
    def seen(self) -> int:
        """Pixels of a picture that a step trains on."""
        height, width = self.crop or self.size
        return height * width

    @property
    def whole(self) -> int:
        """Pixels of a picture at its size."""
        return self.size[0] * self.size[1]


def shapes(draft: Draft, data: Statistics, network: Network) -> Iterator[Shape]:
    """All candidates; those that the user chose are kept."""
    may_crop = draft.free("crop", "shift") and draft.config.augment.shift == 0
    given = draft.config.augment.crop if not draft.free("crop") else None
    if not draft.free("size"):
        size = draft.config.size
        yield Shape(size, given, "")
        if may_crop:
            yield from _crops(size, "")
        return
    top = min(1.0, math.sqrt(LARGEST_WHOLE / (data.size[0] * data.size[1])))
    least, narrow = least_scale(data, network)
    least = min(least, 1.0)
    photos = f"the photos' median size is {size_text(data.size)}"
    kept = f"{photos}; smaller, {narrow} would be lost" if narrow else photos
    if given is None:
        for step in _STEPS:
            if top * step >= least:
                cause = "a megapixel is enough" if step == 1 else "larger does not fit"
                why = photos if top * step == 1 else f"{photos}; {cause}, and what is narrow survives"
                yield Shape(_scaled(data, network, top * step), None, why)
    scale = max(least, top)
    size = _scaled(data, network, scale)
    if given is not None:
        yield Shape(size, given, photos)
    elif may_crop:
        yield from _crops(size, kept if least < 1 and scale == least else photos)
    smallest = min(SMALLEST, *_scaled(data, network, top))
    for step in (*_STEPS, *_LAST_STEPS):
        size = _scaled(data, network, top * step)
        if (top * step < least or step in _LAST_STEPS) and min(size) >= smallest:
            yield Shape(size, given, f"{photos}, but more does not fit")


def least_scale(data: Statistics, network: Network) -> tuple[float, str]:
    """The share of the photos' sides at which the narrowest objects keep `KEPT` pixels, and their class."""
    breadths = [(b, n) for b, n in zip(data.breadths, data.classes, strict=True) if b is not None]
    if not breadths:
        return 0.0, ""
    breadth, name = min(breadths)
    return KEPT * network.native_stride / (breadth * math.sqrt(data.size[0] * data.size[1])), name


def kept_pixels(breadth: float, size: Size, network: Network) -> float:
    """Pixels across that objects keep on the grid of the network's own logits.

    Args:
        breadth: A share of the picture's size, as `Statistics.breadths`.
        size: Height and width to which pictures are resized.
        network: Its native stride counts.
    """
    return breadth * math.sqrt(size[0] * size[1]) / network.native_stride


def _scaled(data: Statistics, network: Network, scale: float) -> Size:
    """The multiples of the stride that are nearest to the median size times the scale and not larger."""
    height, width = (_multiple(length * scale, network.stride) for length in data.size)
    return height, width


def _multiple(length: float, stride: int) -> int:
    # A hair more, or a scale that is a rounded number falls below the multiple that it means.
    return max(stride, math.floor(length / stride + 1e-6) * stride)


def _crops(size: Size, why: str) -> Iterator[Shape]:
    for side in CROPS:
        crop = min(side, size[0]), min(side, size[1])
        if crop != size:
            yield Shape(size, crop, why)
