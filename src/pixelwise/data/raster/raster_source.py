"""A raster file of any size as a source of rows: GeoTIFF, PNG, JPEG, JPEG 2000, BMP, PNM.

Knows no network and no label. Never holds more than what is asked for, GDAL's cache, and a piece of 32 MB.

A pixel is invalid where the masks of all chosen bands say so: by the file's nodata value, its mask band, or
an alpha of 0. Other values of alpha are dropped and the colours in the file count, as everywhere. Of
several pictures in a file the first counts. Of JPEGs GDAL repeats the subsampled colours, where Pillow
interpolates them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwise.data.codec import UnreadableError
from pixelwise.data.raster.bands import choose_bands
from pixelwise.data.raster.checks import check_raster
from pixelwise.data.raster.gdal import open_raster, reason, settings
from pixelwise.data.raster.georeference import Georeference, georeference_of
from pixelwise.data.raster.levels import ValueRange, first_not_finite, levels_of
from pixelwise.data.raster.source import Rows, UInt8Array, check_window, shrunk
from pixelwise.data.resize import resize_picture
from pixelwise.errors import ConfigError, DataError

_PIECE_BYTES = 32 << 20
_CHUNK_ROWS = 512


class RasterSource:
    """A raster file, opened to be read from top to bottom.

    Args:
        path: The file.
        bands: Which bands are red, green and blue, 1-based; found by what the file says where not given.
        value_range: The values that become 0 and 255; needed where they are neither of 8 nor of 16 bits.

    Raises:
        ConfigError: A band that is not there, or a range that cannot be.
        DataError: The file is missing, damaged, or of a format that is not read here; it does not say which
            bands are its colours, or what is white; it is stored turned, or in blocks too large to decode.
    """

    def __init__(
        self, path: Path, *, bands: tuple[int, int, int] | None = None, value_range: ValueRange | None = None
    ) -> None:
        self.path = path
        self._wanted, self._value_range = bands, value_range
        self._open(None)

    def _open(self, overview: int | None) -> None:
        path = self.path
        self._dataset = open_raster(path, overview=overview)
        try:
            with settings(path):
                check_raster(self._dataset, path)
                self._bands = choose_bands(self._dataset, path, self._wanted)
                self._levels = self._find_levels(self._value_range)
                place = georeference_of(self._dataset, path)
        except BaseException:
            self.close()
            raise
        self._place = place if self._dataset.driver == "GTiff" or not place.empty else None

    @property
    def size(self) -> tuple[int, int]:
        """`(height, width)`."""
        return self._dataset.height, self._dataset.width

    @property
    def georeference(self) -> Georeference | None:
        """Where it lies on the earth; empty for a plain TIFF, None for other pictures that lie nowhere."""
        return self._place

    def rows(self, top: int, bottom: int) -> Rows:
        """Whole rows; see `RowSource`.

        Raises:
            DataError: They cannot be decoded, or hold NaN or infinity where there is data; it names the rows.
        """
        return self.window(top, 0, bottom, self.size[1])

    def window(self, top: int, left: int, bottom: int, right: int) -> Rows:
        """A part of the picture; see `RowSource`.

        Raises:
            DataError: As `rows`.
        """
        check_window(self.size, top, left, bottom, right)
        size = (bottom - top, right - left)
        picture = np.empty((*size, 3), np.uint8)
        valid = np.ones(size, np.bool_) if self._bands.masks or self._has_clear_colours() else None
        with settings(self.path) as rasterio:
            for piece in self._pieces(top, left, bottom, right):
                row, column, last_row, last_column = piece
                inside = (slice(row - top, last_row - top), slice(column - left, last_column - left))
                self._fill(rasterio, piece, picture[inside], None if valid is None else valid[inside])
        return picture, None if valid is None or valid.all() else valid

    def overview(self, *, longest: int = 2048) -> UInt8Array:
        """The whole picture, its longer side at most `longest`, out of the file's pyramid where it has one.

        Without a pyramid the whole file is decoded; of very large pictures only every n-th row and column is
        kept, before what is left is averaged.

        Raises:
            DataError: As `rows`.
        """
        height, width = wanted = shrunk(self.size, longest)
        factors: list[int] = self._dataset.overviews(self._bands.chosen[0])
        level = max((n for n, factor in enumerate(factors) if self.size[0] // factor >= height), default=None)
        source = self if level is None else RasterSource._at_level(self, level)
        try:
            step = max(1, min(source.size[0] // (2 * height), source.size[1] // (2 * width)))
            chunk = _CHUNK_ROWS // step * step or step
            kept = [
                # Copied, as a view would keep all rows in memory.
                np.array(source.rows(top, min(top + chunk, source.size[0]))[0][::step, ::step])
                for top in range(0, source.size[0], chunk)
            ]
            return resize_picture(np.concatenate(kept), wanted)
        finally:
            if source is not self:
                source.close()

    def close(self) -> None:
        """Closes the file."""
        with settings(self.path):
            self._dataset.close()

    @classmethod
    def _at_level(cls, source: RasterSource, level: int) -> RasterSource:
        """The same raster as its pyramid has it; 0 is the first picture that is smaller."""
        smaller = cls.__new__(cls)
        smaller.path, smaller._wanted, smaller._value_range = source.path, source._wanted, source._value_range
        smaller._open(level)
        return smaller

    def _find_levels(self, value_range: ValueRange | None) -> Any:
        band = self._bands.chosen[0]
        if self._bands.palette is not None:
            if value_range is not None:
                raise ConfigError(f"{self.path}: the colours of a palette take no value_range; leave it out")
            return None
        structure = self._dataset.tags(ns="IMAGE_STRUCTURE") | self._dataset.tags(band, ns="IMAGE_STRUCTURE")
        bits = structure.get("NBITS", "")
        return levels_of(
            self._dataset.dtypes[band - 1],
            bits=int(bits) if bits.isdecimal() and int(bits) > 0 else None,
            inverted=structure.get("MINISWHITE") == "YES",
            value_range=value_range,
            path=self.path,
        )

    def _has_clear_colours(self) -> bool:
        return self._bands.palette is not None and not self._bands.palette[:, 3].all()

    def _pieces(self, top: int, left: int, bottom: int, right: int) -> Iterator[tuple[int, int, int, int]]:
        """Parts of at most some 32 MB which together cut no block: `(top, left, bottom, right)`."""
        block_height, block_width = self._dataset.block_shapes[0]
        deep = np.dtype(self._dataset.dtypes[self._bands.chosen[0] - 1]).itemsize * len(self._bands.chosen)
        blocks_down = max(1, _PIECE_BYTES // (deep * block_height * (right - left)))
        height = blocks_down * block_height
        blocks_across = max(1, _PIECE_BYTES // (deep * height * block_width))
        width = blocks_across * block_width
        for row in range(top - top % height, bottom, height):
            for column in range(left - left % width, right, width):
                yield max(row, top), max(column, left), min(row + height, bottom), min(column + width, right)

    def _fill(
        self,
        rasterio: Any,
        piece: tuple[int, int, int, int],
        picture: UInt8Array,
        valid: npt.NDArray[np.bool_] | None,
    ) -> None:
        """Decodes a piece into its place `(h, w, 3)` of the picture and `(h, w)` of the valid pixels."""
        top, left, _, _ = piece
        chosen, palette = self._bands.chosen, self._bands.palette
        plain = len(chosen) == 3 and self._levels.unchanged
        kind = self._dataset.dtypes[chosen[0] - 1]
        values: npt.NDArray[Any] = picture if plain else np.empty((*picture.shape[:2], len(chosen)), kind)
        try:
            self._decode(rasterio, piece, values, valid)
        except (rasterio.errors.RasterioError, OSError, ValueError) as error:
            raise self._broken(rasterio, piece, values, error) from error
        if palette is not None:
            colours = palette[values[..., 0]]
            picture[...] = colours[..., :3]
            if valid is not None:
                valid &= colours[..., 3] > 0
        elif not plain:
            self._refuse_not_finite(values, valid, top, left)
            if valid is not None and values.dtype.kind == "f":
                values[~valid] = 0
            picture[...] = self._levels.apply(values)

    def _decode(
        self,
        rasterio: Any,
        piece: tuple[int, int, int, int],
        values: npt.NDArray[Any],
        valid: npt.NDArray[np.bool_] | None,
    ) -> None:
        """Reads the values `(h, w, bands)` of a piece, and which of its pixels are valid."""
        top, left, bottom, right = piece
        window = rasterio.windows.Window(left, top, right - left, bottom - top)
        self._dataset.read(list(self._bands.chosen), window=window, out=np.moveaxis(values, 2, 0))
        if valid is not None and self._bands.masks:
            valid[...] = False
            for band in self._bands.masks:
                valid |= self._dataset.read_masks(band, window=window) > 0

    def _broken(
        self, rasterio: Any, piece: tuple[int, int, int, int], scratch: npt.NDArray[Any], error: Exception
    ) -> UnreadableError:
        """Finds the first of the piece's rows of blocks that cannot be decoded."""
        top, left, bottom, right = piece
        block = self._dataset.block_shapes[0][0]
        for begin in range(top - top % block, bottom, block):
            first, last = max(begin, top), min(begin + block, bottom)
            try:
                self._decode(rasterio, (first, left, last, right), scratch[: last - first], None)
            except (rasterio.errors.RasterioError, OSError, ValueError) as found:
                top, bottom, error = first, last, found
                break
        return UnreadableError(
            f"{self.path}: rows {top} to {bottom - 1} cannot be decoded, the file is truncated or damaged "
            f"there ({reason(error)}); mend or replace it"
        )

    def _refuse_not_finite(
        self, values: npt.NDArray[Any], valid: npt.NDArray[np.bool_] | None, top: int, left: int
    ) -> None:
        place = first_not_finite(values, valid)
        if place is not None:
            row, column, band = place
            raise DataError(
                f"{self.path}: {values[place]} stands in row {top + row}, column {left + column} of band "
                f"{self._bands.chosen[band]}; set it as the file's nodata value, or fill such pixels"
            )
