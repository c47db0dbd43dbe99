"""Label maps of any size, written from top to bottom as they are made; a killed run goes on.

    sink = open_sink(path, source.size, classes, identity=..., resume=True, place=source.georeference)
    for top in range(sink.rows_done, height, 512):
        sink.write(labels)  # those of the rows from `top` on, as many as come
    sink.close(complete=True)

Knows no network. What a format makes of rows lies in `png` and `geotiff`, what makes bytes safe in
`part_file`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pixelwise.data.raster.checks import MAX_SIDE
from pixelwise.data.raster.georeference import Georeference
from pixelwise.data.raster.geotiff import GeoTiffLayout
from pixelwise.data.raster.layout import BLOCK, Layout
from pixelwise.data.raster.part_file import PartFile
from pixelwise.data.raster.png import PngLayout
from pixelwise.data.raster.source import RowSource
from pixelwise.errors import ConfigError, DataError
from pixelwise.types import Classes, size_text

UInt8Array = npt.NDArray[np.uint8]
_TIFF_ENDINGS = (".tif", ".tiff")


class LabelSink(Protocol):
    """A label map that is written from top to bottom."""

    @property
    def rows_done(self) -> int:
        """So many rows are safe on the disk; the first that `write` must bring, when it is opened."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """For the user: why an earlier run cannot be gone on with, or what the file cannot hold."""
        ...

    def write(self, labels: UInt8Array) -> None:
        """Takes the next rows, `(h, W) uint8` train ids, 255 = ignore.

        Raises:
            DataError: The disk is full, or the folder cannot be written. What is safe stays.
        """
        ...

    def close(self, *, complete: bool) -> None:
        """Ends the file.

        Args:
            complete: Whether all rows were written, so that the file gets its name. Else it stays what it is:
                a part that can be looked at, and gone on with. Does nothing after an error of `write`.

        Raises:
            DataError: As `write`.
        """
        ...


class PartSink:
    """A `LabelSink` into a file that grows beside its later name."""

    def __init__(self, part: PartFile, layout: Layout, *, resume: bool) -> None:
        self._part, self._layout = part, layout
        self._open = True
        self._notes = layout.notes
        reason = part.resume(layout.head, layout.changing) if resume else ""
        if reason is None and not layout.resume(part):
            reason = "its parts do not fit together"
        if reason is not None:
            if reason:
                self._notes += (f"{part.target}: begun anew, as what was written cannot be used: {reason}",)
            part.begin(layout.head)
        self._height, self._width = part.state.size
        self._received = part.state.rows
        self._block = np.empty((min(BLOCK, self._height), self._width), np.uint8)

    @property
    def rows_done(self) -> int:
        """So many rows are safe on the disk: a multiple of 512, or all."""
        return self._part.state.rows

    @property
    def notes(self) -> tuple[str, ...]:
        """See `LabelSink`."""
        return self._notes

    def write(self, labels: UInt8Array) -> None:
        """Takes the next rows; see `LabelSink`."""
        self._check(labels)
        while len(labels):
            filled = self._received % BLOCK
            taken = min(BLOCK - filled, len(labels))
            self._block[filled : filled + taken] = labels[:taken]
            labels = labels[taken:]
            self._received += taken
            if self._received % BLOCK == 0 or self._received == self._height:
                try:
                    self._layout.add(self._part, self._block[: filled + taken])
                except BaseException:
                    self._open = False
                    self._part.close()
                    raise

    def close(self, *, complete: bool) -> None:
        """Ends the file; see `LabelSink`."""
        if not self._open:
            return
        if complete and self._received < self._height:
            raise ValueError(f"{self._received} of {self._height} rows were written")
        self._open = False
        try:
            if complete:
                if not self._part.state.finished:
                    self._layout.complete(self._part)
                self._part.finish()
        finally:
            self._part.close()

    def _check(self, labels: UInt8Array) -> None:
        if not self._open:
            raise ValueError("the label map is closed")
        if labels.dtype != np.uint8 or labels.ndim != 2 or labels.shape[1] != self._width:
            raise ValueError(f"labels must be (h, {self._width}) uint8, got {labels.shape} {labels.dtype}")
        if self._received + len(labels) > self._height:
            raise ValueError(f"{self._received + len(labels)} rows for a picture of {self._height}")


def sink_ending(source: RowSource) -> str:
    """`.tif` for what is georeferenced or a TIFF, `.png` for all else."""
    return ".png" if source.georeference is None else ".tif"


def open_sink(
    path: Path,
    size: tuple[int, int],
    classes: Classes,
    *,
    identity: str,
    resume: bool = False,
    place: Georeference | None = None,
    overviews: bool = True,
) -> PartSink:
    """Opens a label map to write: a palette PNG, or a GeoTIFF of tiles with a pyramid, by the ending.

    Args:
        path: Its name when it is complete; until then there are `.NAME.part` and `.NAME.state` beside it.
        size: `(height, width)`.
        classes: Whose colours become the palette.
        identity: A text with all that makes the labels what they are: model, settings, source.
        resume: Whether to go on where an earlier run of the same identity ended; where that cannot be, the
            map is begun anew, and `notes` says why.
        place: Where a GeoTIFF lies on the earth.
        overviews: Whether a GeoTIFF gets a pyramid, for viewers to be quick.

    Raises:
        ConfigError: The ending is another one.
        DataError: The picture is too large each way; the folder cannot be written; another process is writing
            the same file; rasterio is missing for a GeoTIFF.
    """
    if max(size) > MAX_SIDE or min(size) < 1:
        raise DataError(f"{path}: a label map has 1 to {MAX_SIDE:,} pixels each way, not {size_text(size)}")
    ending = path.suffix.lower()
    if ending == ".png":
        layout: Layout = PngLayout(size, classes)
    elif ending in _TIFF_ENDINGS:
        layout = GeoTiffLayout(path, size, classes, place=place, overviews=overviews)
    else:
        raise ConfigError(f"{path}: a large label map is written as .png or .tif, not as {ending or 'that'}")
    part = PartFile(path, identity=identity, size=size)
    try:
        return PartSink(part, layout, resume=resume)
    except BaseException:
        part.close()
        raise
