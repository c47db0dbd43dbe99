"""Pictures in small, beside what their masks say: examples on a page. Arrays in, the bytes of a JPEG out.

Knows no finding and no page.
"""

from __future__ import annotations

import io
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from pixelwise import drawing
from pixelwise.types import IGNORE, Classes, UInt8Array

PANEL = (160, 178)
"""Height and width that one panel has at most; two and the gap between them are 360 pixels wide."""

_GAP, _GAP_COLOUR = 4, (128, 128, 128)
_FINER = 4
"""Classes are drawn so many times larger, and then averaged, so that thin ones leave a trace."""

_HATCH = 6
"""Pixels between the stripes over what is ignored."""

_MOST_COLOURS = 24
"""Values up to which a raw mask has a colour for each; more are shades of grey."""

_DARK = 64
"""A colour mask without a channel this high looks black, and is brightened."""

_AT_ONCE = 1 << 20
"""Pixels of a mask whose values are counted at a time."""

_QUALITY = 80

Pixel = TypeVar("Pixel", bound=np.generic)
RawMask = npt.NDArray[np.uint8 | np.uint16]


def picture_thumbnail(image: UInt8Array) -> bytes:
    """The picture `(H, W, 3) uint8` alone; as `thumbnail`."""
    return _jpeg([_picture(image)])


def thumbnail(image: UInt8Array, mask: UInt8Array, classes: Classes) -> bytes:
    """The picture, and beside it the same under the colours of its classes; ignored pixels are striped.

    Args:
        image: `(H, W, 3) uint8` RGB.
        mask: `(H, W) uint8` train ids of the same size.
        classes: What the ids mean; an id beyond them is black.

    Returns:
        A JPEG of at most 160x360 pixels (height, width).
    """
    if mask.shape != image.shape[:2]:
        raise ValueError(f"the picture is {image.shape[:2]} but its mask {mask.shape}")
    return _jpeg([_picture(image), _overlay(image, mask, classes)])


def pair_thumbnail(
    one: tuple[UInt8Array, UInt8Array], other: tuple[UInt8Array, UInt8Array], classes: Classes
) -> bytes:
    """Two samples beside each other, each under the colours of its classes; as `thumbnail`.

    Args:
        one: Picture `(H, W, 3) uint8` and mask `(H, W) uint8`.
        other: Likewise, perhaps of another size.
        classes: What the ids mean.
    """
    return _jpeg([_overlay(*one, classes), _overlay(*other, classes)])


def raw_thumbnail(raw: RawMask, *, image: UInt8Array | None = None) -> bytes:
    """A mask whose values have no class, so that they can be told apart, beside its picture if given.

    Up to 24 values have a colour each, and where they lie close together the rarest is seen: a few stray
    pixels are not lost. More values are shades of grey, in their order. Colours stay as they are, but are
    brightened where all are nearly black.

    Args:
        raw: `(H, W)` uint8 or uint16, or `(H, W, 3) uint8`.
        image: `(H, W, 3) uint8` RGB, perhaps of another size.

    Returns:
        As `thumbnail`.
    """
    panels = [] if image is None else [_picture(image)]
    return _jpeg([*panels, _coloured(raw)])


def _picture(image: UInt8Array) -> Image.Image:
    return _fitted(_thinned(image), image.shape[:2])


def _overlay(image: UInt8Array, mask: UInt8Array, classes: Classes) -> Image.Image:
    drawn = drawing.blend(_thinned(image), _thinned(mask), classes.colours)
    panel = np.array(_fitted(drawn, mask.shape))
    ignored = mask[np.ix_(*_starts(mask.shape))] == IGNORE
    y, x = np.mgrid[: panel.shape[0], : panel.shape[1]]
    panel[ignored & ((x + y) % _HATCH < 2)] = drawing.IGNORE_COLOUR
    return Image.fromarray(panel)


