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

import numpy as np

from pixelwise.check.directions import (
    CELLS,
    Directions,
    Mask,
    Picture,
    Real,
    mask_directions,
    picture_directions,
)
from pixelwise.errors import DataError
from pixelwise.types import Classes

FARTHEST = CELLS // 4
"""Moves of up to so many cells are looked for: a quarter of the picture each way."""

_FEWEST_BORDER_CELLS = 16
"""A shorter border tells nothing: 16 cells are an object of 4x4."""

_BAND_NAMES = frozenset({"border", "boundary", "contour", "outline"})


@dataclass(frozen=True)
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
    borders = mask_directions(mask, bands)
    length = float(np.abs(borders).sum())
    if length < _FEWEST_BORDER_CELLS:
        return None
    edges = picture_directions(picture)
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


def _damped(directions: Directions, *, roots: int) -> Directions:
    """The spectrum, each frequency divided by the square root of its size, or by the root of the root."""
    spectrum = np.fft.fft2(directions)
    size = np.abs(spectrum)
    size = np.maximum(size, size.max() * np.float32(1e-6))
    for _ in range(roots):
        size = np.sqrt(size)
    return spectrum / size
