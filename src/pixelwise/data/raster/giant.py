"""Whether a picture is to be read by rows, by its header. Decodes nothing and needs no rasterio."""

from __future__ import annotations

from pathlib import Path

from pixelwise.data.codec import MAX_PIXELS, UnreadableError, read_header
from pixelwise.data.raster.tiff import GEOGRAPHIC, HEIGHT, ORIENTATION, WIDTH, NoTiffError, read_directory
from pixelwise.errors import DataError


def header_size(path: Path) -> tuple[int, int]:
    """The `(height, width)` of a picture by its header; also of a TIFF of any bands and values.

    Raises:
        DataError: The file is missing, or is no picture.
    """
    try:
        return read_header(path).size
    except UnreadableError:
        size = _tiff_size(path)
        if size is None:
            raise
        return size


def is_giant(path: Path, *, max_pixels: int = MAX_PIXELS) -> bool:
    """Whether a picture has more than `max_pixels`, so that `data.io.read_picture` would refuse it.

    Raises:
        DataError: As `header_size`.
    """
    height, width = header_size(path)
    return height * width > max_pixels


def goes_by_rows(path: Path) -> bool:
    """Whether a picture has coordinates, is too large, or is a TIFF of bands that are no ordinary picture.

    False for what is no picture: reading it says why.
    """
    try:
        header = read_header(path)
    except UnreadableError:
        return _tiff_size(path) is not None
    except DataError:
        return False
    height, width = header.size
    return height * width > MAX_PIXELS or (header.format == "TIFF" and has_coordinates(path))


def has_coordinates(path: Path) -> bool:
    """Whether a TIFF says where it lies on the earth."""
    try:
        with path.open("rb") as file:
            return not read_directory(file).entries.keys().isdisjoint(GEOGRAPHIC)
    except (OSError, NoTiffError):
        return False


def tiff_orientation(path: Path) -> int:
    """The orientation tag of a TIFF, 1..8; 1 for none and for other files."""
    try:
        with path.open("rb") as file:
            value = read_directory(file).number(file, ORIENTATION)
    except (OSError, NoTiffError):
        return 1
    return value if value is not None and 1 <= value <= 8 else 1


def _tiff_size(path: Path) -> tuple[int, int] | None:
    try:
        with path.open("rb") as file:
            directory = read_directory(file)
            height, width = directory.number(file, HEIGHT), directory.number(file, WIDTH)
    except (OSError, NoTiffError):
        return None
    return (height, width) if height and width else None