def _coloured(raw: RawMask) -> Image.Image:
    if raw.ndim == 3:
        highest = int(raw.max())
        factor = 255 / highest if 0 < highest < _DARK else 1.0
        return _fitted((_thinned(raw) * np.float32(factor)).astype(np.uint8), raw.shape)
    counts = _counts(raw)
    values = np.flatnonzero(counts)
    if len(values) <= _MOST_COLOURS:
        return _rarest(raw, values, counts[values])
    shades = np.zeros(len(counts), np.uint8)
    shades[values] = np.linspace(0, 255, len(values)).astype(np.uint8)
    return _fitted(np.repeat(shades[_thinned(raw)][..., None], 3, axis=2), raw.shape)


def _counts(raw: RawMask) -> npt.NDArray[np.intp]:
    """Pixels of each value, some rows at a time: NumPy makes 8 bytes of each value that it counts."""
    counts = np.zeros(int(np.iinfo(raw.dtype).max) + 1, np.intp)
    rows = max(1, _AT_ONCE // raw.shape[1])
    for top in range(0, raw.shape[0], rows):
        counts += np.bincount(raw[top : top + rows].ravel(), minlength=len(counts))
    return counts


def _rarest(raw: RawMask, values: npt.NDArray[np.intp], counts: npt.NDArray[np.intp]) -> Image.Image:
    """Each value in a colour of its own; of those that fall on one pixel, the rarest."""
    # Places in the order of frequency, so that the rarest of a block is its largest. The colours go by the
    # order of the values, so that two masks of the same values look alike.
    order = np.argsort(-counts, kind="stable")
    places = np.zeros(int(values[-1]) + 1, np.uint8)
    places[values[order]] = np.arange(len(values))
    tops, lefts = _starts(raw.shape)
    bottoms = np.maximum(np.append(tops[1:], raw.shape[0]), tops + 1)
    rows = [np.take(places, raw[a:b]).max(axis=0) for a, b in zip(tops, bottoms, strict=True)]
    found = np.maximum.reduceat(np.stack(rows), lefts, axis=1)
    colours = drawing.default_colours(len(values))
    return Image.fromarray(drawing.colourise(found, [colours[place] for place in order]))


def _starts(shape: tuple[int, ...]) -> list[npt.NDArray[np.intp]]:
    """The first row and column of the mask that falls on each row and column of the panel."""
    return [np.arange(small) * large // small for small, large in zip(_fit(shape), shape, strict=False)]


def _thinned(array: npt.NDArray[Pixel]) -> npt.NDArray[Pixel]:
    """Every n-th row and column, so that a giant picture costs no more than a photo; a view."""
    step = _step(array.shape)
    return array[::step, ::step]


def _step(shape: tuple[int, ...]) -> int:
    height, width = _fit(shape[:2])
    return max(1, min(shape[0] // (_FINER * height), shape[1] // (_FINER * width)))


def _fit(shape: tuple[int, ...]) -> tuple[int, int]:
    scale = min(PANEL[0] / shape[0], PANEL[1] / shape[1])
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def _fitted(array: UInt8Array, shape: tuple[int, ...]) -> Image.Image:
    """Resized to what `shape` gives; small pictures are enlarged, their pixels staying squares."""
    height, width = _fit(shape)
    larger = height > shape[0]
    method = Image.Resampling.NEAREST if larger else Image.Resampling.BOX
    return Image.fromarray(np.ascontiguousarray(array)).resize((width, height), method)


def _jpeg(panels: list[Image.Image]) -> bytes:
    """The panels side by side, of one height."""
    height = min(panel.height for panel in panels)
    level = [_at_height(panel, height) for panel in panels]
    sheet = Image.new("RGB", (sum(panel.width + _GAP for panel in level) - _GAP, height), _GAP_COLOUR)
    left = 0
    for panel in level:
        sheet.paste(panel, (left, 0))
        left += panel.width + _GAP
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=_QUALITY, subsampling=0)  # whole colours: borders stay sharp
    return buffer.getvalue()


def _at_height(panel: Image.Image, height: int) -> Image.Image:
    if panel.height == height:
        return panel
    width = max(1, round(panel.width * height / panel.height))
    return panel.resize((width, height), Image.Resampling.BOX)
