"""A class cut out of its photo, and photos with another background. Knows the photo and a soft mask.

Pixels at the edge mix the colours of both sides. Put on another background as they are they would show a rim
of the old one, so they get the colour of what was cut out, as far as the picture tells.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, cast

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from pixelwise.drawing import Colour
from pixelwise.errors import ConfigError, PixelwiseError
from pixelwise.segmentation.alpha import soft_mask
from pixelwise.segmentation.component import Pieces
from pixelwise.segmentation.extend import extended
from pixelwise.types import UInt8Array

if TYPE_CHECKING:
    from pixelwise.segmentation.segmentation import Segmentation

_RADIUS = 15 / 1000
"""Of the blur where none is given, as a share of the longer side."""

_WHOLE = [0] * 255 + [255]
_NONE = [255] + [0] * 255


def photo_of(segmentation: Segmentation, wanted: str) -> UInt8Array:
    """The photo `(H, W, 3)`; `wanted` begins the message: what cannot be made without it.

    Raises:
        PixelwiseError: The segmentation was made without it.
    """
    if segmentation.image is None:
        raise PixelwiseError(
            f"{wanted} needs the photo, but this segmentation was made without it: add it by "
            "dataclasses.replace(segmentation, image=photo)"
        )
    return segmentation.image


def cut_out(segmentation: Segmentation, name: str, pieces: Pieces, edge: float | None) -> Image.Image:
    """See `Segmentation.cutout`."""
    photo = Image.fromarray(photo_of(segmentation, "a cutout"))
    alpha = soft_mask(segmentation, name, pieces, edge)
    cut = _foreground(photo, alpha, _background(photo, alpha))
    cut.putalpha(alpha)
    return cut


def blur_background(
    segmentation: Segmentation, name: str, radius: float | None, pieces: Pieces, edge: float | None
) -> Image.Image:
    """See `Segmentation.blur_background`."""
    photo = Image.fromarray(photo_of(segmentation, "a blurred background"))
    if radius is None:
        radius = max(2.0, _RADIUS * max(photo.size))
    if not (isfinite(radius) and 0 <= radius <= max(photo.size)):
        raise ConfigError(f"radius is a number of pixels, 0 to {max(photo.size)}, got {radius}")
    alpha = soft_mask(segmentation, name, pieces, edge)
    background = _background(photo, alpha)
    return _over(photo, alpha, background, background.filter(ImageFilter.GaussianBlur(radius)))


def replace_background(
    segmentation: Segmentation,
    name: str,
    background: Colour | Image.Image,
    pieces: Pieces,
    edge: float | None,
) -> Image.Image:
    """See `Segmentation.replace_background`."""
    photo = Image.fromarray(photo_of(segmentation, "another background"))
    if isinstance(background, Image.Image):
        new = ImageOps.fit(background.convert("RGB"), photo.size)
    else:
        new = Image.new("RGB", photo.size, _colour(background))
    alpha = soft_mask(segmentation, name, pieces, edge)
    return _over(photo, alpha, _background(photo, alpha), new)


def _over(photo: Image.Image, alpha: Image.Image, old: Image.Image, new: Image.Image) -> Image.Image:
    return Image.composite(_foreground(photo, alpha, old), new, alpha)


def _background(photo: Image.Image, alpha: Image.Image) -> Image.Image:
    """The photo with the colours of what surely is background carried on behind the class."""
    low = alpha.getextrema()[0]
    return extended(photo, alpha.point(_NONE)) if low == 0 else photo.copy()


def _foreground(photo: Image.Image, alpha: Image.Image, background: Image.Image) -> Image.Image:
    """The photo with the colours of what surely is the class carried on to its edge and beyond.

    In between the pixel tells its part too, by as much as belongs to the class (Forte, "Approximate fast
    foreground colour estimation", 2021).
    """
    high = alpha.getextrema()[1]
    known = alpha.point(_WHOLE if high == 255 else [255 * (v == high) for v in range(256)])
    carried = extended(photo, known)
    shares = np.asarray(alpha)
    mixed = np.nonzero((shares > 0) & (shares < 255))
    share = shares[mixed].astype(np.float32)[:, None] / 255
    near = np.asarray(carried)[mixed].astype(np.float32)
    rest = np.asarray(photo)[mixed] - share * near - (1 - share) * np.asarray(background)[mixed]
    result = np.array(carried)
    result[mixed] = np.clip(near + share * rest + 0.5, 0, 255).astype(np.uint8)
    return Image.fromarray(result)


def _colour(value: Colour) -> Colour:
    parts = cast("tuple[object, ...]", tuple(value))
    if len(parts) != 3 or not all(isinstance(v, int) and 0 <= v <= 255 for v in parts):
        raise ConfigError(f"a background is a Pillow picture, or RGB in 0..255, got {value!r}")
    return value
