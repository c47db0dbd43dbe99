"""Masks whose size is not their picture's: how the two differ, and how `--fit-masks` brings them together.

Knows headers and arrays. A phone writes a picture lying down with a tag that turns it upright; a tool that
does not heed the tag saves the mask lying down. Or pictures were made smaller after they were labelled.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pixelwise.data.io import Header, RawMask, read_header, turn, unturn
from pixelwise.data.mendable import FIT_MASKS
from pixelwise.data.resize import resize_mask
from pixelwise.errors import DataError
from pixelwise.types import size_text

Kind = Literal["turned", "scaled", "other"]
_FIT = ", or add --fit-masks"


class SizesDifferError(DataError):
    """A mask has not its picture's size.

    Attributes:
        picture: What the picture's file says of itself.
        mask: What the mask's file says of itself.
        kind: `turned`: the pixels of both files have one size, and only the turn that their tags ask for
            differs. `scaled`: both have one aspect, up to the rounding of a side. Else `other`.
        changes: Fields of `DataConfig` that would mend it; none for `other`.
    """

    def __init__(self, message: str, picture: Header, mask: Header) -> None:
        super().__init__(message)
        self.picture = picture
        self.mask = mask
        self.kind: Kind = kind_of(picture, mask)
        self.changes: Mapping[str, Any] = FIT_MASKS if self.kind != "other" else {}

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.picture, self.mask)


def kind_of(picture: Header, mask: Header) -> Kind:
    """How a mask's size differs from its picture's; see `SizesDifferError.kind`."""
    if picture.size == mask.size[::-1] and picture.sideways != mask.sideways:
        return "turned"
    small, large = sorted((picture.size, mask.size))
    if small[1] > large[1]:
        return "other"
    # Some scale makes both sides of the large one those of the small one, up to less than a pixel.
    fits = (small[0] - 1) * large[1] < (small[1] + 1) * large[0]
    fits &= (small[1] - 1) * large[0] < (small[0] + 1) * large[1]
    return "scaled" if fits else "other"


def sizes_differ(
    picture_path: Path, mask_path: Path, contents: tuple[bytes, bytes] | None = None
) -> SizesDifferError:
    """The error for a sample whose mask has not its picture's size.

    Args:
        picture_path: The picture's file.
        mask_path: The mask's.
        contents: The bytes of both where they don't stand in files of their own.
    """
    pictured, masked = contents if contents is not None else (None, None)
    picture = read_header(picture_path, content=pictured)
    mask = read_header(mask_path, content=masked)
    kind = kind_of(picture, mask)
    text = (
        f"{picture_path} is {size_text(picture.size)} but its mask {mask_path} is {size_text(mask.size)}; "
        "a mask must have its picture's size"
    )
    if kind == "turned":
        turned, other = ("picture", "mask") if picture.sideways else ("mask", "picture")
        text += (
            f": the {turned}'s EXIF tag turns it by 90 degrees, but the {other} was saved without "
            f"that turn; turn the {other} upright, or remove the orientation tag from the {turned}{_FIT}"
        )
    else:
        text += ": resize the mask without smoothing, or pair the right files"
        text += _FIT if kind == "scaled" else ""
    return SizesDifferError(text, picture, mask)


def fit_mask(raw: RawMask, error: SizesDifferError) -> RawMask:
    """A mask `(H, W)` or `(H, W, 3)`, as upright as its own tag makes it, brought to its picture's size.

    A turned one is turned as the picture is, a scaled one resized by nearest neighbour.

    Raises:
        SizesDifferError: The one given, where it is neither.
    """
    if error.kind == "turned":
        return np.ascontiguousarray(turn(unturn(raw, error.mask.orientation), error.picture.orientation))
    if error.kind == "scaled":
        return resize_mask(raw, error.picture.size)
    raise error
