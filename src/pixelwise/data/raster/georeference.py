"""Where a picture lies on the earth, carried from the file that is read to the one that is written.

Knows rasterio's datasets and world files; no pixel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pixelwise.errors import DataError

_STATING = ("GTiff", "JP2OpenJPEG")
_MOST_BYTES = 4096  # a world file holds six numbers


@dataclass(frozen=True, eq=False)
class Georeference:
    """What a GeoTIFF says of its place. Where all of it is empty, the picture is a TIFF without a place.

    Attributes:
        crs: The coordinate system, as rasterio's `CRS`; None where there is none.
        transform: From (column, row) to coordinates, as an `Affine`; None where there is none.
        gcps: Ground control points, rasterio's, in `gcps_crs`.
        gcps_crs: The coordinate system of the ground control points.
        rpcs: Rational polynomial coefficients, rasterio's `RPC`.
        point: Whether the file says that a value belongs to a point, not to an area.
    """

    crs: Any = None
    transform: Any = None
    gcps: Sequence[Any] = field(default=())
    gcps_crs: Any = None
    rpcs: Any = None
    point: bool = False

    @property
    def empty(self) -> bool:
        """Whether nothing is known of the picture's place."""
        return self.crs is None and self.transform is None and not self.gcps and self.rpcs is None


def georeference_of(dataset: Any, path: Path) -> Georeference:
    """What a dataset says of its place; where it says nothing, what a world file beside it says.

    Raises:
        DataError: The world file does not hold six numbers.
    """
    gcps, gcps_crs = dataset.gcps
    # Of a format that knows no transform, rasterio hands out whatever stood in memory.
    stated = dataset.driver in _STATING and not dataset.transform.is_identity
    transform = dataset.transform if stated else None
    if transform is None and not gcps:
        transform = _world_file(path, type(dataset.transform))
    return Georeference(
        crs=dataset.crs,
        transform=transform,
        gcps=tuple(gcps),
        gcps_crs=gcps_crs,
        rpcs=dataset.rpcs,
        point=dataset.tags().get("AREA_OR_POINT") == "Point",
    )


def _world_file(path: Path, affine: Any) -> Any:
    """The transform that a world file states: `photo.tfw`, `photo.tifw` or `photo.wld` for `photo.tif`."""
    ending = path.suffix.lstrip(".")
    names = [f"{ending[:1]}{ending[-1:]}w", f"{ending}w", "wld"]
    for name in (variant for plain in names for variant in (plain, plain.lower(), plain.upper())):
        world = path.with_suffix(f".{name}")
        if not world.is_file() or world == path:
            continue
        try:
            with world.open("rb") as file:
                values = [float(word.replace(b",", b".")) for word in file.read(_MOST_BYTES).split()]
        except (OSError, ValueError) as error:
            raise DataError(f"{world}: no world file of six numbers ({error}); mend or remove it") from error
        if len(values) != 6 or not all(map(math.isfinite, values)):
            raise DataError(
                f"{world}: a world file holds six numbers, this one {len(values)}; mend or remove it"
            )
        x_by_column, y_by_column, x_by_row, y_by_row, x, y = values
        # The file states the centre of the first pixel, a transform its upper left corner.
        return affine(
            x_by_column, x_by_row, x - (x_by_column + x_by_row) / 2,
            y_by_column, y_by_row, y - (y_by_column + y_by_row) / 2,
        )  # fmt: skip
    return None
