"""One of COCO's json files read through once, and what was found put in order.

Knows the members of pictures, categories and annotations as far as an index needs them; draws nothing.
"""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from pixelwise.data.entries import Texts
from pixelwise.data.formats.coco_index import DAMAGED, INSTANCES, PANOPTIC, Category, CocoIndex
from pixelwise.data.formats.json_scan import WINDOW, Piece, scan
from pixelwise.data.json_file import member, type_name
from pixelwise.errors import DataError

_LARGEST_SIDE = 1 << 20


def index_coco(path: Path, *, window: int = WINDOW) -> CocoIndex:
    """Reads a file through once.

    Raises:
        DataError: It is no whole json; a picture, category or annotation lacks what it needs, or stands
            twice; an annotation is of a picture or category that the file does not list.
    """
    gathered = _Gathered(path)
    for piece in scan(path, window=window):
        gathered.take(piece)
    return gathered.index()


def kind_of(path: Path) -> str:
    """`instances` or `panoptic` by the first annotation, or `damaged`; empty for any other json."""
    try:
        for piece in scan(path):
            if piece.key == "annotations" and isinstance(piece.value, dict):
                return _kind(cast("dict[str, Any]", piece.value))
            if piece.key == "shapes":  # LabelMe
                return ""
    except DataError:
        return DAMAGED
    return ""


def _kind(annotation: dict[str, Any]) -> str:
    if "segments_info" in annotation:
        return PANOPTIC
    return INSTANCES if "segmentation" in annotation or "bbox" in annotation else ""


def _colour(value: Any) -> tuple[int, int, int] | None:
    if not isinstance(value, list) or [type(v) for v in cast("list[Any]", value)] != [int] * 3:
        return None
    red, green, blue = cast("list[int]", value)
    return (red, green, blue) if min(red, green, blue) >= 0 and max(red, green, blue) < 256 else None


