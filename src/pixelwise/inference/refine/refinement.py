"""What every refinement answers, and the mask that follows from it.

Knows neither networks nor files, and no one way of refining.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from pixelwise.errors import DataError
from pixelwise.inference.enlarge import decide

UInt8Array = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]


class Refinement(Protocol):
    """Moves the borders of classes to the edges of the photo."""

    def refine(self, probabilities: FloatArray, image: UInt8Array) -> FloatArray:
        """All probabilities at the photo's size.

        Args:
            probabilities: `(K, h, w) float32` in 0..1, over K summing to one, of the whole photo at any size.
            image: The photo, `(H, W, 3) uint8` RGB.

        Returns:
            `(K, H, W) float32` in 0..1, over K summing to one.
        """
        ...

    def strips(self, probabilities: FloatArray, image: UInt8Array) -> Iterator[tuple[int, FloatArray]]:
        """The same from top to bottom as `(top row, (K, rows, W))`: a large photo's need not be held at once.

        A strip is good until the next is asked for.
        """
        ...


def refined(refinement: Refinement, probabilities: FloatArray, image: UInt8Array) -> FloatArray:
    """All strips of a refinement in one array `(K, H, W)`."""
    result = np.empty((len(probabilities), *image.shape[:2]), np.float32)
    for top, strip in refinement.strips(probabilities, image):
        result[:, top : top + strip.shape[1]] = strip
    return result


def decide_refined(
    refinement: Refinement, probabilities: FloatArray, image: UInt8Array, *, confidence: bool = True
) -> tuple[UInt8Array, FloatArray | None]:
    """The class of each pixel of the photo after refinement, and its probability; strip by strip.

    Args:
        refinement: How.
        probabilities: `(K, h, w) float32`, over K summing to one.
        image: `(H, W, 3) uint8` RGB.
        confidence: Whether the winners' probabilities are wanted.

    Returns:
        Labels `(H, W) uint8` and confidence `(H, W) float32` in 0..1, as `enlarge.decide` gives them.
    """
    size = (image.shape[0], image.shape[1])
    labels = np.empty(size, np.uint8)
    best = np.empty(size, np.float32) if confidence else None
    for top, strip in refinement.strips(probabilities, image):
        rows = slice(top, top + strip.shape[1])
        labels[rows], sure = decide(strip, strip.shape[1:], confidence=confidence)
        if best is not None and sure is not None:
            best[rows] = sure
    return labels, best


def check(probabilities: FloatArray, image: UInt8Array) -> None:
    """Raises `DataError` for arrays that are no probabilities `(K, h, w)` or no photo `(H, W, 3)`."""
    if probabilities.ndim != 3 or probabilities.dtype != np.float32 or 0 in probabilities.shape:
        raise DataError(
            "refinement needs probabilities (K, h, w) float32, "
            f"got {probabilities.shape} {probabilities.dtype}"
        )
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise DataError(f"refinement needs a photo (H, W, 3) uint8 RGB, got {image.shape} {image.dtype}")


def rows_of(plane: Image.Image, size: tuple[int, int], rows: slice) -> FloatArray:
    """Rows of a plane (Pillow's mode F) resized to `size`, bilinear, pixel centres aligned: `(rows, W)`.

    The window that Pillow resizes is one of the whole plane, so that strips leave no seam.
    """
    if (plane.height, plane.width) == size:
        return np.asarray(plane)[rows]
    height, width = size
    scale = plane.height / height
    box = (0, rows.start * scale, plane.width, min(plane.height, rows.stop * scale))
    return np.asarray(plane.resize((width, rows.stop - rows.start), Image.Resampling.BILINEAR, box))
