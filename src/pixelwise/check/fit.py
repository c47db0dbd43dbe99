"""How well the borders of a mask lie on the edges of its picture, as a few numbers for each sample.

Picture and mask are squashed to 128x128 cells, and edges are found in both in the same way: as directions,
with a doubled angle, so that an edge from dark to light is the same as one from light to dark. Where a label
border has the direction of the picture's edge under it, that counts for the mask; where it runs across,
against. Where mask and picture know nothing of each other, the sum over all cells is nought but for chance.
So it is given in units of what it is at all the other places that the mask could be moved to, in standard
deviations. That null is the picture's own: of a picture full of edges more is asked.

Fences and brick walls would make any mask fit here and there. So before the comparison frequencies that are
strong are damped, in the picture by the root of their size, in the mask by its fourth root (phase correlation
would divide by all of it). Strong edges count by the square root of their contrast.

Arrays only. Knows no file, no class and no other sample: what number is too low is for the rule to say, which
sees the set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from pixelwise.errors import DataError
from pixelwise.types import IGNORE, Classes

CELLS = 128
"""Picture and mask are compared at this height and width."""

FARTHEST = CELLS // 4
"""Moves of up to so many cells are looked for: a quarter of the picture each way."""

_FEWEST_BORDER_CELLS = 16
"""A shorter border tells nothing: 16 cells are an object of 4x4."""

_LARGEST_MASK = 4 * CELLS
"""Masks are thinned to this height and width at most: a border is found to a quarter of a cell."""

_BAND = 6
"""Ignored bands of up to twice so many pixels, at that size, are closed: VOC and trimaps have 5 to 7."""

_BAND_NAMES = frozenset({"border", "boundary", "contour", "outline"})

Picture = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.uint8]
Real = npt.NDArray[np.floating[Any]]
Directions = npt.NDArray[np.complexfloating[Any, Any]]

_SHADES: Real = np.log(np.arange(256, dtype=np.float32) + 16)
"""Brightness in relative steps; the darkest 16 are noise."""

_FAINT = 0.02
"""A gradient below 2%, of the brightness or of a cell's labels, counts less than by its root."""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """How well one mask fits its picture: plain numbers, which go into JSON as they are.

    Every fit is in standard deviations of what chance gives: about 0 for the mask of another picture, 5 to 30
    for the right one where the objects have edges.

    Attributes:
        border: Length of the label borders in cells of 1/128 of the picture.
        here: The fit of the mask as it is.
        moved: The best fit of the mask moved by up to a quarter of the picture; never below `here`.
        down: By how many cells the mask would have to be moved down for it; negative is up.
        right: By how many cells to the right; negative is left.
        left_right: The fit of the mask mirrored left to right.
        up_down: Mirrored upside down.
        half_turn: Turned by 180 degrees.
        transposed: With rows and columns exchanged.
        quarter_left: Turned by 90 degrees to the left (counter-clockwise).
        quarter_right: Turned by 90 degrees to the right (clockwise).
    """

    border: float
    here: float
    moved: float
    down: float
    right: float
    left_right: float
    up_down: float
    half_turn: float
    transposed: float
    quarter_left: float
    quarter_right: float


def fit_of(picture: Picture, mask: Mask, *, bands: Sequence[int] = ()) -> Fit | None:
    """How well the label borders lie on the picture's edges; the same arrays always give the same numbers.

    Args:
        picture: `(h, w, 3) uint8` RGB of any size from 128x128 on; about 256x256 is best, for speed.
        mask: Train ids, `(H, W) uint8`, at its own size; 255 = ignored. Narrow ignored bands are closed from
            both sides, the borders of larger ignored areas count for nothing.
        bands: Train ids that are drawn as a band on the border between others, as the "border" of trimaps;
            they are taken as ignored. See `bands_of`.

    Returns:
        The fit; None where there is next to no border, or the picture has no edge.

    Raises:
        DataError: Not such arrays.
    """
    _check(picture, mask)
    borders = _mask_directions(mask, bands)
    length = float(np.abs(borders).sum())
    if length < _FEWEST_BORDER_CELLS:
        return None
    edges = _picture_directions(picture)
    if not edges.any():
        return None
    seen, drawn = _damped(edges, roots=1), _damped(borders, roots=2)
    everywhere: Real = np.fft.ifft2(seen * np.conj(drawn)).real
    spread = float(np.sqrt(np.mean(np.square(everywhere))))
    if spread == 0:
        return None
    return _numbers(everywhere / np.float32(spread), seen, drawn, spread=spread, border=length)


def bands_of(classes: Classes) -> tuple[int, ...]:
    """The train ids whose name says that they are a band on borders: 2 of pet, background, border."""
    return tuple(index for index, name in enumerate(classes.names) if name.strip().lower() in _BAND_NAMES)


def _check(picture: Picture, mask: Mask) -> None:
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise DataError(f"a picture must be (H, W, 3) uint8, got {picture.shape} {picture.dtype}")
    if min(picture.shape[:2]) < CELLS:
        raise DataError(f"a picture must be at least {CELLS}x{CELLS} here, got {picture.shape}; enlarge it")
    if mask.ndim != 2 or mask.dtype != np.uint8 or mask.size == 0:
        raise DataError(f"a mask must be (H, W) uint8 train ids, got {mask.shape} {mask.dtype}")


def _numbers(fits: Real, seen: Directions, drawn: Directions, *, spread: float, border: float) -> Fit:
    """The record, from the fits at all moves `(128, 128)` and the two damped spectra."""
    moved, down, right = _best_move(fits)
    edges: Directions = np.fft.ifft2(seen) / np.float32(spread)
    lines: Directions = np.fft.ifft2(drawn)

    def fit(other: Directions) -> float:
        return round(float(np.vdot(other, edges).real), 2)

    # Mirroring turns directions too: a doubled angle becomes its negative. Exchanging x and y also turns it
    # by 180 degrees, as does a quarter turn.
    crossed = -np.conj(np.transpose(lines))
    return Fit(
        border=round(border, 1),
        here=round(float(fits[0, 0]), 2),
        moved=round(moved, 2),
        down=round(down, 2),
        right=round(right, 2),
        left_right=fit(np.conj(lines[:, ::-1])),
        up_down=fit(np.conj(lines[::-1])),
        half_turn=fit(lines[::-1, ::-1]),
        transposed=fit(crossed),
        quarter_left=fit(np.conj(crossed[::-1])),
        quarter_right=fit(np.conj(crossed[:, ::-1])),
    )


def _best_move(fits: Real) -> tuple[float, float, float]:
    """The best fit of moves within reach, and its place in cells down and right, by a parabola."""
    near = np.arange(-FARTHEST, FARTHEST + 1)
    window = fits[np.ix_(near, near)]
    row, column = divmod(int(window.argmax()), near.size)
    down, right = int(near[row]), int(near[column])
    top = float(window[row, column])
    above, below = fits[(down - 1) % CELLS, right], fits[(down + 1) % CELLS, right]
    left, after = fits[down, (right - 1) % CELLS], fits[down, (right + 1) % CELLS]
    return top, down + _vertex(above, top, below), right + _vertex(left, top, after)


def _vertex(before: float, top: float, after: float) -> float:
    """Where the parabola through three values at -1, 0 and 1 is highest, within half a step."""
    bend = float(before) - 2 * top + float(after)
    return 0.0 if bend >= 0 else min(0.5, max(-0.5, (float(before) - float(after)) / (2 * bend)))


def _picture_directions(picture: Picture) -> Directions:
    """Edges of the picture, by relative contrast: shadows have edges too."""
    small = np.asarray(Image.fromarray(picture).resize((CELLS, CELLS), Image.Resampling.BOX))
    return _directions(_SHADES[np.ascontiguousarray(np.moveaxis(small, 2, 0))])


def _mask_directions(mask: Mask, bands: Sequence[int]) -> Directions:
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
    smooth: Real = np.float32(0.25) * (before + after) + np.float32(0.5) * steps
    return smooth


def _damped(directions: Directions, *, roots: int) -> Directions:
    """The spectrum, each frequency divided by the square root of its size, or by the root of the root."""
    spectrum = np.fft.fft2(directions)
    size = np.abs(spectrum)
    size = np.maximum(size, size.max() * np.float32(1e-6))
    for _ in range(roots):
        size = np.sqrt(size)
    return spectrum / size
