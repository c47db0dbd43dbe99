"""The outlines of a segmentation as polygons. Knows labels, no photo and no file format."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from pixelwise.data.writers.outline import drawn_regions, fill_outline
from pixelwise.drawing import IGNORE
from pixelwise.errors import ConfigError

if TYPE_CHECKING:
    from pixelwise.segmentation.segmentation import Segmentation


@dataclass(frozen=True, eq=False)
class Polygon:
    """The outline of a connected region, through the centres of its border pixels.

    Attributes:
        name: The class of what it encloses; None where it takes a class away: it is a hole, or ignored.
        points: `(n, 2) int64` x, y in order, the upper left pixel's centre being (0, 0). One point for a
            single pixel, two for a line of them.
        area: Pixels that the region encloses, its holes included.
        deviation: The greatest distance in pixels from the outline to a border pixel's centre; 0 = exact.
    """

    name: str | None
    points: npt.NDArray[np.int64]
    area: int
    deviation: float

    def draw(self, canvas: Image.Image, value: int) -> None:
        """Gives `value` to what it encloses, in a picture of mode L."""
        fill_outline(ImageDraw.Draw(canvas), self.points, value)


def find_polygons(
    segmentation: Segmentation, name: str | None, tolerance: float, min_area: int
) -> list[Polygon]:
    """See `Segmentation.polygons`."""
    check_tolerance(tolerance)
    if min_area < 1:
        raise ConfigError(f"min_area is a number of pixels, at least 1, got {min_area}")
    labels, unlabelled = segmentation.labels, IGNORE
    names: dict[int, str] = dict(enumerate(segmentation.classes.names))
    if name is not None:
        labels = (labels == segmentation.classes.id_of(name)).astype(np.uint8)
        names, unlabelled = {1: name}, 0
    found = drawn_regions(labels, unlabelled=unlabelled, tolerance=tolerance, min_area=min_area)
    return [Polygon(names.get(each.value), each.points, each.area, each.deviation) for each in found]


def check_tolerance(tolerance: float) -> None:
    """Raises `ConfigError` unless it is a distance in pixels."""
    if not (isfinite(tolerance) and tolerance >= 0):
        raise ConfigError(f"tolerance is a distance in pixels, 0 or more, got {tolerance}")
