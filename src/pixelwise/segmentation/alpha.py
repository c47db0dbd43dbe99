"""How much of each pixel belongs to a class: a mask with a soft edge. Knows labels, no photo.

Only a strip along the border is soft. In it the probabilities decide where they were kept: half where the
class and its strongest rival are equal, all or nothing where one of them leads by `_LEAD`. Without them alpha
rises evenly across the strip. Outside of it the labels count, so that a network which is unsure somewhere far
from the border leaves neither holes nor ghosts.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageFilter

from pixelwise.errors import ConfigError
from pixelwise.segmentation.component import Pieces, class_mask
from pixelwise.types import FloatArray, UInt8Array

if TYPE_CHECKING:
    from pixelwise.segmentation.segmentation import Segmentation

_LEAD = 0.5
"""The lead in probability from which on a pixel is taken for sure."""

EDGE_OF_LABELS = 3 / 1000
EDGE_OF_SCORES = 20 / 1000
"""The strip's width where none is given, as a share of the longer side."""


def soft_mask(segmentation: Segmentation, name: str, pieces: Pieces, edge: float | None) -> Image.Image:
    """Alpha in 0..255 of a class as a picture of mode L; arguments and errors as `Segmentation.cutout`."""
    mask = class_mask(segmentation, name, pieces)
    scores = segmentation.probabilities
    longer = max(mask.shape)
    if edge is None:
        edge = max(3.0, EDGE_OF_LABELS * longer) if scores is None else max(8.0, EDGE_OF_SCORES * longer)
    if not (isfinite(edge) and 1 <= edge <= longer):
        raise ConfigError(f"edge is a width in pixels, 1 (hard) to {longer}, got {edge}")
    if scores is None or edge < 2:
        # A window as wide as the strip: the mean is 0 or 1 from half of it on either side.
        return Image.fromarray(mask).filter(ImageFilter.BoxBlur((edge - 1) / 2))
    low, high = _limits(mask, edge)
    alpha = np.asarray(high).copy()
    open_pixels = np.flatnonzero(np.asarray(low) != alpha)
    alpha.ravel()[open_pixels] = _by_lead(scores, segmentation.classes.id_of(name), open_pixels)
    return ImageChops.lighter(ImageChops.darker(Image.fromarray(alpha), high), low)


def _limits(mask: UInt8Array, edge: float) -> tuple[Image.Image, Image.Image]:
    """The least and the greatest alpha: 0 and 255 at the border, equal from half of `edge` on either side.

    They are widened masks, so that what is thinner than the strip stays.
    """
    reach = max(1, round(edge / 4))
    inverse = np.invert(mask)
    high, low = (
        Image.fromarray(_widened(each, reach)).filter(ImageFilter.BoxBlur(reach)) for each in (mask, inverse)
    )
    return ImageChops.invert(low), high


def _widened(mask: UInt8Array, reach: int) -> UInt8Array:
    """The greatest value within `reach` rows and columns; twice the reach takes one step more."""
    for axis in (0, 1):
        mask = np.swapaxes(mask, 0, axis)
        done = 0
        while done < reach:
            step = min(reach - done, 2 * done + 1)
            wider = mask.copy()
            if step < len(mask):
                np.maximum(wider[step:], mask[:-step], out=wider[step:])
                np.maximum(wider[:-step], mask[step:], out=wider[:-step])
            mask, done = wider, done + step
        mask = np.swapaxes(mask, 0, axis)
    return np.ascontiguousarray(mask)


def _by_lead(scores: FloatArray, wanted: int, pixels: npt.NDArray[np.int64]) -> UInt8Array:
    """Alpha of these pixels by how far the class leads its strongest rival."""
    flat = np.reshape(scores, (len(scores), -1))
    own = flat[wanted][pixels]
    rival = np.zeros_like(own)
    for other in range(len(flat)):
        if other != wanted:
            np.maximum(rival, flat[other][pixels], out=rival)
    share = np.clip(0.5 + (own - rival) * np.float32(0.5 / _LEAD), 0, 1)
    return (share * 255 + 0.5).astype(np.uint8)
