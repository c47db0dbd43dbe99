"""Rasters as tests need them, written by rasterio itself."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

rasterio = pytest.importorskip("rasterio", reason="rasterio is an extra: pip install 'pixelwise[geo]'")

PLACE = {"crs": "EPSG:32633", "transform": rasterio.Affine(0.5, 0, 400_000, 0, -0.5, 5_000_000)}


def write_raster(
    path: Path,
    bands: npt.NDArray[np.generic],
    *,
    colours: Sequence[str] = (),
    colormap: dict[int, tuple[int, int, int, int]] | None = None,
    mask: npt.NDArray[np.bool_] | None = None,
    tags: dict[str, str] | None = None,
    **profile: Any,
) -> Path:
    """Writes `(bands, H, W)` as GeoTIFF, or as what `driver` in the profile says."""
    count, height, width = bands.shape
    settings = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": bands.dtype}
    with warnings.catch_warnings(), rasterio.Env(GDAL_TIFF_INTERNAL_MASK="YES"):
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(path, "w", **(settings | profile)) as dataset:
            if colours:
                dataset.colorinterp = [rasterio.enums.ColorInterp[name] for name in colours]
            if colormap is not None:
                dataset.write_colormap(1, colormap)
            dataset.write(bands)
            if mask is not None:
                dataset.write_mask(mask)
            dataset.update_tags(**(tags or {}))
    return path


def noise(shape: tuple[int, ...], dtype: str = "uint8", *, seed: int = 7) -> npt.NDArray[Any]:
    """Whole numbers over the range of the type."""
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


def blobs(size: tuple[int, int], classes: int, *, seed: int = 7) -> npt.NDArray[np.uint8]:
    """Labels in squares of 8, with a strip of 255."""
    few = np.random.default_rng(seed).integers(0, classes, (size[0] // 8 + 1, size[1] // 8 + 1))
    labels = np.kron(few, np.ones((8, 8), int))[: size[0], : size[1]].astype(np.uint8)
    labels[: size[0] // 20] = 255
    return labels
