"""Class probabilities at the network's size, brought to the photo's size and decided there.

Pure NumPy and Pillow. Works in horizontal strips, so that 150 classes on a 24-megapixel photo need a strip of
memory and not 14 GB. Knows neither networks nor files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from pixelwise.errors import ConfigError
from pixelwise.types import size_text

UInt8Array = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]
Value = TypeVar("Value", bound=np.generic)

STRIP_ELEMENTS = 1 << 23
"""Probabilities held at once, classes times rows times columns: 32 MiB."""

MOST_BYTES = 4 << 30
"""Of one picture's probabilities at its own size."""

_MOST_DISPUTED = 0.25
"""Share of pixels on borders beyond which it is quicker to interpolate all."""

_DISPUTED = 255
"""Marks a pixel on a border until it is decided; ids of classes are below."""


def decide(
    probabilities: FloatArray,
    size: tuple[int, int],
    *,
    confidence: bool = True,
    strip_elements: int = STRIP_ELEMENTS,
) -> tuple[UInt8Array, FloatArray | None]:
    """The class of each pixel at another size, and its probability.

    Where a picture grows, most pixels lie among four of the small map that one class wins. It then wins
    between them too, since a weighted mean keeps the order; so all classes are interpolated along borders
    alone.

    Args:
        probabilities: `(K, h, w) float32`, over K summing to one.
        size: `(H, W)` of the answer.
        confidence: Whether the winners' probabilities are wanted.
        strip_elements: How many interpolated values may be held at once.

    Returns:
        Labels `(H, W) uint8` (the lowest id where two classes tie) and confidence `(H, W) float32` in 0..1.
    """
    _, h, w = probabilities.shape
    small, best = np.empty((h, w), np.uint8), np.empty((h, w), np.float32)
    _winners(probabilities, small, best)
    if (h, w) == size:
        return small, (best if confidence else None)
    if size[0] < h or size[1] < w:
        return _decide_everywhere(probabilities, size, confidence, strip_elements)
    rows, columns = _taps(h, size[0]), _taps(w, size[1])
    small[_disputed(small)] = _DISPUTED
    labels = _at(small, rows, columns)
    disputed = np.flatnonzero(labels == _DISPUTED)
    if disputed.size > _MOST_DISPUTED * size[0] * size[1]:
        return _decide_everywhere(probabilities, size, confidence, strip_elements)
    certain = enlarge(best[None], size)[0] if confidence else None
    step = max(1, strip_elements // len(probabilities))
    for start in range(0, disputed.size, step):
        pixels = disputed[start : start + step]
        scores = _interpolated(probabilities, rows, columns, pixels)
        winner, score = np.empty(pixels.size, np.uint8), np.empty(pixels.size, np.float32)
        _winners(scores, winner, score)
        labels.reshape(-1)[pixels] = winner
        if certain is not None:
            certain.reshape(-1)[pixels] = score
    return labels, certain


def _decide_everywhere(
    probabilities: FloatArray, size: tuple[int, int], confidence: bool, strip_elements: int
) -> tuple[UInt8Array, FloatArray | None]:
    """`decide` with every class interpolated at every pixel, for maps that shrink or are all borders."""
    labels, best = np.empty(size, np.uint8), np.empty(size, np.float32)
    for top, strip in _strips(probabilities, size, strip_elements):
        rows = slice(top, top + strip.shape[1])
        _winners(strip, labels[rows], best[rows])
    return labels, (best if confidence else None)


@dataclass(frozen=True)
class _Taps:
    """For each output row or column the two of the small map that it lies between: `(n,)` arrays.

    Attributes:
        low: The one before; the first where there is none.
        high: The one after; the last where there is none.
        share: Of `high` in the mean, `float32` in 0..1.
    """

    low: npt.NDArray[np.intp]
    high: npt.NDArray[np.intp]
    share: FloatArray


def _taps(old: int, new: int) -> _Taps:
    """Of a bilinear resize that does not shrink, pixel centres aligned."""
    place = (np.arange(new) + 0.5) * (old / new) - 0.5
    before = np.floor(place).astype(np.intp)
    share = (place - before).astype(np.float32)
    return _Taps(np.maximum(before, 0), np.minimum(before + 1, old - 1), share)


def _at(small: npt.NDArray[Value], rows: _Taps, columns: _Taps) -> npt.NDArray[Value]:
    """The value `(H, W)` of the small map before each output pixel, up and to the left."""
    return np.take(np.take(small, rows.low, axis=0), columns.low, axis=1)


def _disputed(labels: UInt8Array) -> npt.NDArray[np.bool_]:
    """Where a pixel `(h, w)` and its neighbours to the right, below and between are not of one class."""
    disputed = np.zeros(labels.shape, np.bool_)
    disputed[:-1] = labels[:-1] != labels[1:]
    aside = labels[:, :-1] != labels[:, 1:]
    disputed[:, :-1] |= aside
    disputed[:-1, :-1] |= aside[1:]
    return disputed


def _interpolated(
    probabilities: FloatArray, rows: _Taps, columns: _Taps, pixels: npt.NDArray[np.intp]
) -> FloatArray:
    """All classes `(K, n)` at output pixels, counted row by row."""
    y, x = np.divmod(pixels, columns.low.size)
    flat, width = probabilities.reshape(len(probabilities), -1), probabilities.shape[2]
    left, right, share = columns.low[x], columns.high[x], columns.share[x]

    def across(row: npt.NDArray[np.intp]) -> FloatArray:
        before = np.take(flat, row * width + left, axis=1)
        after = np.take(flat, row * width + right, axis=1)
        return before + (after - before) * share

    upper, lower = across(rows.low[y]), across(rows.high[y])
    upper += (lower - upper) * rows.share[y]
    return upper


def _winners(scores: FloatArray, labels: UInt8Array, best: FloatArray) -> None:
    """Writes the class with the largest score of each pixel, the lowest id of equal ones, and that score.

    Plane by plane and without a branch, which processors do many pixels at a time: 10 to 30 times as fast as
    NumPy's argmax over the first axis.
    """
    best[...] = scores[0]
    labels[...] = 0
    for number in range(1, len(scores)):
        better = scores[number] > best
        np.maximum(best, scores[number], out=best)
        # Ids only grow, so the last that was better is the largest.
        np.maximum(labels, better.view(np.uint8) * np.uint8(number), out=labels)


def check_room(num_classes: int, size: tuple[int, int]) -> None:
    """Refuses to hold all K probabilities of a picture's pixels where that takes too much memory.

    Raises:
        ConfigError: It would take more than 4 GiB.
    """
    needed = 4 * num_classes * size[0] * size[1]
    if needed > MOST_BYTES:
        raise ConfigError(
            f"the probabilities of {num_classes} classes at {size_text(size)} take {needed / 1e9:.0f} GB: "
            "go without --probabilities and --cutout"
        )


def enlarge(probabilities: FloatArray, size: tuple[int, int]) -> FloatArray:
    """All probabilities at another size: `(K, h, w)` to `(K, H, W)`, still summing to one over K."""
    result = np.empty((probabilities.shape[0], *size), np.float32)
    for top, strip in _strips(probabilities, size, STRIP_ELEMENTS):
        result[:, top : top + strip.shape[1]] = strip
    return result


def _strips(
    probabilities: FloatArray, size: tuple[int, int], strip_elements: int
) -> Iterator[tuple[int, FloatArray]]:
    """`(top row, (K, rows, W))` of the bilinear resize, pixel centres aligned, smoothed where it shrinks."""
    count, h, w = probabilities.shape
    height, width = size
    rows = max(1, strip_elements // (count * width))
    planes = [Image.fromarray(np.ascontiguousarray(plane)) for plane in probabilities]  # mode F
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        if (h, w) == size:
            yield top, probabilities[:, top:bottom]
            continue
        # Pillow's box is a window into the same resize: neighbours beyond it still count, so strips leave no
        # seam.
        box = (0, top * h / height, w, min(h, bottom * h / height))
        target = (width, bottom - top)
        yield top, np.stack([np.asarray(p.resize(target, Image.Resampling.BILINEAR, box)) for p in planes])
