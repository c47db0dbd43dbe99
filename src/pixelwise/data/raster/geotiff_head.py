"""The head of a GeoTIFF of labels: everything but its pixels, written by GDAL.

Knows rasterio and what a label map says of itself. The file is made in memory with no tile in it, so that its
directory has room for the place and size of each tile, and readers take the missing ones for nodata.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

from pixelwise import drawing
from pixelwise.data.raster.gdal import reason, settings
from pixelwise.data.raster.georeference import Georeference
from pixelwise.data.raster.layout import BLOCK
from pixelwise.drawing import IGNORE
from pixelwise.errors import DataError
from pixelwise.types import Classes


def geotiff_head(
    path: Path, size: tuple[int, int], classes: Classes, place: Georeference | None
) -> tuple[bytes, tuple[str, ...]]:
    """A GeoTIFF of the given size without a tile, as bytes, and what it cannot hold of the place.

    Its palette has the classes' colours, its nodata value is 255, and its tag `pixelwise` is a json of the
    classes.

    Raises:
        DataError: rasterio is missing, or GDAL refuses.
    """
    place = place or Georeference()
    with settings(path) as rasterio, warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        try:
            with rasterio.io.MemoryFile(ext=".tif") as memory:
                with memory.open(**_profile(size, place)) as dataset:
                    _describe(dataset, classes, place)
                content = bytes(memory.getbuffer())
                with memory.open() as dataset:
                    return content, _lost(dataset, place)
        except (rasterio.errors.RasterioError, OSError, ValueError) as error:
            raise DataError(
                f"{path}: GDAL cannot write a GeoTIFF of this size and place ({reason(error)}); write a PNG"
            ) from error


def _profile(size: tuple[int, int], place: Georeference) -> dict[str, Any]:
    placed = {} if place.transform is None else {"transform": place.transform}
    return {
        "driver": "GTiff",
        "height": size[0],
        "width": size[1],
        "count": 1,
        "dtype": "uint8",
        "nodata": IGNORE,
        "crs": place.crs,
        **placed,
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "compress": "deflate",  # LZW and Zstandard: see docs/decisions/0009-giant-pictures.md
        "sparse_ok": True,
        "bigtiff": "IF_SAFER",
    }


def _describe(dataset: Any, classes: Classes, place: Georeference) -> None:
    palette = drawing.palette_array(classes.colours).tolist()
    dataset.write_colormap(1, {index: (*colour, 255) for index, colour in enumerate(palette)})
    tags = {"pixelwise": json.dumps({"classes": classes.to_json(), "ignore": IGNORE})}
    if place.point:
        tags["AREA_OR_POINT"] = "Point"
    dataset.update_tags(**tags)
    if place.gcps and place.transform is None:
        dataset.gcps = (list(place.gcps), place.gcps_crs)
    if place.rpcs is not None:
        dataset.rpcs = place.rpcs


def _lost(dataset: Any, place: Georeference) -> tuple[str, ...]:
    kept = {
        "the coordinate system": dataset.crs == place.crs or (place.gcps and place.transform is None),
        "the transform": place.transform is None or dataset.transform.almost_equals(place.transform),
        "the ground control points": len(dataset.gcps[0]) == len(place.gcps) or place.transform is not None,
    }
    return tuple(
        f"a GeoTIFF cannot hold {what} of the picture as it is" for what, same in kept.items() if not same
    )
