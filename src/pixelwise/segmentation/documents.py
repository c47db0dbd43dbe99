"""Segmentations as files that labelling tools open, so that people correct them and train again.

What such a file looks like is known to `pixelwise.data.writers`, which writes whole data sets by the same
code.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from pixelwise.data.formats.labelme_names import LABELS_FILE, read_labels
from pixelwise.data.io import picture_size, read_picture
from pixelwise.data.writers.coco import coco_annotations, coco_head, coco_image
from pixelwise.data.writers.labelme import labelme_document, labelme_text, labels_text
from pixelwise.errors import ConfigError, DataError
from pixelwise.files import write_whole
from pixelwise.segmentation.cutout import photo_of
from pixelwise.segmentation.polygon import check_tolerance
from pixelwise.types import Classes, size_text

if TYPE_CHECKING:
    from pixelwise.segmentation.segmentation import Segmentation


def write_labelme(segmentation: Segmentation, path: Path, picture: Path | None, tolerance: float) -> Path:
    """See `Segmentation.save_labelme`."""
    check_tolerance(tolerance)
    _check_ending(path)
    if picture is None:
        picture = _write_photo(segmentation, path.with_suffix(".png"))
    else:
        _check_size(segmentation, picture)
    _write_labels(segmentation.classes, path.with_name(LABELS_FILE))
    document = labelme_document(
        segmentation.labels, segmentation.classes, _way(path.parent, picture), tolerance=tolerance
    )
    write_whole(path, labelme_text(document))
    return path


def write_coco(segmentation: Segmentation, path: Path, picture: Path) -> Path:
    """See `Segmentation.save_coco`."""
    _check_ending(path)
    _check_size(segmentation, picture)
    document = coco_document({picture.name: segmentation})
    write_whole(path, json.dumps(document, ensure_ascii=False).encode())
    return path


def coco_document(segmentations: Mapping[str, Segmentation]) -> dict[str, Any]:
    """The COCO json of many pictures: `json.dump` writes it.

    Each class of a picture is one annotation, with its area, box and run lengths, which are exact; the
    background has none.

    Args:
        segmentations: By the picture's file name, as the json shall call it.

    Raises:
        ConfigError: There is none, or they differ in their classes.
    """
    first = next(iter(segmentations.values()), None)
    if first is None:
        raise ConfigError("a COCO json needs at least one segmentation, got none")
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, (name, segmentation) in enumerate(segmentations.items(), start=1):
        if segmentation.classes.names != first.classes.names:
            raise ConfigError(f"{name}: its classes are not those of the first picture; write two files")
        images.append(coco_image(number, name, segmentation.labels))
        annotations += coco_annotations(
            segmentation.labels, first.classes, image=number, first=len(annotations) + 1
        )
    return {**coco_head(first.classes), "images": images, "annotations": annotations}


def _check_ending(path: Path) -> None:
    if path.suffix.lower() != ".json":
        raise ConfigError(f"{path}: labelling tools open .json only; name the file {path.stem}.json")


def _check_size(segmentation: Segmentation, picture: Path) -> None:
    size = picture_size(picture)
    if size != segmentation.labels.shape:
        raise DataError(
            f"{picture} is {size_text(size)}, but the segmentation {size_text(segmentation.labels.shape)}: "
            "name the photo that was segmented"
        )


def _write_photo(segmentation: Segmentation, path: Path) -> Path:
    photo = Image.fromarray(photo_of(segmentation, "a LabelMe json without picture="))
    if path.exists():
        _check_size(segmentation, path)
        if not np.array_equal(read_picture(path), np.asarray(photo)):
            raise DataError(f"{path} is there and another picture: name the photo with picture=")
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        photo.save(path)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written ({error.strerror or error}): choose another folder"
        ) from error
    return path


def _write_labels(classes: Classes, path: Path) -> None:
    """labels.txt keeps the classes' order; one that has them all already stays."""
    if path.exists():
        missing = [name for name in classes.names if name.strip() not in read_labels(path)]
        if missing:
            raise ConfigError(
                f"{path} does not name {', '.join(missing[:6])}: add it there, or choose another folder"
            )
    else:
        write_whole(path, labels_text(classes))


def _way(folder: Path, picture: Path) -> str:
    try:
        return Path(os.path.relpath(picture, folder)).as_posix()
    except ValueError:  # Windows: on another drive
        return picture.absolute().as_posix()
