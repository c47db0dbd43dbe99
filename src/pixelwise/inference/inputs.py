"""What a predictor gets: pictures in memory, or from files with what the network gets of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelwise.errors import ConfigError

UInt8Array = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Sized:
    """A picture from a file, with what the network gets of it: a JPEG may be decoded small for that.

    Attributes:
        network: `(h, w, 3) uint8` RGB at the size policy's size.
        size: `(height, width)` of the picture itself.
        image: `(H, W, 3) uint8` RGB at its own size, where that is wanted.
    """

    network: UInt8Array
    size: tuple[int, int]
    image: UInt8Array | None


Input = UInt8Array | Sized
"""An array is resized to the network's size; of a `Sized` picture that is done already."""


def whole_picture(image: Input) -> UInt8Array:
    """The picture at its own size."""
    if not isinstance(image, Sized):
        return image
    if image.image is None:
        raise ConfigError("this needs the picture at its own size: read it with `read_input(whole=True)`")
    return image.image


def own_size(image: Input) -> tuple[int, int]:
    """`(height, width)` of a picture itself, whatever the network gets of it."""
    return image.size if isinstance(image, Sized) else (image.shape[0], image.shape[1])
