"""What a raster must be to be read in rows: upright, of a width and of blocks that fit into memory.

Knows what a header says; decodes nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.data.codec import UnreadableError, read_header
from pixelwise.data.raster.giant import tiff_orientation
from pixelwise.errors import DataError

MAX_SIDE = 1 << 19
"""Rows and columns, at most 524,288: a header that claims more would need gigabytes for a few rows."""

_LARGEST_BLOCK = 256 << 20


def check_raster(dataset: Any, path: Path) -> None:
    """Refuses what cannot be read in rows.

    Raises:
        DataError: There is no picture in the file; it is too large each way, stored turned, or in blocks that
            are too large to decode.
    """
    if dataset.count == 0:
        raise DataError(f"{path}: the file holds no picture; save it as GeoTIFF")
    if max(dataset.shape) > MAX_SIDE:
        raise DataError(
            f"{path}: {dataset.width}x{dataset.height} pixels, but at most {MAX_SIDE:,} are read each way; "
            "cut it into parts"
        )
    turn = _orientation(dataset, path)
    if turn != 1:
        raise DataError(
            f"{path}: it is stored turned (orientation {turn}), which reading by rows cannot undo; "
            "save it upright"
        )
    height, width = dataset.block_shapes[0]
    block = height * width * np.dtype(dataset.dtypes[0]).itemsize * dataset.count
    if block > _LARGEST_BLOCK:
        raise DataError(
            f"{path}: its pixels stand in blocks of {width}x{height}, {block >> 20:,} MB each, where "
            f"{_LARGEST_BLOCK >> 20} MB can be decoded at once; save it with small tiles "
            "(gdal_translate -co TILED=YES)"
        )


def _orientation(dataset: Any, path: Path) -> int:
    if dataset.driver == "GTiff":
        return tiff_orientation(path)
    stated = dataset.tags().get("EXIF_Orientation", "").strip()
    if stated in tuple("12345678"):
        return int(stated)
    try:
        return read_header(path).orientation
    except UnreadableError:
        return 1  # a format that Pillow does not know has no such tag
