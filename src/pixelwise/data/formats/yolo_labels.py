"""YOLO's label files: polygons as text, drawn over each other by size.

    CLASS X1 Y1 X2 Y2 X3 Y3 …       a line each, coordinates as shares of the picture's width and height

Knows the text and how it is painted; which file belongs to which picture is `yolo`'s business. Corners are
truncated to whole pixels, as Ultralytics does, and outlines belong to the polygon. Where polygons overlap,
the one that covers fewer pixels lies on top; of equal ones the later.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from pixelwise.data.entries import Entry
from pixelwise.data.shapes import MAX_POINTS
from pixelwise.errors import DataError

MAX_BYTES = 64 << 20
TOLERANCE = 0.01
"""Drawing tools put corners a little outside the picture; further out, they are in other units."""


@dataclass(frozen=True, eq=False)
class Polygon:
    """One line of a label file.

    Attributes:
        index: The class, from 0.
        shares: `(n, 2)` x and y in 0..1.
    """

    index: int
    shares: npt.NDArray[np.float64]


def parse_labels(content: bytes, where: str, *, classes: int) -> list[Polygon]:
    """The polygons of a label file; empty lines don't count.

    Args:
        content: The file's bytes.
        where: The file, to begin messages with.
        classes: How many classes there are.

    Raises:
        DataError: A line is no polygon of a known class inside the picture.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: this is no text; export the labels anew") from error
    lines = enumerate(text.splitlines(), start=1)
    return [
        _parse(words, f"{where}, line {number}", classes) for number, line in lines if (words := line.split())
    ]


def _parse(words: Sequence[str], where: str, classes: int) -> Polygon:
    numbers = [_number(word, where) for word in words]
    index, coordinates = numbers[0], numbers[1:]
    if index != int(index) or not 0 <= index < classes:
        raise DataError(
            f"{where}: there is no class {words[0][:20]}: data.yaml names 0 to {classes - 1}; correct one"
        )
    if len(coordinates) == 4:
        raise DataError(
            f"{where}: this is a box for detection, but polygons were expected; export the data set for "
            "segmentation"
        )
    if len(coordinates) % 2 or not 6 <= len(coordinates) <= 2 * MAX_POINTS:
        raise DataError(
            f"{where}: a class and at least 3 corners x y were expected, but {len(coordinates)} numbers "
            "follow the class; export it anew, or remove the line"
        )
    low, high = min(coordinates), max(coordinates)
    if low < -TOLERANCE or high > 1 + TOLERANCE:
        raise DataError(
            f"{where}: coordinates must be shares in 0..1, but they reach from {low:g} to {high:g}; if they "
            "are pixels, divide x by the picture's width and y by its height"
        )
    shares = np.minimum(np.maximum(np.array(coordinates, np.float64), 0), 1)
    return Polygon(int(index), np.reshape(shares, (-1, 2)))


def _number(word: str, where: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or "_" in word:
        raise DataError(
            f"{where}: a number was expected, got {word[:40]!r}; export it anew, or remove the line"
        )
    return value


def draw(polygons: Sequence[Polygon], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Raw values `(H, W)`: 0 outside all polygons, else the class plus one."""
    height, width = size
    shapes = [np.trunc(polygon.shares * (width, height)).astype(np.int64) for polygon in polygons]
    covered = [_covered(corners, size) for corners in shapes]
    canvas = Image.new("L", (width, height))
    brush = ImageDraw.Draw(canvas)
    for place in sorted(range(len(shapes)), key=lambda place: -covered[place]):
        _paint(brush, shapes[place], polygons[place].index + 1)
    return np.array(canvas)


def _covered(corners: npt.NDArray[np.int64], size: tuple[int, int]) -> int:
    """The pixels of the picture that a polygon covers, counted in the box round it."""
    low = corners.min(axis=0)
    high = np.minimum(corners.max(axis=0), (size[1] - 1, size[0] - 1))
    if bool((high < low).any()):
        return 0
    box = Image.new("L", (int(high[0] - low[0]) + 1, int(high[1] - low[1]) + 1))
    _paint(ImageDraw.Draw(box), corners - low, 1)
    return int(np.asarray(box).sum(dtype=np.int64))


def _paint(brush: ImageDraw.ImageDraw, corners: npt.NDArray[np.int64], value: int) -> None:
    ring = [(int(x), int(y)) for x, y in corners.tolist()]
    brush.polygon(ring, fill=value)
    brush.line([*ring, ring[0]], fill=value)  # Pillow's outline is left out where it has the filling's colour


class YoloLabels:
    """The label file of each picture; one that had none at opening has no object on it.

    Args:
        classes: How many classes there are.
        present: One byte for each sample: whether it has a file.
    """

    drawn = True

    def __init__(self, classes: int, present: bytes) -> None:
        self._classes, self._present = classes, present

    def raw(self, index: int, entry: Entry, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
        """Raw values `(H, W)` for a picture of `size` = (height, width)."""
        if not self._present[index]:
            return np.zeros(size, np.uint8)
        return draw(parse_labels(_content(entry.labels), str(entry.labels), classes=self._classes), size)


def _content(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise DataError(f"{path}: {size:,} bytes are more than the {MAX_BYTES:,} that labels may have")
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); restore it, or check its permissions"
        ) from error