class _Gathered:
    """What has been read so far; pictures and annotations come in any order."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kind = ""
        self._categories: dict[int, Category] = {}
        self._images: dict[int | str, int] = {}
        self._names = Texts()
        self._sizes = array("i")
        self._keys: dict[str, int] = {}  # ids that are texts, as numbers
        self._owners, self._starts, self._lengths = array("q"), array("q"), array("i")
        self._crowds = bytearray()
        self._used: dict[int, str] = {}
        self._shapes = 0
        self._maps = Texts()

    def take(self, piece: Piece) -> None:
        """One element of the file."""
        if piece.key not in ("images", "categories", "annotations"):
            return
        if not isinstance(piece.value, dict):
            raise DataError(
                f"{self._where(piece)}: an object was expected, but this is {type_name(piece.value)}"
            )
        value = cast("dict[str, Any]", piece.value)
        if piece.key == "annotations":
            self._annotation(value, piece)
        elif piece.key == "images":
            self._image(value, self._where(piece))
        else:
            self._category(value, self._where(piece))

    def _where(self, piece: Piece) -> str:
        return f"{self._path}, {piece.key} at byte {piece.start:,}"

    def _image(self, value: dict[str, Any], where: str) -> None:
        number = _id(value, "id", where)
        if number in self._images:
            raise DataError(f"{where}: the picture {number!r} stands there twice; remove one")
        self._images[number] = len(self._images)
        self._names.append(member(value, "file_name", str, where))
        for name in ("height", "width"):
            side = member(value, name, int, where)
            if not 0 < side <= _LARGEST_SIDE:
                raise DataError(f"{where}: {name} must lie in 1..{_LARGEST_SIDE:,}, got {side}")
            self._sizes.append(side)

    def _category(self, value: dict[str, Any], where: str) -> None:
        number, name = member(value, "id", int, where), member(value, "name", str, where).strip()
        same = next((c for c in self._categories.values() if c.id == number or c.name == name), None)
        if same is not None or not name:
            fault = f"{same.id} ({same.name}) is there already" if same is not None else "it has no name"
            raise DataError(f"{where}: category {number} ({name}): {fault}; give each its own id and name")
        above = value.get("supercategory")
        text = above if isinstance(above, str) else ""
        self._categories[number] = Category(number, name, text, _colour(value.get("color")))

    def _annotation(self, value: dict[str, Any], piece: Piece) -> None:
        """Called a million times: messages are made only where they are needed."""
        kind = _kind(value)
        if kind != self._kind:
            self._set_kind(kind, piece)
        owner = value.get("image_id")
        if type(owner) is not int or owner < 0:
            owner = self._number(_id(value, "image_id", self._where(piece)))
        self._owners.append(owner)
        self._starts.append(piece.start)
        self._lengths.append(piece.length)
        self._crowds.append(bool(value.get("iscrowd")))
        if kind == INSTANCES:
            category = value.get("category_id")
            if type(category) is not int:
                category = member(value, "category_id", int, self._where(piece))
            if category not in self._used:
                self._used[category] = self._where(piece)
            self._shapes += bool(value.get("segmentation"))
        else:
            self._maps.append(member(value, "file_name", str, self._where(piece)))

    def _set_kind(self, kind: str, piece: Piece) -> None:
        if not kind:
            raise DataError(
                f"{self._where(piece)}: an annotation needs a segmentation or segments_info; captions are no "
                "masks"
            )
        if self._kind:
            raise DataError(
                f"{self._where(piece)}: {kind} among {self._kind}; keep them in files of their own"
            )
        self._kind = kind

    def _number(self, key: int | str) -> int:
        """An id as a number: itself from 0 on, below 0 for a text."""
        return key if isinstance(key, int) else -1 - self._keys.setdefault(key, len(self._keys))

    def index(self) -> CocoIndex:
        """Puts the annotations in the order of the pictures."""
        self._check_categories()
        images = self._pictures_of_annotations()
        crowds = np.frombuffer(bytes(self._crowds), np.uint8).astype(np.int8)
        order = np.lexsort((np.arange(len(images)), -crowds, images))
        return CocoIndex(
            self._path,
            self._kind,
            tuple(self._categories[number] for number in sorted(self._categories)),
            self._names,
            np.reshape(np.array(self._sizes, np.int32), (-1, 2)),
            frozenset(self._used),
            self._shapes,
            np.searchsorted(images[order], np.arange(len(self._images) + 1)).astype(np.int64),
            np.array(self._starts, np.int64)[order],
            np.array(self._lengths, np.int32)[order],
            Texts(self._maps[int(place)] for place in order) if self._kind == PANOPTIC else Texts(),
        )

    def _check_categories(self) -> None:
        for number, where in self._used.items():
            if number not in self._categories:
                listed = [f"{c.id} ({c.name})" for c in self._categories.values()]
                more = f" and {len(listed) - 6} more" if len(listed) > 6 else ""
                raise DataError(
                    f"{where}: there is no category {number}; the file has "
                    f"{', '.join(listed[:6]) or 'none'}{more}: "
                    "add it, or remove the annotation"
                )

    def _pictures_of_annotations(self) -> npt.NDArray[np.int64]:
        """The number of the picture of each annotation, in the order of the file."""
        owners = np.array(self._owners, np.int64)
        ids = np.array([self._number(key) for key in self._images], np.int64)
        if not len(owners):
            return owners
        order = np.argsort(ids)
        places = np.minimum(np.searchsorted(ids, owners, sorter=order), max(len(ids) - 1, 0))
        wrong = np.flatnonzero(ids[order][places] != owners) if len(ids) else np.arange(len(owners))
        if len(wrong):
            raise DataError(
                f"{self._path}, annotation at byte {self._starts[int(wrong[0])]:,}: the file lists no "
                "picture with its "
                "image_id; add the picture, or remove the annotation"
            )
        return order[places].astype(np.int64)


def _id(value: dict[str, Any], name: str, where: str) -> int | str:
    found = value.get(name)
    if isinstance(found, bool) or not isinstance(found, int | str):
        raise DataError(f"{where}: {name!r} must be a number or a text, but it is {type_name(found)}")
    if isinstance(found, int) and not 0 <= found < 1 << 62:
        raise DataError(f"{where}: {name!r} must be a number from 0 on, got {found}")
    return found
