"""How much thumbnails resemble each other: 1 for one photo, about 0 for two. NumPy only.

What is compared is detail: how much lighter or darker each place is than its surroundings, so that neither
brightness nor gamma nor a common sky counts. Strong details are weighed down: the frame of a letterbox, the
black around a round image and a printed date are the strongest details of a picture and say nothing about it.
A photo that was cropped by up to 5% a side is laid over the other by cropping that one too.
Knows thumbnails, and neither names nor splits.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from pixelwise.check.likeness import SIDE
from pixelwise.check.rows import Rows, blocks

Floats = npt.NDArray[np.float32]
Thumbnails = npt.NDArray[np.uint8]

CROPS = (0.015, 0.03, 0.04, 0.05)
"""Shares of the side that are tried; between two of them the details still lie over each other."""

_SURROUNDINGS = 2.0  # standard deviation of the window that detail is measured against, of 32 places
_FAINT = 1.0  # grey values: detail below is noise of JPEG
_LEAST_DETAIL = 1.0  # grey values, root mean square; the faintest of 2,300 photos has 9.7
_LEAST_PLACES = 200  # of 1024 that carry detail; photos have 400 to 600, a date on black has 100
_ROWS = 512


def is_comparable(thumbnails: Rows) -> npt.NDArray[np.bool_]:
    """`(n,)` whether each of `(n, 32, 32)` holds enough to be known by: it is not black, or one line."""
    found = np.zeros(len(thumbnails), np.bool_)
    for places in blocks(len(thumbnails), _ROWS):
        seen = thumbnails[places]
        strength = np.sqrt(np.square(_detail(seen.astype(np.float32))).mean((1, 2)))
        unit = details(seen)
        spread = 1 / np.maximum(np.square(np.square(unit)).sum(1), 1 / SIDE**2)
        found[places] = (strength >= _LEAST_DETAIL) & (spread >= _LEAST_PLACES)
    return found


def details(thumbnails: Thumbnails, *, crop: float = 0.0, mirrored: bool = False) -> Floats:
    """`(n, 1024)` details of `(n, 32, 32)`, of mean 0 and length 1: their product is the resemblance.

    Args:
        thumbnails: Any number; takes 12 kB of memory for each.
        crop: Share of the side that is cut off on each side first, in 0..0.5.
        mirrored: Left and right are exchanged first.
    """
    grey: Floats = thumbnails.astype(np.float32)
    if mirrored:
        grey = grey[:, :, ::-1]
    if crop:
        grey = both_ways(cropping(crop), grey)
    plain = np.reshape(_detail(grey), (len(grey), SIDE * SIDE))
    size = np.abs(plain)
    soft = plain / (size + 2 * np.median(size, axis=1, keepdims=True) + _FAINT)
    soft -= soft.mean(axis=1, keepdims=True)
    return soft / np.maximum(np.linalg.norm(soft, axis=1, keepdims=True), 1e-6)


def resemblance(a: Thumbnails, b: Thumbnails, *, mirrored: bool = False) -> Floats:
    """`(n,)` resemblance of each of `a` `(n, 32, 32)` to its partner in `b`, in -1..1, both as they are."""
    return np.einsum("np,np->n", details(a, mirrored=mirrored), details(b), optimize=True).astype(np.float32)


def resemblance_cropped(a: Thumbnails, b: Thumbnails, *, mirrored: bool = False) -> Floats:
    """The largest `resemblance` when either of the two is cropped by one of `CROPS` on each side."""
    whole_a, whole_b = details(a, mirrored=mirrored), details(b)
    best = np.full(len(a), -1, np.float32)
    for crop in CROPS:
        np.maximum(best, (details(a, crop=crop, mirrored=mirrored) * whole_b).sum(1), out=best)
        np.maximum(best, (details(b, crop=crop) * whole_a).sum(1), out=best)
    return best


@lru_cache(maxsize=16)
def cropping(crop: float) -> Floats:
    """`(32, 32)` matrix that stretches what is left of a row after the crop to the row's length, linearly."""
    places = (crop + (np.arange(SIDE) + 0.5) / SIDE * (1 - 2 * crop)) * SIDE - 0.5
    return np.maximum(0, 1 - np.abs(places[:, None] - np.arange(SIDE))).astype(np.float32)


def both_ways(matrix: Floats, grey: Floats) -> Floats:
    """Rows and columns of `(n, 32, 32)` multiplied by `(32, 32)`."""
    return (matrix @ grey @ np.transpose(matrix)).astype(np.float32, copy=False)


def _detail(grey: Floats) -> Floats:
    return grey - both_ways(_blur(), grey)


@lru_cache(maxsize=1)
def _blur() -> Floats:
    """`(32, 32)` matrix that averages a row over each place's surroundings; less of them at the ends."""
    apart = np.arange(SIDE)[:, None] - np.arange(SIDE)
    weights = np.exp(-np.square(apart) / (2 * _SURROUNDINGS**2))
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)
