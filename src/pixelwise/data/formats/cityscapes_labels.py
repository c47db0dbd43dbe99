"""What the label files of Cityscapes hold: ids, train ids, or polygons; each becomes a map of raw ids.

Polygons are drawn as the official scripts draw them: filled, in their order, `…group` labels as the single
one, deleted objects and those without an id passed over. Knows these files, and not where they lie.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from pixelwise.data.entries import Entry
from pixelwise.data.formats.published import Published
from pixelwise.data.io import RawMask
from pixelwise.data.json_file import member, objects, read_json
from pixelwise.data.mapping import grey_only
from pixelwise.data.reader import MaskFiles
from pixelwise.data.shapes import check_inside, parse_points
from pixelwise.drawing import IGNORE
from pixelwise.errors import DataError
from pixelwise.types import size_text

_UNLABELED = 0
_NO_TRAIN_ID = 254
"""What stands in the table of train ids where there is none; ids reach to 33."""
_REMEDY = "make it anew with the official scripts, or remove it, so that another label file is read"


class CityscapesLabels:
    """Id maps as they are, train ids turned back into ids, polygons drawn.

    Args:
        table: The official label table.
    """

    drawn = False

    def __init__(self, table: Published) -> None:
        self._names = table.names
        self._ids = np.full(256, _NO_TRAIN_ID, np.uint8)
        self._ids[IGNORE] = _UNLABELED
        for raw, train in table.values.items():
            if train != IGNORE:
                self._ids[train] = raw

    def raw(self, index: int, entry: Entry, size: tuple[int, int]) -> RawMask:
        """Raw ids 0..33 `(H, W)`."""
        if entry.labels.suffix == ".json":
            return self.draw(entry.labels, size)
        raw = MaskFiles().raw(index, entry, size)
        return self._of_train_ids(raw, entry.labels) if entry.labels.name.endswith("TrainIds.png") else raw

    def draw(self, path: Path, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
        """The id map of a polygons.json, for a picture of `size` = (height, width).

        Raises:
            DataError: The json is damaged, for another size, or has a label that Cityscapes does not have.
        """
        document, where = read_json(path), str(path)
        stated = member(document, "imgHeight", int, where), member(document, "imgWidth", int, where)
        if stated != tuple(size):
            raise DataError(
                f"{path} is for a picture of {size_text(stated)}, but that has {size_text(size)}; pair the "
                "right files"
            )
        canvas = Image.new("L", (size[1], size[0]), _UNLABELED)
        draw = ImageDraw.Draw(canvas)
        for number, item in enumerate(objects(document, "objects", where)):
            here = f"{path}, object {number}"
            if item.get("deleted"):
                continue
            label = member(item, "label", str, here)
            value = self._names.get(label, self._names.get(label.removesuffix("group")))
            if value is None:
                raise DataError(
                    f"{here}: Cityscapes has no label {label[:40]!r}; correct it, or remove the object"
                )
            if value < 0:
                continue  # the license plate: not in id maps
            points = parse_points(item.get("polygon"), here, at_least=2)  # two make a line, there as here
            check_inside(points, size, here)
            draw.polygon([(float(x), float(y)) for x, y in points], fill=value)
        return np.asarray(canvas)

    def _of_train_ids(self, raw: RawMask, path: Path) -> RawMask:
        """Ids again, so that one table serves every kind of file; 255 becomes unlabeled."""
        grey = raw[..., 0] if raw.ndim == 3 and grey_only(raw) else raw
        if grey.ndim == 3 or int(grey.max()) > IGNORE:
            raise DataError(f"{path}: train ids were expected, but it holds others; {_REMEDY}")
        ids = np.take(self._ids, grey)
        wrong = ids == _NO_TRAIN_ID
        if bool(wrong.any()):
            raise DataError(
                f"{path}: train ids are 0 to 18, and 255, but it holds {int(grey[wrong][0])}; {_REMEDY}"
            )
        return ids
