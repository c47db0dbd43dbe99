"""A box in a picture. Knows four numbers, and no picture."""

from __future__ import annotations

from typing import NamedTuple


class Box(NamedTuple):
    """A box by the pixel edges it runs along: pixels `left <= x < right` and `top <= y < bottom` lie in it.

    The upper left pixel alone is `Box(0, 0, 1, 1)`. The order is that of Pillow's `crop` and of "xyxy".
    """

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """In pixels."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """In pixels."""
        return self.bottom - self.top

    @property
    def xywh(self) -> tuple[int, int, int, int]:
        """`(left, top, width, height)`, as COCO's `bbox` has it."""
        return self.left, self.top, self.width, self.height

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns: `array[box.slices]` is what lies in the box of an array `(H, W, …)`."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def grown(self, pixels: int, size: tuple[int, int]) -> Box:
        """So many pixels larger on each side, as far as a picture of `size` = (height, width) reaches."""
        return Box(
            max(0, self.left - pixels),
            max(0, self.top - pixels),
            min(size[1], self.right + pixels),
            min(size[0], self.bottom + pixels),
        )
