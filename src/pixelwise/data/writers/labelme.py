"""A data set written as LabelMe: one json beside each picture, and labels.txt.

Each region of one class is a polygon through the centres of its border pixels, larger ones first, so that
drawing them one over the other gives the mask back to the pixel. Knows this layout; the samples come from
`convert`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwise.data.background import IGNORE_CATEGORY, is_background
from pixelwise.data.writers.outline import Region, regions
from pixelwise.drawing import IGNORE
from pixelwise.files import write_whole
from pixelwise.types import Classes

_VERSION = "5.5.0"  # of LabelMe, whose files these are like


class LabelMeWriter:
    """NAME.jpg + NAME.json in the root, or in the folder of their split; labels.txt in the root."""

    def __init__(self, root: Path, classes: Classes, with_splits: bool) -> None:
        self._root, self._classes, self._with_splits = root, classes, with_splits
        self._background = next((i for i, name in enumerate(classes.names) if is_background(name)), None)

    def picture_path(self, name: str, split: str, ending: str) -> Path:
        """Beside its json."""
        return (self._root / split if self._with_splits else self._root) / f"{name}{ending}"

    def add(self, name: str, split: str, picture: Path, mask: npt.NDArray[np.uint8]) -> None:
        """The shapes of a picture; background only where it must be drawn over something."""
        document: dict[str, Any] = {
            "version": _VERSION,
            "flags": {},
            "shapes": [self._shape(region) for region in self._drawn(mask)],
            "imagePath": picture.name,
            "imageData": None,
            "imageHeight": mask.shape[0],
            "imageWidth": mask.shape[1],
        }
        text = json.dumps(document, ensure_ascii=False, indent=1)
        write_whole(picture.with_suffix(".json"), text.encode())

    def finish(self, splits: Mapping[str, Sequence[str]]) -> None:
        """labels.txt with `__ignore__` first, as LabelMe's own conversions expect it."""
        lines = [IGNORE_CATEGORY, *self._classes.names]
        write_whole(self._root / "labels.txt", "".join(f"{line}\n" for line in lines).encode())

    def _drawn(self, mask: npt.NDArray[np.uint8]) -> list[Region]:
        """The regions that must be drawn: unlabelled pixels are background already, if nothing lies below."""
        unlabelled = self._background if self._background is not None else IGNORE
        found = regions(mask)
        return [
            region
            for place, region in enumerate(found)
            if region.value != unlabelled or any(_may_cover(other, region) for other in found[:place])
        ]

    def _shape(self, region: Region) -> dict[str, Any]:
        label = IGNORE_CATEGORY if region.value == IGNORE else self._classes.names[region.value]
        points = [[float(x), float(y)] for x, y in region.points.tolist()]
        if len(points) < 3:  # a pixel, or a line of them, is a rectangle: a polygon needs three corners
            (left, top), (right, bottom) = sorted([points[0], points[-1]])
            points = [[left, min(top, bottom)], [right, max(top, bottom)]]
        kind = "rectangle" if len(points) == 2 else "polygon"
        return {"label": label, "points": points, "group_id": None, "shape_type": kind, "flags": {}}


def _may_cover(outer: Region, inner: Region) -> bool:
    """Whether the outline of one could enclose the other, by the boxes round them."""
    low, high = inner.points.min(axis=0), inner.points.max(axis=0)
    return bool((outer.points.min(axis=0) < low).all() and (outer.points.max(axis=0) > high).all())
