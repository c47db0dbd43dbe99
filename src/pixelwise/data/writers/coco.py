"""A data set written as COCO: `images/` and one json of instances for each split.

Each class of a picture is one annotation, as compressed run lengths, which are exact. Pixels without an
annotation are the background, where the classes have one; where they have none, or where a picture has
ignored pixels, a category `__ignore__` says so. Knows this layout; the samples come from `convert`, or from
whoever predicted them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt
from pycocotools import mask as run_lengths

from pixelwise.data.background import IGNORE_CATEGORY, is_background
from pixelwise.drawing import IGNORE
from pixelwise.types import Classes


@dataclass(eq=False)
class _Document:
    """A json under way: its annotations are in a file of their own until all are known."""

    images: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    annotations: int = 0


class CocoWriter:
    """`images/NAME` and `annotations/instances_SPLIT.json`."""

    def __init__(self, root: Path, classes: Classes, with_splits: bool) -> None:
        self._root, self._classes = root, classes
        self._documents: dict[str, _Document] = {}

    def picture_path(self, name: str, split: str, ending: str) -> Path:
        """All pictures lie in one folder."""
        return self._root / "images" / f"{name}{ending}"

    def add(self, name: str, split: str, picture: Path, mask: npt.NDArray[np.uint8]) -> None:
        """The picture and its annotations."""
        document = self._documents.setdefault(split, _Document())
        number = len(document.images) + 1
        document.images.append(coco_image(number, picture.name, mask))
        with self._lines(split).open("a", encoding="utf-8") as file:
            for annotation in coco_annotations(
                mask, self._classes, image=number, first=document.annotations + 1
            ):
                document.annotations += 1
                file.write((",\n" if document.annotations > 1 else "") + json.dumps(annotation))

    def finish(self, splits: Mapping[str, Sequence[str]]) -> None:
        """Puts each split's json together, annotation by annotation."""
        for split, document in self._documents.items():
            target = self._root / "annotations" / f"instances_{split or 'default'}.json"
            target.parent.mkdir(parents=True, exist_ok=True)
            lines = self._lines(split)
            with target.open("w", encoding="utf-8") as file:
                file.write(json.dumps(coco_head(self._classes), ensure_ascii=False)[:-1])
                file.write(',\n"images": ' + json.dumps(document.images, ensure_ascii=False))
                file.write(',\n"annotations": [')
                _append(lines, file)
                file.write("]}\n")
            lines.unlink(missing_ok=True)

    def _lines(self, split: str) -> Path:
        return self._root / f".annotations_{split or 'default'}"


def coco_head(classes: Classes) -> dict[str, Any]:
    """What a json begins with: the categories, number 0 being the ignored pixels and 1 the first class."""
    known = [
        {"id": i + 1, "name": name, "supercategory": "", "color": list(colour)}
        for i, (name, colour) in enumerate(zip(classes.names, classes.colours, strict=True))
    ]
    ignored = {"id": 0, "name": IGNORE_CATEGORY, "supercategory": "", "color": [0, 0, 0]}
    return {"info": {"description": "written by pixelwise"}, "categories": [ignored, *known]}


def coco_image(number: int, name: str, mask: npt.NDArray[np.uint8]) -> dict[str, Any]:
    """What a json says of the picture of a mask `(H, W)`."""
    return {"id": number, "file_name": name, "height": mask.shape[0], "width": mask.shape[1]}


def coco_annotations(
    mask: npt.NDArray[np.uint8], classes: Classes, *, image: int, first: int
) -> Iterator[dict[str, Any]]:
    """One annotation for each class that occurs, but for the background, and one for ignored pixels.

    Args:
        mask: `(H, W)` train ids, 255 = ignore.
        classes: Their names; where none is the background, it is ignored pixels that have no annotation.
        image: The picture's number.
        first: The first annotation's number; the others count on from it.
    """
    unlabelled = next((i for i, name in enumerate(classes.names) if is_background(name)), IGNORE)
    values = (value for value in np.unique(mask).tolist() if value != unlabelled)
    for number, value in enumerate(values, start=first):
        yield _annotation(number, image, 0 if value == IGNORE else value + 1, mask == value)


def _annotation(number: int, image: int, category: int, inside: npt.NDArray[np.bool_]) -> dict[str, Any]:
    runs = run_lengths.encode(np.asfortranarray(inside, np.uint8))
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    left, top = int(columns[0]), int(rows[0])
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "iscrowd": 0,
        "area": int(inside.sum()),
        "bbox": [left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1],
        "segmentation": {"size": list(inside.shape), "counts": cast("bytes", runs["counts"]).decode("ascii")},
    }


def _append(source: Path, target: IO[str]) -> None:
    if source.is_file():
        with source.open(encoding="utf-8") as lines:
            target.writelines(lines)
