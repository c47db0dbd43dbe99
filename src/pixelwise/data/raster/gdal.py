"""GDAL through rasterio, at arm's length: plain local pictures, bounded memory, every failure a sentence.

Knows neither bands nor pixels. Rasterio is an extra and is imported when the first raster is opened.

A file decides by its first bytes which one driver may open it, so that a description that names other files
or addresses (VRT, WMS, XML) is refused. GDAL looks for nothing beside the file: no `.aux.xml`, no `.ovr`, no
`.msk`. What GDAL would log or print becomes the sentence of the error.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pixelwise.data.codec import UnreadableError
from pixelwise.errors import DataError

CACHE_BYTES = 128 << 20
"""GDAL keeps decoded blocks up to here; a row of tiles of 512 of a picture 40,000 wide has 61 MB in RGB."""

_SETTINGS = {
    "GDAL_CACHEMAX": CACHE_BYTES,
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",  # GDAL takes it that the file lies alone in its folder
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_ERROR_ON_LIBJPEG_WARNING": "YES",  # else the rest of a truncated JPEG is grey, and nobody is told
    "PROJ_NETWORK": "OFF",
}
_DRIVERS = (
    (b"II*\0", "GTiff"),
    (b"MM\0*", "GTiff"),
    (b"II+\0", "GTiff"),
    (b"MM\0+", "GTiff"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JP2OpenJPEG"),
    (b"\xff\x4f\xff\x51", "JP2OpenJPEG"),
    (b"BM", "BMP"),
    (b"P5", "PNM"),
    (b"P6", "PNM"),
)


def rasterio_for(path: Path) -> Any:
    """The package rasterio; `path` is for the message.

    Raises:
        DataError: It is not installed, or does not load.
    """
    try:
        return importlib.import_module("rasterio")
    except ImportError as error:
        raise DataError(
            f"{path}: rasters are read and GeoTIFFs written by rasterio, which cannot be imported "
            f"({str(error)[:120]}): pip install 'pixelwise[geo]'"
        ) from error


@contextmanager
def settings(path: Path) -> Generator[Any]:
    """Holds GDAL's settings for as long as it is used in this thread; gives the package rasterio."""
    rasterio = rasterio_for(path)
    with rasterio.Env(**_SETTINGS):
        yield rasterio


def open_raster(path: Path, *, overview: int | None = None) -> Any:
    """Opens a local picture to read, as rasterio's dataset.

    Args:
        path: The file.
        overview: Which picture of its pyramid, 0 for the first smaller one; None for the picture itself.

    Raises:
        DataError: There is no such file, rasterio is missing; `UnreadableError`: it is of no format that is
            read here, or its header is damaged.
    """
    driver = driver_of(path)
    options: dict[str, Any] = {} if overview is None else {"overview_level": overview}
    with settings(path) as rasterio:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
                # An absolute path of the file system: never an address or one of GDAL's own /vsi paths.
                return rasterio.open(path.absolute(), driver=driver, **options)
        except (rasterio.errors.RasterioError, OSError, ValueError) as error:
            raise UnreadableError(
                f"{path}: the picture's header is damaged, or GDAL cannot read this kind of {driver} "
                f"({reason(error)}); save it anew as GeoTIFF"
            ) from error


def driver_of(path: Path) -> str:
    """The name of the one GDAL driver that may open the file, by its first bytes.

    Raises:
        DataError: The file is missing; `UnreadableError`: it cannot be read, or is of another format.
    """
    if not path.is_file():
        raise DataError(f"{path}: there is no such file; check the path")
    try:
        with path.open("rb") as file:
            prefix = file.read(16)
    except OSError as error:
        raise UnreadableError(
            f"{path}: cannot be read ({error.strerror or error}); check its permissions and the disk"
        ) from error
    for mark, driver in _DRIVERS:
        if prefix.startswith(mark):
            return driver
    hint = " (it is a text that describes other files, as a VRT does)" if prefix.lstrip()[:1] == b"<" else ""
    raise UnreadableError(
        f"{path}: a raster is read from GeoTIFF, PNG, JPEG, JPEG 2000, BMP or PNM, and this is none{hint}; "
        "save it as GeoTIFF"
    )


def reason(error: BaseException) -> str:
    """GDAL's own words, which rasterio hands over as the cause of its error."""
    cause = error.__cause__ or error.__context__ or error
    return (str(cause).split("\n")[0].strip() or type(cause).__name__)[:160]
