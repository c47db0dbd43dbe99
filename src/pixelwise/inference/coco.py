"""The masks of many photos in one COCO json, read back one by one. Knows the masks' files, no network."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.data.io import read_mask_values
from pixelwise.data.raster import is_giant
from pixelwise.data.writers.coco import coco_annotations, coco_head, coco_image
from pixelwise.files import replacing
from pixelwise.inference.outputs import Outcome
from pixelwise.types import Classes

COCO_FILE = "coco.json"
"""In the folder of the results."""


def write_coco(path: Path, outcomes: Iterable[Outcome], classes: Classes) -> list[str]:
    """Writes the exact masks of all photos that have one; pictures are called as they were found.

    Returns:
        The names of those whose masks are too large to be held, which are left out.

    Raises:
        DataError: A mask is gone, or the disk is full.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    left_out: list[str] = []
    for outcome in outcomes:
        if outcome.error is not None:
            continue
        if is_giant(outcome.files["mask"]):
            left_out.append(outcome.photo.name)
            continue
        labels = read_mask_values(outcome.files["mask"]).astype(np.uint8, copy=False)
        number = len(images) + 1
        images.append(coco_image(number, f"{outcome.photo.name}{outcome.photo.path.suffix}", labels))
        annotations += coco_annotations(labels, classes, image=number, first=len(annotations) + 1)
    document = {**coco_head(classes), "images": images, "annotations": annotations}
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        json.dump(document, file, ensure_ascii=False)
    return left_out
