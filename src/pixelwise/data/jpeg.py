"""JPEGs decoded by TurboJPEG: twice as fast as through Pillow, and small where a small picture is asked for.

Knows bytes only. What is not an ordinary, sound colour JPEG is left to Pillow, whose word on damaged files
counts; at full size both give the same pixels, since both use the same exact arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import simplejpeg as decoder  # pyright: ignore[reportMissingTypeStubs]

_SMALLEST = 16


@dataclass(frozen=True, eq=False)
class Scaled:
    """A JPEG decoded at M/8 of its size.

    Attributes:
        pixels: `(h, w, 3) uint8` RGB, not yet turned upright; where less than full size was asked for
            `(h, w, 4)` with an idle byte, as Pillow keeps pixels.
        size: `(height, width)` of the picture as it is stored.
        extent: `(height, width)` of the part of `pixels` that is the picture, its size times M/8: up to one
            pixel less than `pixels` has, whose last row and column may reach over the edge.
    """

    pixels: npt.NDArray[np.uint8]
    size: tuple[int, int]
    extent: tuple[float, float]


def jpeg_size(content: bytes) -> tuple[int, int] | None:
    """`(height, width)` as it is stored; None where the file is no plain JPEG in YCbCr."""
    try:
        height, width, space, _ = decoder.decode_jpeg_header(content)
    except (ValueError, MemoryError, OverflowError):
        return None
    return (int(height), int(width)) if space == "YCbCr" else None


def decode_jpeg(content: bytes, size: tuple[int, int], at_least: tuple[int, int] | None) -> Scaled | None:
    """Decodes a JPEG, at the smallest of 1/8, 1/4, 1/2 and 1 that still gives `at_least` pixels each way.

    Args:
        content: The file.
        size: `(height, width)` as it is stored.
        at_least: `(height, width)` that are needed; None for full size.

    Returns:
        None where the data are damaged in any way.
    """
    eighths = 8 if at_least is None else _scale(size, at_least)
    shape = _scaled(size[0], eighths), _scaled(size[1], eighths)
    try:
        layout = "RGB" if at_least is None else "RGBX"
        pixels: npt.NDArray[np.uint8] = decoder.decode_jpeg(
            content, layout, min_height=shape[0], min_width=shape[1], min_factor=8 / eighths
        )
    except (ValueError, MemoryError, OverflowError):
        return None
    if pixels.shape[:2] != shape:
        return None
    return Scaled(pixels, size, (size[0] * eighths / 8, size[1] * eighths / 8))


def _scale(size: tuple[int, int], at_least: tuple[int, int]) -> int:
    """The eighths of its size at which a picture is decoded when `at_least` pixels are needed each way.

    The last row and column are averaged with what the encoder put beyond the edge, which shows in pictures of
    a few pixels: none is decoded smaller than 16 pixels.
    """
    for eighths in (1, 2, 4):  # these are fast; 3/8, 5/8 … are not
        if all(
            _scaled(own, eighths) >= max(needed, _SMALLEST)
            for own, needed in zip(size, at_least, strict=True)
        ):
            return eighths
    return 8


def _scaled(length: int, eighths: int) -> int:
    return -(-length * eighths // 8)
