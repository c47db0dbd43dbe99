"""Picture and mask files as arrays: upright, of bounded size, whatever mode they were saved in.

Knows no class, no data set and no network; a mask is read as the raw values that the file holds.

The content decides the format and not the ending. Orientation (EXIF, or the TIFF tag) is honoured, so every
size and every array is upright. Of an animation the first frame counts. Colour profiles are not applied.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from pixelwise.data.codec import (
    MAX_PIXELS,
    Decoded,
    Header,
    UnreadableError,
    decode,
    decode_fast,
    read_header,
    read_palette,
)
from pixelwise.data.orientation import SIDEWAYS
from pixelwise.data.resize import resize_image, resize_picture
from pixelwise.errors import DataError

PICTURE_ENDINGS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".gif", ".bmp", ".dib", ".tif", ".tiff"}
    | {".webp", ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".avif"}
)
"""The endings that are taken for pictures when a folder is listed."""

RawMask = npt.NDArray[np.uint8 | np.uint16]
Pixel = TypeVar("Pixel", bound=np.generic)


def picture_size(path: Path) -> tuple[int, int]:
    """The `(height, width)` of a picture as it stands upright, from its header only."""
    return read_header(path).size


def read_picture(
    path: Path, *, max_pixels: int = MAX_PIXELS, content: bytes | None = None
) -> npt.NDArray[np.uint8]:
    """Decodes a picture to `(H, W, 3) uint8` RGB, upright.

    Grey becomes three equal channels. 16 bits lose the lower 8 (`value >> 8`), whatever range is used.
    Floats are taken as 0..1 if none is larger, else as 0..255. Alpha is dropped and the colours in the
    file count, as OpenCV and torchvision do it. CMYK is converted without its profile.

    Args:
        path: The file.
        max_pixels: The most that are decoded.
        content: The picture's bytes where they don't stand in a file of their own; `path` is for messages.

    Raises:
        DataError: The file is missing, is no picture, is truncated, or has more than `max_pixels`.
    """
    fast = decode_fast(path, max_pixels=max_pixels, at_least=None, content=content)
    if fast is not None:
        return np.ascontiguousarray(turn(fast[0].pixels, fast[1]))
    return _upright_rgb(decode(path, max_pixels=max_pixels, content=content), path)


def read_picture_at(
    path: Path, size: tuple[int, int], *, max_pixels: int = MAX_PIXELS, content: bytes | None = None
) -> tuple[npt.NDArray[np.uint8], tuple[int, int]]:
    """Decodes a picture straight to `size` = (height, width): what training and prediction give a network.

    A JPEG that is at least twice as large each way is decoded at 1/2, 1/4 or 1/8 of its size, and that is
    resized. The pixels differ a little from those of `read_picture` and `resize_picture` (libjpeg averages
    before it converts colours), so whoever compares must decode alike.

    Returns:
        `(h, w, 3) uint8` RGB upright, and the picture's own `(height, width)`.

    Raises:
        DataError: As `read_picture`.
    """
    small = _read_small(path, size, max_pixels, content)
    if small is not None:
        return small
    decoded = decode(path, max_pixels=max_pixels, content=content)
    if decoded.image.mode == "RGB" and decoded.orientation == 1:  # spares two copies of the large picture
        width, height = decoded.image.size
        return resize_image(decoded.image, size), (height, width)
    whole = _upright_rgb(decoded, path)
    return resize_picture(whole, size), (whole.shape[0], whole.shape[1])


def read_picture_and_at(
    path: Path, size: tuple[int, int], *, max_pixels: int = MAX_PIXELS
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """What `read_picture` and `read_picture_at` give of a file; only a JPEG is decoded twice for it."""
    small = _read_small(path, size, max_pixels, None)
    whole = read_picture(path, max_pixels=max_pixels)
    return whole, resize_picture(whole, size) if small is None else small[0]


def _read_small(
    path: Path, size: tuple[int, int], max_pixels: int, content: bytes | None
) -> tuple[npt.NDArray[np.uint8], tuple[int, int]] | None:
    """As `read_picture_at`, of an ordinary JPEG; None for any other file."""
    fast = decode_fast(path, max_pixels=max_pixels, at_least=size, content=content)
    if fast is None:
        return None
    scaled, orientation = fast
    stored, own = size, scaled.size
    if orientation in SIDEWAYS:
        stored, own = (size[1], size[0]), (own[1], own[0])
    height, width, _ = scaled.pixels.shape
    image = Image.frombytes("RGB", (width, height), scaled.pixels.data, "raw", "RGBX")
    small = resize_image(image, stored, extent=scaled.extent)
    return np.ascontiguousarray(turn(small, orientation)), own


def _upright_rgb(decoded: Decoded, path: Path) -> npt.NDArray[np.uint8]:
    try:
        array = _rgb(decoded, path)
    except (ValueError, MemoryError) as error:
        raise UnreadableError(
            f"{path}: a picture of mode {decoded.image.mode} cannot become RGB ({error}); "
            "save it as 8-bit JPEG or PNG"
        ) from error
    return np.ascontiguousarray(turn(array, decoded.orientation))


def read_mask_values(path: Path, *, max_pixels: int = MAX_PIXELS, content: bytes | None = None) -> RawMask:
    """Decodes a mask to the values that stand in the file, upright by its own orientation tag.

    Returns:
        `(H, W)` uint8 or uint16: palette indices (never their colours), grey values, 16-bit values, 0 and 1
        of a 1-bit mask; grey of 2 or 4 bits keeps its levels 0..3 and 0..15. `(H, W, 3) uint8` for RGB;
        alpha is dropped.

    Raises:
        DataError: As `read_picture`; also for values that are no whole numbers in 0..65535.
    """
    decoded = decode(path, max_pixels=max_pixels, content=content)
    mode = decoded.image.mode
    if mode in ("1", "L", "P"):
        array = np.asarray(decoded.image).astype(np.uint8, copy=False)
    elif mode in ("LA", "PA"):
        array = np.asarray(decoded.image)[..., 0]
    elif mode.startswith("I"):
        array = _sixteen_bits(decoded, path)
    elif mode in ("RGB", "RGBA", "RGBX"):
        # Four bytes a pixel, as Pillow keeps them, are there at once, and make one number (`colour_codes`).
        wide = decoded.image.tobytes("raw", "RGBX" if mode != "RGBA" else mode)
        shape = (decoded.image.height, decoded.image.width, 4)
        return turn(np.reshape(np.frombuffer(wide, np.uint8), shape)[..., :3], decoded.orientation)
    else:
        raise UnreadableError(
            f"{path}: a mask holds class ids or colours, but this {decoded.format} has mode {mode}; "
            "save it as an 8-bit grey, palette or RGB PNG"
        )
    if mode == "L" and decoded.shades < 255:
        # Pillow stretches few grey levels over 0..255 as if they were brightness; a mask means the levels.
        array = np.round(array.astype(np.float32) * (decoded.shades / 255)).astype(np.uint8)
    return np.ascontiguousarray(turn(array, decoded.orientation))


def _rgb(decoded: Decoded, path: Path) -> npt.NDArray[np.uint8]:
    image = decoded.image
    if image.mode.startswith("I"):
        grey = (_sixteen_bits(decoded, path) >> 8).astype(np.uint8)
    elif image.mode == "F":
        grey = _float_grey(np.asarray(image, np.float32), path)
    elif image.mode == "RGB":
        return np.asarray(image)
    else:
        # Premultiplied and odd alpha first becomes plain alpha; dropping it leaves the file's colours.
        plain = {"RGBa": "RGBA", "La": "LA"}.get(image.mode)
        return np.asarray((image.convert(plain) if plain else image).convert("RGB"))
    return np.repeat(grey[..., None], 3, axis=2)


def _sixteen_bits(decoded: Decoded, path: Path) -> npt.NDArray[np.uint16]:
    """Modes `I;16` (and its byte orders) and `I` as uint16."""
    array = np.asarray(decoded.image)
    if array.dtype.itemsize > 2 or array.dtype.kind != "u":
        low, high = int(array.min()), int(array.max())
        if low < 0 or high > 65535:
            raise DataError(
                f"{path}: grey values reach from {low} to {high}, but 0 to 65535 can be read; "
                "save it with 8 or 16 bits"
            )
    return array.astype(np.uint16)


def _float_grey(values: npt.NDArray[np.float32], path: Path) -> npt.NDArray[np.uint8]:
    if not np.isfinite(values).all():
        row, column = (int(place[0]) for place in np.nonzero(~np.isfinite(values)))
        raise DataError(
            f"{path}: {values[row, column]} stands in row {row}, column {column}; fill such pixels, and save "
            "it as an 8-bit picture"
        )
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= 255):
        raise DataError(
            f"{path}: floating-point grey must lie in 0..1 or 0..255, but reaches from {low:g} to {high:g}; "
            "save it as an 8-bit picture"
        )
    return np.round(values * (255 if high <= 1 else 1)).astype(np.uint8)


def turn(array: npt.NDArray[Pixel], orientation: int) -> npt.NDArray[Pixel]:
    """Turns and mirrors `(H, W, …)` by EXIF's count, as `PIL.ImageOps.exif_transpose` does."""
    if orientation in (5, 7):
        array = np.swapaxes(array, 0, 1)
        return array[::-1, ::-1] if orientation == 7 else array
    if orientation in (6, 8):
        return np.rot90(array, -1 if orientation == 6 else 1)
    if orientation in (3, 4):
        array = array[::-1]
    return array[:, ::-1] if orientation in (2, 3) else array


def unturn(array: npt.NDArray[Pixel], orientation: int) -> npt.NDArray[Pixel]:
    """The stored pixels of what `turn` made upright; only the two quarter turns are not their own inverse."""
    return turn(array, {6: 8, 8: 6}.get(orientation, orientation))


__all__ = [
    "MAX_PIXELS",
    "PICTURE_ENDINGS",
    "Header",
    "RawMask",
    "UnreadableError",
    "picture_size",
    "read_header",
    "read_mask_values",
    "read_palette",
    "read_picture",
    "read_picture_and_at",
    "read_picture_at",
    "turn",
    "unturn",
]
