"""COCO's annotations drawn as raw values: category by category, in the order that decides who lies on top.

Knows one picture's annotations; which picture that is, and what the categories become, it is told.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from pixelwise.data.entries import Entry
from pixelwise.data.formats.coco_index import CocoIndex
from pixelwise.data.formats.rle import parse_runs, unpack_runs
from pixelwise.data.io import RawMask, read_mask_values
from pixelwise.data.json_file import member, objects
from pixelwise.data.mapping import colour_codes
from pixelwise.data.shapes import check_inside, parse_flat
from pixelwise.errors import DataError
from pixelwise.types import size_text

_IDS = 1 << 24
"""Three bytes of a pixel make an id."""


class _Annotations:
    """What both kinds share: where a sample's annotations are.

    Args:
        indices: The json files.
        places: For each sample its file and its picture's number there.
        raws: Category id -> raw value, from 1; 0 is for pixels without a label.
    """

    def __init__(
        self, indices: tuple[CocoIndex, ...], places: Sequence[tuple[int, int]], raws: Mapping[int, int]
    ) -> None:
        self._indices = indices
        self._places = np.array(places, np.int32)
        self._raws = raws
        self._type = np.uint8 if len(raws) < 255 else np.uint16
        self._kept = threading.local()

    def _find(self, index: int, entry: Entry, size: tuple[int, int]) -> tuple[CocoIndex, int]:
        document, image = self._indices[int(self._places[index, 0])], int(self._places[index, 1])
        height, width = (int(side) for side in document.sizes[image])
        if (height, width) != tuple(size):
            turned = " turned by its EXIF tag, perhaps" if (width, height) == tuple(size) else ""
            raise DataError(
                f"{document.path} says that {entry.image} is {width}x{height}, but it is "
                f"{size_text(size)}{turned}; "
                "put the picture back that was labelled, or correct the json"
            )
        return document, image

    def _raw_of(self, annotation: dict[str, Any], where: str) -> int:
        category = member(annotation, "category_id", int, where)
        if category not in self._raws:
            raise DataError(f"{where}: there is no category {category}; add it, or remove the annotation")
        return self._raws[category]


class CocoShapes(_Annotations):
    """Instances: polygons and run lengths."""

    drawn = True

    def raw(self, index: int, entry: Entry, size: tuple[int, int]) -> RawMask:
        """Raw values `(H, W) uint16`; crowds lie below, and what comes later lies on top."""
        document, image = self._find(index, entry, size)
        canvas: RawMask = np.zeros(size[0] * size[1], self._type)  # column by column, as run lengths go
        for annotation, where in document.annotations(image):
            value = self._raw_of(annotation, where)
            paint(canvas, runs_of(annotation.get("segmentation"), size, where), value)
        return np.ascontiguousarray(np.swapaxes(np.reshape(canvas, (size[1], size[0])), 0, 1))


class CocoPanoptic(_Annotations):
    """Panoptic maps: the colour of a pixel is the id of its segment."""

    drawn = False

    def raw(self, index: int, entry: Entry, size: tuple[int, int]) -> RawMask:
        """Raw values `(H, W) uint16`; 0 for void.

        Raises:
            DataError: The map has another size, or a segment that the json does not list.
        """
        document, image = self._find(index, entry, size)
        colours = read_mask_values(entry.labels)
        if colours.shape != (*size, 3):
            raise DataError(
                f"{entry.labels} is no RGB map of {size_text(size)}, its picture's size; pair the right files"
            )
        annotation, where = next(document.annotations(image))
        segments: dict[int, int] = {}
        for segment in objects(annotation, "segments_info", where):
            number = member(segment, "id", int, where)
            if not 0 < number < _IDS:
                raise DataError(
                    f"{where}: segment ids lie in 1..{_IDS - 1:,}, got {number}; export the set again"
                )
            segments[number] = self._raw_of(segment, where)
        codes = colour_codes(colours)
        found = self._look_up(codes, segments)
        strange = (found == 0) & (codes != 0)
        if bool(strange.any()):
            number = int(codes[strange][0])
            raise DataError(
                f"{entry.labels}: {int((codes == number).sum()):,} pixels belong to segment {number}, which "
                f"the json does not list for {entry.image.name}; pair the right files"
            )
        return found

    def _look_up(self, codes: npt.NDArray[np.uint32], segments: Mapping[int, int]) -> RawMask:
        """The raw value of each id, by a table of all ids that a thread keeps, and clears behind itself."""
        table: RawMask | None = getattr(self._kept, "table", None)
        if table is None:
            table = self._kept.table = np.zeros(_IDS, self._type)
        ids = list(segments)
        table[ids] = list(segments.values())
        found = np.take(table, codes)
        table[ids] = 0
        return found


def runs_of(segmentation: object, size: tuple[int, int], where: str) -> npt.NDArray[np.int64]:
    """A segmentation as run lengths of 0 and 1 by turns, polygons as the official library draws them.

    Raises:
        DataError: It is empty, or no polygons and no run lengths, or lies outside the picture.
    """
    if isinstance(segmentation, dict):
        return parse_runs(cast("dict[str, Any]", segmentation), size, where)
    if not isinstance(segmentation, list) or not segmentation:
        raise DataError(f"{where}: it has no segmentation, only a box; draw its outline, or remove it")
    from pycocotools import mask as official

    polygons: list[list[float]] = []
    for part in cast("list[object]", segmentation):
        points = parse_flat(part, where)
        check_inside(points, size, where)
        polygons.append(points.ravel().tolist())
    library: Any = official  # its types know fewer forms than it does
    packed: bytes = library.merge(library.frPyObjects(polygons, *size))["counts"]
    return unpack_runs(packed.decode("ascii"), where)


def paint(canvas: RawMask, runs: npt.NDArray[np.int64], value: int) -> None:
    """Writes a value into the runs of ones of a flat canvas."""
    ends = np.cumsum(runs)
    for start, stop in zip(ends[:-1:2].tolist(), ends[1::2].tolist(), strict=True):
        canvas[start:stop] = value
