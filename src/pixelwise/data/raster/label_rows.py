"""A label map of any size, read from top to bottom: the ids themselves, not their colours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pixelwise.data.raster.gdal import open_raster, reason, settings
from pixelwise.errors import DataError

_ROWS = 512


def label_rows(path: Path) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
    """`(top, (h, W) uint8)` for each band of rows of a GeoTIFF or palette PNG of one channel.

    Raises:
        DataError: The file is missing, is none, or cannot be decoded; it names the rows.
    """
    dataset = open_raster(path)
    try:
        if dataset.count != 1 or dataset.dtypes[0] != "uint8":
            raise DataError(f"{path} is no label map: it has {dataset.count} bands of {dataset.dtypes[0]}")
        for top in range(0, dataset.height, _ROWS):
            bottom = min(top + _ROWS, dataset.height)
            with settings(path) as rasterio:
                try:
                    rows = dataset.read(1, window=((top, bottom), (0, dataset.width)))
                except rasterio.errors.RasterioError as error:
                    raise DataError(
                        f"{path}: rows {top} to {bottom} cannot be decoded ({reason(error)})"
                    ) from error
            yield top, rows
    finally:
        with settings(path):
            dataset.close()
