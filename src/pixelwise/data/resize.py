"""Pictures and masks to the network's size, in training, evaluation and prediction alike.

Knows arrays only. Both put the centre of output pixel `i` at `(i + 0.5) * from / to` of the input, so
picture and mask stay on top of each other.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

Value = TypeVar("Value", bound=np.generic)


def resize_picture(array: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Resizes `(H, W, 3) uint8` to `size` = (height, width), bilinear and antialiased.

    Where it shrinks, Pillow widens the filter's support to the pixels that an output pixel covers; plain
    bilinear sampling (OpenCV's default, TensorFlow's `tf.image.resize`) would skip most of them and alias.
    The array itself comes back where it has that size already.
    """
    if array.shape[:2] == tuple(size):
        return array
    return resize_image(Image.fromarray(np.ascontiguousarray(array)), size)


def resize_image(
    image: Image.Image, size: tuple[int, int], *, extent: tuple[float, float] | None = None
) -> npt.NDArray[np.uint8]:
    """As `resize_picture`, from a Pillow image of mode RGB.

    Args:
        image: The picture.
        size: Wanted.
        extent: `(height, width)` of the image's upper left part that is the picture; else all of it is.
    """
    if image.size == (size[1], size[0]) and extent in (None, size):
        return np.asarray(image)
    box = None if extent is None else (0, 0, extent[1], extent[0])
    return np.asarray(image.resize((size[1], size[0]), Image.Resampling.BILINEAR, box))


def resize_mask(array: npt.NDArray[Value], size: tuple[int, int]) -> npt.NDArray[Value]:
    """Resizes `(H, W, …)` ids or colours to `size` = (height, width) by nearest neighbour: none is mixed."""
    if array.shape[:2] == tuple(size):
        return array
    rows, columns = _nearest(array.shape[0], size[0]), _nearest(array.shape[1], size[1])
    return np.take(
        np.take(array, rows, axis=0), columns, axis=1
    )  # three times as fast as array[rows, columns]


def _nearest(old: int, new: int) -> npt.NDArray[np.intp]:
    """The input pixel that holds the centre of each output pixel: floor((i + 0.5) * old / new)."""
    return (2 * np.arange(new, dtype=np.intp) + 1) * old // (2 * new)
