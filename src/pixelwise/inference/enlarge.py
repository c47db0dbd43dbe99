"""Class probabilities at the network's size, brought to the photo's size and decided there.

Pure NumPy and Pillow. Works in horizontal strips, so that 150 classes on a 24-megapixel photo need a strip of
memory and not 14 GB. Knows neither networks nor files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from pixelwise.errors import ConfigError
from pixelwise.inference.bilinear import Taps, interpolated, taps, values_before, winners
from pixelwise.inference.coarse import CoarseLogits
from pixelwise.types import size_text

UInt8Array = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]

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
    winners(probabilities, small, best)
    if (h, w) == size:
        return small, (best if confidence else None)
    borders = _Borders.of(small, size)
    if borders is None:
        return _decide_everywhere(probabilities, size, confidence, strip_elements)
    certain = enlarge(best[None], size)[0] if confidence else None
    places = np.arange(h * w).reshape(h, w)
    borders.decide(probabilities.reshape(len(probabilities), -1), places, certain, strip_elements)
    return borders.labels, certain


def decide_labels(
    coarse: CoarseLogits, size: tuple[int, int], *, strip_elements: int = STRIP_ELEMENTS
) -> UInt8Array:
    """The labels of `decide` for a network's probabilities, of which only those along borders are computed.

    Args:
        coarse: What the network says.
        size: `(H, W)` of the answer.
        strip_elements: How many interpolated values may be held at once.

    Returns:
        `(H, W) uint8`; where two classes are within rounding of each other either may win.
    """
    small = coarse.labels()
    if small.shape == size:
        return small
    borders = _Borders.of(small, size)
    if borders is None:
        return decide(coarse.probabilities(), size, confidence=False, strip_elements=strip_elements)[0]
    known = borders.known
    places = np.cumsum(known).reshape(known.shape) - 1
    borders.decide(coarse.probabilities_at(known), places, None, strip_elements)
    return borders.labels


@dataclass(frozen=True, eq=False)
class _Borders:
    """The pixels of an enlarged label map that have to be interpolated, since they lie between classes.

    Attributes:
        labels: `(H, W)`, of the other pixels.
        pixels: `(n,)`, which they are, counted row by row.
        known: `(h, w)`, which pixels of the small map they lie between.
        rows: Of the enlarged map.
        columns: Of it.
    """

    labels: UInt8Array
    pixels: npt.NDArray[np.intp]
    known: npt.NDArray[np.bool_]
    rows: Taps
    columns: Taps

    @classmethod
    def of(cls, small: UInt8Array, size: tuple[int, int]) -> _Borders | None:
        """For the winners of a small map; None where it shrinks, or is borders for the most part."""
        h, w = small.shape
        if size[0] < h or size[1] < w:
            return None
        rows, columns = taps(h, size[0]), taps(w, size[1])
        disputed = _disputed(small)
        labels = values_before(np.where(disputed, np.uint8(_DISPUTED), small), rows, columns)
        pixels = np.flatnonzero(labels == _DISPUTED)
        if pixels.size > _MOST_DISPUTED * size[0] * size[1]:
            return None
        known = disputed.copy()
        known[1:] |= disputed[:-1]
        known[:, 1:] |= known[:, :-1].copy()
        return cls(labels, pixels, known, rows, columns)

    def decide(
        self,
        values: FloatArray,
        places: npt.NDArray[np.intp],
        certain: FloatArray | None,
        strip_elements: int,
    ) -> None:
        """Writes the class of each of these pixels, and into `certain` its score.

        Args:
            values: `(K, m)`, scores at pixels of the small map, all those that are `known` among them.
            places: `(h, w)`, which of them a pixel of the small map is.
            certain: `(H, W)`.
            strip_elements: How many interpolated values may be held at once.
        """
        step = max(1, strip_elements // len(values))
        for start in range(0, self.pixels.size, step):
            pixels = self.pixels[start : start + step]
            scores = interpolated(values, places, self.rows, self.columns, pixels)
            winner, score = np.empty(pixels.size, np.uint8), np.empty(pixels.size, np.float32)
            winners(scores, winner, score)
            self.labels.reshape(-1)[pixels] = winner
            if certain is not None:
                certain.reshape(-1)[pixels] = score


def _decide_everywhere(
    probabilities: FloatArray, size: tuple[int, int], confidence: bool, strip_elements: int
) -> tuple[UInt8Array, FloatArray | None]:
    """`decide` with every class interpolated at every pixel, for maps that shrink or are all borders."""
    labels, best = np.empty(size, np.uint8), np.empty(size, np.float32)
    for top, strip in _strips(probabilities, size, strip_elements):
        rows = slice(top, top + strip.shape[1])
        winners(strip, labels[rows], best[rows])
    return labels, (best if confidence else None)


def _disputed(labels: UInt8Array) -> npt.NDArray[np.bool_]:
    """Where a pixel `(h, w)` and its neighbours to the right, below and between are not of one class."""
    disputed = np.zeros(labels.shape, np.bool_)
    disputed[:-1] = labels[:-1] != labels[1:]
    aside = labels[:, :-1] != labels[:, 1:]
    disputed[:, :-1] |= aside
    disputed[:-1, :-1] |= aside[1:]
    return disputed


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
