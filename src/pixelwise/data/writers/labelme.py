"""A data set written as LabelMe: one json beside each picture, and labels.txt.

Each region of one class is a polygon through the centres of its border pixels, larger ones first, so that
drawing them one over the other gives the mask back to the pixel. Knows this layout; the samples come from
`convert`, or from whoever predicted them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwise.data.background import IGNORE_CATEGORY, is_background
from pixelwise.data.writers.outline import Region, drawn_regions
from pixelwise.drawing import IGNORE
from pixelwise.files import write_whole
from pixelwise.types import Classes

_VERSION = "5.5.0"  # of LabelMe, whose files these are like


class LabelMeWriter:
    """NAME.jpg + NAME.json in the root, or in the folder of their split; labels.txt in the root."""

    def __init__(self, root: Path, classes: Classes, with_splits: bool) -> None:
        self._root, self._classes, self._with_splits = root, classes, with_splits

    def picture_path(self, name: str, split: str, ending: str) -> Path:
        """Beside its json."""
        return (self._root / split if self._with_splits else self._root) / f"{name}{ending}"

    def add(self, name: str, split: str, picture: Path, mask: npt.NDArray[np.uint8]) -> None:
        """The shapes of a picture."""
        document = labelme_document(mask, self._classes, picture.name)
        write_whole(picture.with_suffix(".json"), labelme_text(document))

    def finish(self, splits: Mapping[str, Sequence[str]]) -> None:
        """labels.txt for all of them."""
        write_whole(self._root / "labels.txt", labels_text(self._classes))


def labelme_document(
    mask: npt.NDArray[np.uint8], classes: Classes, picture: str, *, tolerance: float = 0.0
) -> dict[str, Any]:
    """The json of a picture; background is drawn only where something lies below it.

    Args:
        mask: `(H, W)` train ids, 255 = ignore.
        classes: Their names; what nobody drew around is the one that is called background, else ignored.
        picture: The picture's path from the json, with forward slashes.
        tolerance: Outlines may be so many pixels off; with 0 the mask comes back to the pixel.
    """
    background = next((i for i, name in enumerate(classes.names) if is_background(name)), IGNORE)
    found = drawn_regions(mask, unlabelled=background, tolerance=tolerance)
    return {
        "version": _VERSION,
        "flags": {},
        "shapes": [_shape(region, classes) for region in found],
        "imagePath": picture,
        "imageData": None,
        "imageHeight": mask.shape[0],
        "imageWidth": mask.shape[1],
    }


def labelme_text(document: Mapping[str, Any]) -> bytes:
    """A json as LabelMe saves it."""
    return json.dumps(document, ensure_ascii=False, indent=1).encode()


def labels_text(classes: Classes) -> bytes:
    """labels.txt with `__ignore__` first, as LabelMe's own conversions expect it."""
    return "".join(f"{line}\n" for line in (IGNORE_CATEGORY, *classes.names)).encode()


def _shape(region: Region, classes: Classes) -> dict[str, Any]:
    label = IGNORE_CATEGORY if region.value == IGNORE else classes.names[region.value]
    points = [[float(x), float(y)] for x, y in region.points.tolist()]
    if len(points) < 3:  # a pixel, or a line of them, is a rectangle: a polygon needs three corners
        (left, top), (right, bottom) = sorted([points[0], points[-1]])
        points = [[left, min(top, bottom)], [right, max(top, bottom)]]
    kind = "rectangle" if len(points) == 2 else "polygon"
    return {"label": label, "points": points, "group_id": None, "shape_type": kind, "flags": {}}
