"""What a network gets of a photo: the photo as it is, resized, or in tiles. Knows sizes only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pixelwise.config.predict import PredictConfig
from pixelwise.types import SizePolicy, size_text

NATIVE_PIXELS = 1 << 22
"""The largest picture that `auto` gives a network at once: 4 megapixels.

A fixed number and not one of free memory, so that every machine answers the same. What a network keeps at a
time is a few hundred bytes to some kilobytes a pixel.
"""


@dataclass(frozen=True)
class Way:
    """How one photo meets the network.

    Attributes:
        mode: `native`, `resize` or `tile`.
        why: In words, after "because".
    """

    mode: Literal["native", "resize", "tile"]
    why: str

    def __str__(self) -> str:
        return f"{self.mode}, because {self.why}"


def choose_way(size: tuple[int, int], policy: SizePolicy, config: PredictConfig, *, by_rows: str = "") -> Way:
    """The way of a photo.

    Args:
        size: `(height, width)` of the photo.
        policy: Of the model.
        config: What was asked for.
        by_rows: Why it is read a few rows at a time, where it is: it is too large to be held, or its pixels
            have a size on the ground that resizing would change.
    """
    if config.sizing != "auto":
        return Way(config.sizing, "that was asked for")
    if by_rows:
        return Way("tile", by_rows)
    if policy.mode == "resize":
        return Way("resize", f"the model was trained on photos brought to {size_text(policy.size)}")
    if size[0] * size[1] > NATIVE_PIXELS:
        return Way("tile", f"it has more than {NATIVE_PIXELS >> 20} megapixels")
    return Way("native", "the model was trained on photos as they are")
