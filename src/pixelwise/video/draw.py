"""The pictures of an overlay video: all of one size, with one legend. Knows no file and no time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pixelwise import drawing
from pixelwise.data.resize import resize_picture
from pixelwise.errors import PixelwiseError
from pixelwise.segmentation import Segmentation
from pixelwise.types import Classes

UInt8Array = npt.NDArray[np.uint8]

_MOST_LEGEND = 1 / 3
"""Of the picture's height; a taller legend is left out."""


class Canvas:
    """Draws segmentations of one video.

    The legend names all classes and no shares: a strip that changed with what is seen would change the
    video's height, and flicker. Height and width are even, as 4:2:0 video needs them: of odd pictures the
    last row or column is repeated.

    Args:
        classes: Their names and colours.
        size: `(height, width)` of the first picture. Later ones of another size are drawn at this one.
        opacity: 0 shows the picture alone, 1 the colours alone.
        legend: Whether there is one below, where it takes no more than a third of the picture's height.

    Attributes:
        size: `(height, width)` of what is drawn.
        has_legend: Whether there is one.
    """

    def __init__(self, classes: Classes, size: tuple[int, int], *, opacity: float, legend: bool) -> None:
        self._opacity = opacity
        self._picture_size = size
        strip = _legend(classes, size) if legend else None
        self.has_legend = strip is not None
        height = _even(size[0]) + (0 if strip is None else _even(strip.shape[0]))
        width = _even(size[1] if strip is None else max(size[1], strip.shape[1]))
        self.size = (height, width)
        self._empty = np.full((height, width, 3), 255, np.uint8)
        if strip is not None:
            top = _even(size[0])
            self._empty[top : top + strip.shape[0], : strip.shape[1]] = strip

    def draw(self, segmentation: Segmentation) -> UInt8Array:
        """The overlay `(H, W, 3) uint8` RGB at the canvas's size."""
        image = segmentation.image
        if image is None:
            raise PixelwiseError("an overlay needs the picture: this segmentation was made without it")
        drawn = drawing.blend(image, segmentation.labels, segmentation.classes.colours, opacity=self._opacity)
        drawn = resize_picture(drawn, self._picture_size)
        height, width = self._picture_size
        canvas = self._empty.copy()
        canvas[:height, :width] = drawn
        canvas[height : _even(height), :width] = drawn[-1:]
        canvas[: _even(height), width : _even(width)] = canvas[: _even(height), width - 1 : width]
        return canvas


def _legend(classes: Classes, size: tuple[int, int]) -> UInt8Array | None:
    """A strip that can be read at the video's size; None where it would be too tall for it."""
    entries = list(zip(classes.names, classes.colours, strict=True))
    strip = drawing.legend(entries, width=max(size[1], 160), text_size=max(14, size[0] // 36))
    return np.asarray(strip) if strip.height <= size[0] * _MOST_LEGEND else None


def _even(length: int) -> int:
    return length + length % 2
