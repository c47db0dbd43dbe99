"""What a picture of any size offers to whoever goes through it from top to bottom.

Knows no file format; `ArraySource` is a picture that is in memory already.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from pixelwise.data.raster.georeference import Georeference
from pixelwise.data.resize import resize_picture
from pixelwise.errors import DataError

UInt8Array = npt.NDArray[np.uint8]
Rows = tuple[UInt8Array, npt.NDArray[np.bool_] | None]
"""`(h, w, 3) uint8` RGB, and `(h, w) bool`, False where there is no data; None where every pixel is valid."""


class RowSource(Protocol):
    """A picture that is read in parts. Rows and columns count from the upper left; ends are not included."""

    @property
    def size(self) -> tuple[int, int]:
        """`(height, width)` of the whole picture."""
        ...

    @property
    def georeference(self) -> Georeference | None:
        """Where the picture lies on the earth, for a label map that is to lie there, too."""
        ...

    def rows(self, top: int, bottom: int) -> Rows:
        """Whole rows. A source is quick where each row is asked for once, in their order.

        Raises:
            DataError: The file cannot be decoded there.
        """
        ...

    def window(self, top: int, left: int, bottom: int, right: int) -> Rows:
        """A part of the picture, the same pixels as `rows` gives.

        Raises:
            DataError: The file cannot be decoded there.
        """
        ...

    def overview(self, *, longest: int = 2048) -> UInt8Array:
        """The whole picture, its longer side at most `longest`: `(h, w, 3) uint8`, for people to look at."""
        ...

    def close(self) -> None:
        """Lets the file go; nothing can be read afterwards."""
        ...


class ArraySource:
    """A picture in memory as a source.

    Args:
        picture: `(H, W, 3) uint8` RGB.
        valid: `(H, W) bool`, False where there is no data; None where every pixel is valid.

    Raises:
        DataError: The arrays don't have these shapes and types.
    """

    def __init__(self, picture: UInt8Array, *, valid: npt.NDArray[np.bool_] | None = None) -> None:
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
            raise DataError(f"a picture must be (H, W, 3) uint8, got {picture.shape} {picture.dtype}")
        if valid is not None and (valid.dtype != np.bool_ or valid.shape != picture.shape[:2]):
            raise DataError(f"valid pixels must be {picture.shape[:2]} bool, got {valid.shape} {valid.dtype}")
        self._picture, self._valid = picture, valid

    @property
    def size(self) -> tuple[int, int]:
        """`(height, width)`."""
        return self._picture.shape[0], self._picture.shape[1]

    @property
    def georeference(self) -> Georeference | None:
        """None: an array lies nowhere."""
        return None

    def rows(self, top: int, bottom: int) -> Rows:
        """Whole rows, as views."""
        return self.window(top, 0, bottom, self.size[1])

    def window(self, top: int, left: int, bottom: int, right: int) -> Rows:
        """A part of the picture, as views."""
        check_window(self.size, top, left, bottom, right)
        part = self._picture[top:bottom, left:right]
        valid = None if self._valid is None else self._valid[top:bottom, left:right]
        return part, None if valid is None or valid.all() else valid

    def overview(self, *, longest: int = 2048) -> UInt8Array:
        """The picture, shrunk where its longer side has more than `longest` pixels."""
        return resize_picture(self._picture, shrunk(self.size, longest))

    def close(self) -> None:
        """Nothing is held open."""


def shrunk(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """`size`, or the size of its shape whose longer side has `longest` pixels, if that is smaller."""
    height, width = size
    share = min(1.0, longest / max(height, width))
    return max(1, round(height * share)), max(1, round(width * share))


def check_window(size: tuple[int, int], top: int, left: int, bottom: int, right: int) -> None:
    """Raises `ValueError` for a part that is empty or leaves the picture: a bug of the caller's."""
    if not (0 <= top < bottom <= size[0] and 0 <= left < right <= size[1]):
        raise ValueError(f"rows {top}:{bottom}, columns {left}:{right} are no part of a picture of {size}")


__all__ = ["ArraySource", "RowSource", "Rows", "UInt8Array", "check_window", "shrunk"]
