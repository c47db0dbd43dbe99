"""The directions of edges in pictures and label maps, on 128x128 cells, found in both in the same way.

A direction is a complex number at the doubled angle of the edge's normal, so that an edge from dark to light
is the same as one from light to dark. Its size is the square root of the edge's strength. Arrays only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from pixelwise.types import IGNORE

Picture = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.uint8]
Real = npt.NDArray[np.floating[Any]]
Directions = npt.NDArray[np.complexfloating[Any, Any]]

CELLS = 128
"""Picture and mask are compared at this height and width."""

_LARGEST_MASK = 4 * CELLS
"""Masks are thinned to this height and width at most: a border is found to a quarter of a cell."""

_BAND = 6
"""Ignored bands of up to twice so many pixels, at that size, are closed: VOC and trimaps have 5 to 7."""

_SHADES: Real = np.log(np.arange(256, dtype=np.float32) + 16)
"""Brightness in relative steps; the darkest 16 are noise."""

_FAINT = 0.02
"""A gradient below 2%, of the brightness or of a cell's labels, counts less than by its root."""


def picture_directions(picture: Picture) -> Directions:
    """Edges of the picture, by relative contrast: shadows have edges too."""
    small = np.asarray(Image.fromarray(picture).resize((CELLS, CELLS), Image.Resampling.BOX))
    return _directions(_SHADES[np.ascontiguousarray(np.moveaxis(small, 2, 0))])


def mask_directions(mask: Mask, bands: Sequence[int]) -> Directions:
    """Edges of the label map, `(128, 128)`; nothing near ignored areas."""
    labels = _thinned(mask)
    if bands:
        kept = np.arange(IGNORE + 1, dtype=np.uint8)
        kept[list(bands)] = IGNORE
        labels = kept[labels]
    labels = _closed(labels)
    present = np.flatnonzero(np.bincount(np.ravel(labels), minlength=IGNORE + 1)[:IGNORE])
    if present.size < 2:
        return np.zeros((CELLS, CELLS), np.complex64)
    # Classes are written to base four, one plane a digit: any two differ in a plane, and 16 need two planes.
    digits = 1 if present.size <= 4 else 2 if present.size <= 16 else 3 if present.size <= 64 else 4
    code = np.zeros(IGNORE + 1, np.uint8)
    code[present] = np.arange(present.size)
    shades = np.array((0, 85, 170, 255) if present.size > 2 else (0, 255), np.uint8)
    planes = np.stack([_squashed(shades[code // 4**digit % shades.size][labels]) for digit in range(digits)])
    found = _directions(planes)
    ignored = labels == IGNORE
    if ignored.any():
        found[_grown(_squashed(ignored.view(np.uint8) * np.uint8(255)) > 0)] = 0
    return found


def _thinned(mask: Mask) -> Mask:
    height, width = (min(side, _LARGEST_MASK) for side in mask.shape)
    if mask.shape == (height, width):
        return mask
    return np.asarray(Image.fromarray(mask).resize((width, height), Image.Resampling.NEAREST))


def _closed(labels: Mask) -> Mask:
    """Grows labels into ignored pixels, from all sides alike: in a band they meet in its middle."""
    rows, columns = np.nonzero(labels == IGNORE)
    if rows.size == 0:
        return labels
    framed = np.pad(labels, 1, constant_values=IGNORE)
    flat, width = np.ravel(framed), framed.shape[1]
    open_ = (rows + 1) * width + columns + 1
    for _ in range(_BAND):
        # 255 is the largest value, so that a label always wins.
        nearest = np.minimum(
            np.minimum(flat[open_ - 1], flat[open_ + 1]), np.minimum(flat[open_ - width], flat[open_ + width])
        )
        flat[open_] = nearest
        open_ = open_[nearest == IGNORE]
    return framed[1:-1, 1:-1]


def _squashed(plane: Mask) -> Real:
    """The mean over each of the 128x128 cells, in 0..1: a line of one pixel is never lost."""
    small = Image.fromarray(plane).resize((CELLS, CELLS), Image.Resampling.BOX)
    return np.asarray(small).astype(np.float32) / np.float32(255)


def _grown(marked: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Marked cells and their eight neighbours."""
    around = np.pad(marked, 1)
    rows = around[:-2] | around[1:-1] | around[2:]
    return rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:]


def _directions(planes: Real) -> Directions:
    """Edges of `(C, 128, 128)`: the root of their strength, at the doubled angle of their normal.

    Where planes, or the neighbourhood, disagree about the direction, less of it is left.
    """
    step_x, step_y = np.zeros_like(planes), np.zeros_like(planes)
    np.subtract(planes[:, :, 2:], planes[:, :, :-2], out=step_x[:, :, 1:-1])
    np.subtract(planes[:, 2:], planes[:, :-2], out=step_y[:, 1:-1])
    step_x, step_y = _along(step_x, 1), _along(step_y, 2)
    square_x, square_y = np.square(step_x).sum(0), np.square(step_y).sum(0)
    fourth = np.sqrt(np.sqrt(np.maximum(square_x + square_y, np.float32(_FAINT**2))))
    real, imaginary = square_x - square_y, 2 * (step_x * step_y).sum(0)
    return ((real + np.complex64(1j) * imaginary) / fourth**3).astype(np.complex64, copy=False)


def _along(steps: Real, axis: int) -> Real:
    """Smoothed along an edge: a quarter, a half, a quarter; the outermost repeat."""
    before: Real = np.roll(steps, 1, axis)
    after: Real = np.roll(steps, -1, axis)
    first, last = (np.s_[:, 0], np.s_[:, -1]) if axis == 1 else (np.s_[:, :, 0], np.s_[:, :, -1])
    before[first], after[last] = steps[first], steps[last]
    return 0.25 * (before + after) + 0.5 * steps
