"""LabelMe's json files as pictures and labels: which picture each one means, and the shapes drawn on it.

Knows the members of such a json and the folder that it lies in. What number a label has it is told by
`labelme_names`, and `labelme_shapes` draws. LabelMe prefers the picture that is packed into the json
(`imageData`), since the shapes were drawn on that; else the file that `imagePath` names, relative to the
json. A pair that was moved or renamed keeps an old `imagePath`: where that leads nowhere, or out of the data
set's folder, the picture that is called like the json is taken.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwise.data.entries import Entry
from pixelwise.data.formats.labelme_shapes import decode_base64, draw, parse_shapes
from pixelwise.data.formats.named_classes import LabelNames
from pixelwise.data.inside import is_file, within
from pixelwise.data.io import read_picture, read_picture_at
from pixelwise.data.json_file import member, read_json
from pixelwise.data.listing import LEAVE_OUT
from pixelwise.data.mendable import SKIP_UNPAIRED, MendableError
from pixelwise.data.reader import Picture, Stored
from pixelwise.errors import DataError
from pixelwise.types import size_text


def is_labelme(document: Mapping[str, Any]) -> bool:
    """Whether a json has what makes it one of LabelMe's: shapes, and a picture that they lie on."""
    return "shapes" in document and ("imagePath" in document or "imageData" in document)


def choose_picture(document: dict[str, Any], path: Path, root: Path, beside: Sequence[Path]) -> Path:
    """The file that holds the picture: the json itself, the one that it names, or the one called like it.

    Args:
        document: What the json holds.
        path: The json.
        root: The data set's folder.
        beside: The pictures that are called like the json, up to the ending.

    Raises:
        DataError: More than one may be meant; `MendableError`: there is none.
    """
    if _packed(document, path) is not None:
        return path
    found = _named(document, path, root) if len(beside) != 1 else beside[0]
    if found is not None:
        return found
    if beside:
        listed = " and ".join(other.name for other in beside[:3])
        raise DataError(f"{path}: {listed} may each be its picture; name the right one in its imagePath")
    said = document.get("imagePath")
    named = f"its imagePath {str(said)[:80]!r} leads to no file in {root}" if said else "it names none"
    raise MendableError(
        f"{path}: there is no picture for it: it holds none, {named}, and none called {path.stem} lies "
        f"beside it; put the picture there, or remove the json{LEAVE_OUT}",
        SKIP_UNPAIRED,
    )


class Documents:
    """Jsons as they are read; each thread remembers its last, since a sample's is wanted twice in a row."""

    def __init__(self) -> None:
        self._last = threading.local()

    def read(self, path: Path) -> dict[str, Any]:
        """The json of a sample.

        Raises:
            DataError: It cannot be read, or is none of LabelMe's.
        """
        try:
            state = path.stat()
            key = (path, state.st_mtime_ns, state.st_size)
        except OSError:
            key = None
        if key is None or getattr(self._last, "key", None) != key:
            self._last.key, self._last.document = None, read_json(path)
            self._last.key = key
        document: dict[str, Any] = self._last.document
        if not is_labelme(document):
            raise DataError(
                f"{path}: this json is none of LabelMe's, as it has no shapes on a picture; move it away"
            )
        return document


@dataclass(frozen=True)
class LabelMePictures:
    """Each picture lies in its json, or is a file.

    Attributes:
        root: The data set's folder.
        documents: What reads the jsons.
    """

    root: Path
    documents: Documents

    def full(self, entry: Entry) -> Picture:
        """Decodes it at its own size."""
        path, content = self._source(entry)
        return read_picture(path, content=content)

    def at(self, entry: Entry, size: tuple[int, int]) -> tuple[Picture, tuple[int, int]]:
        """Decodes it no larger than it needs to be."""
        path, content = self._source(entry)
        return read_picture_at(path, size, content=content)

    def stored(self, entry: Entry) -> Stored | None:
        """The file, if it has one."""
        path, content = self._source(entry)
        return Stored(path) if content is None else None

    def _source(self, entry: Entry) -> tuple[Path, bytes | None]:
        document = self.documents.read(entry.labels)
        content = _packed(document, entry.labels)
        if content is not None:
            return Path(f"{entry.labels}, imageData"), content
        beside = [] if entry.image == entry.labels else [entry.image]
        named = _named(document, entry.labels, self.root) or choose_picture(
            document, entry.labels, self.root, beside
        )
        # Whoever keeps a digest of the sample's files keeps that of the entry's, so no other may be read.
        if named != entry.image and os.path.realpath(named) != os.path.realpath(entry.image):
            raise DataError(
                f"{entry.labels}: its imagePath means {named}, but {entry.image.name} lies beside it; "
                "correct imagePath, or move away the picture that is not meant"
            )
        return entry.image, None


class LabelMeShapes:
    """The shapes of each json, drawn over each other.

    Args:
        names: What the labels mean.
        documents: What reads the jsons.
    """

    drawn = True

    def __init__(self, names: LabelNames, documents: Documents) -> None:
        self._names = names
        self._documents = documents

    def raw(self, index: int, entry: Entry, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
        """Raw values `(H, W)` for a picture of `size` = (height, width)."""
        document = self._documents.read(entry.labels)
        shapes = parse_shapes(document, entry.labels)
        _check_size(document, entry, size)
        values = [self._names.value(shape.label, shape.where) for shape in shapes]
        return draw(shapes, values, size, unlabelled=self._names.unlabelled)


def _packed(document: dict[str, Any], path: Path) -> bytes | None:
    """The picture that is packed into the json; None if there is none."""
    if document.get("imageData") in (None, ""):
        return None
    return decode_base64(member(document, "imageData", str, str(path)), f"{path}, imageData")


def _named(document: dict[str, Any], path: Path, root: Path) -> Path | None:
    """The file that `imagePath` names, if it lies in the data set's folder and is there."""
    if document.get("imagePath") is None:
        return None
    folder = os.path.relpath(path.parent, root).replace(os.sep, "/")
    inner = within(folder, member(document, "imagePath", str, str(path)))
    return root / inner if inner is not None and is_file(root / inner) else None


def _check_size(document: dict[str, Any], entry: Entry, size: tuple[int, int]) -> None:
    """The json may say how large its picture is; then it must be so."""
    said = [
        found if document.get(name) is None else member(document, name, float, str(entry.labels))
        for name, found in zip(("imageHeight", "imageWidth"), size, strict=True)
    ]
    if tuple(said) == size:
        return
    turned = (
        ": the picture's EXIF tag turns it by 90 degrees, but the shapes were drawn on it unturned; remove "
        "the orientation tag, or draw them anew"
        if tuple(said) == size[::-1]
        else "; was the picture resized after they were drawn? Restore it, or draw them anew"
    )
    raise DataError(
        f"{entry.labels}: the shapes were drawn on a picture of {said[1]:g}x{said[0]:g}, but it is "
        f"{size_text(size)}{turned}"
    )
