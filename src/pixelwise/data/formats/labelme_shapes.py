"""LabelMe's shapes: checked, and drawn pixel for pixel as LabelMe's own conversion draws them.

Knows the members of a shape and how each kind is filled; which number a label has, and where the picture is,
it is told. LabelMe paints with Pillow and as Pillow does: lines are 10 pixels wide, points are discs of
radius 5, a circle reaches as far as its rim point, and later shapes lie over earlier ones. Shapes that share
a `group_id` are parts of one object; which pixels have which class does not depend on it.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from pixelwise.data.io import read_mask_values
from pixelwise.data.json_file import member, type_name
from pixelwise.data.shapes import Points, check_inside, parse_points
from pixelwise.errors import DataError
from pixelwise.types import size_text

LINE_WIDTH = 10
POINT_RADIUS = 5

_CORNERS: dict[str, tuple[int, int | None]] = {
    "polygon": (3, None),
    "rectangle": (2, 2),
    "oriented_rectangle": (4, 4),
    "circle": (2, 2),
    "line": (2, 2),
    "linestrip": (2, None),
    "point": (1, 1),
    "mask": (2, 2),
}
"""Kind of shape -> the least and the most points that it has."""


@dataclass(frozen=True)
class Shape:
    """One shape of a picture.

    Attributes:
        label: Its class.
        kind: One of `_CORNERS`.
        points: `(n, 2)` x and y.
        mask: A PNG in base64, for the kind `mask`.
        where: File and shape, to begin messages with.
    """

    label: str
    kind: str
    points: Points
    mask: str
    where: str


def labels_of(document: dict[str, Any], path: Path) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Each shape's label, the shape as it stands in the json, and how messages call it.

    Raises:
        DataError: There is no list of shapes, or one is no object with a label.
    """
    shapes = cast("list[object]", member(document, "shapes", list, str(path)))
    for number, shape in enumerate(shapes, start=1):
        where = f"{path}, shape {number}"
        if not isinstance(shape, dict):
            raise DataError(f"{where}: a shape must be an object, but this is {type_name(shape)}; remove it")
        members = cast("dict[str, Any]", shape)
        label = member(members, "label", str, where).strip()
        if not label or any(character < " " or "\ud800" <= character <= "\udfff" for character in label):
            raise DataError(f"{where}: its label {label[:40]!r} is no name; name it, or remove it")
        yield label, members, f"{where} ({label[:40]!r})"


def parse_shapes(document: dict[str, Any], path: Path) -> list[Shape]:
    """All shapes of a picture, in the order in which they are drawn.

    Raises:
        DataError: A shape is of an unknown kind, or has not the points that its kind needs.
    """
    return [_parse(label, shape, where) for label, shape, where in labels_of(document, path)]


def _parse(label: str, shape: dict[str, Any], where: str) -> Shape:
    kind = "polygon" if shape.get("shape_type") is None else member(shape, "shape_type", str, where)
    if kind not in _CORNERS:
        raise DataError(
            f"{where}: there is no shape type {kind[:40]!r}; draw it anew as one of {', '.join(_CORNERS)}"
        )
    least, most = _CORNERS[kind]
    points = parse_points(shape.get("points"), where, at_least=least)
    if most is not None and len(points) > most:
        raise DataError(f"{where}: a {kind} has {most} points, but it has {len(points)}; draw it anew")
    return Shape(label, kind, points, member(shape, "mask", str, where) if kind == "mask" else "", where)


def draw(
    shapes: Sequence[Shape], values: Sequence[int], size: tuple[int, int], *, unlabelled: int
) -> npt.NDArray[np.uint8]:
    """Raw values `(H, W)`: what lies in no shape is `unlabelled`.

    Args:
        shapes: In their order; later ones cover earlier ones.
        values: The value in 0..255 of each.
        size: `(height, width)` of the picture.
        unlabelled: The value of all other pixels.

    Raises:
        DataError: A shape does not belong to a picture of that size, or a mask is damaged.
    """
    canvas = Image.new("L", (size[1], size[0]), unlabelled)
    brush = ImageDraw.Draw(canvas)
    for shape, value in zip(shapes, values, strict=True):
        check_inside(shape.points, size, shape.where)
        if shape.kind == "mask":
            _paste(canvas, shape, value)
        else:
            _paint(brush, shape, value)
    return np.array(canvas)


def _paint(brush: ImageDraw.ImageDraw, shape: Shape, value: int) -> None:
    corners = [(float(x), float(y)) for x, y in shape.points.tolist()]
    if shape.kind in ("polygon", "oriented_rectangle"):
        brush.polygon(corners, fill=value, outline=value)
    elif shape.kind == "rectangle":
        (left, top), (right, bottom) = shape.points.min(axis=0).tolist(), shape.points.max(axis=0).tolist()
        brush.rectangle((left, top, right, bottom), fill=value, outline=value)
    elif shape.kind in ("line", "linestrip"):
        brush.line(corners, fill=value, width=LINE_WIDTH)
    else:
        x, y = corners[0]
        # Written out as LabelMe does: `hypot` may differ from it in the last bit, and so in a pixel.
        radius = (
            float(POINT_RADIUS)
            if shape.kind == "point"
            else math.sqrt((x - corners[1][0]) ** 2 + (y - corners[1][1]) ** 2)
        )
        brush.ellipse((x - radius, y - radius, x + radius, y + radius), fill=value, outline=value)


def _paste(canvas: Image.Image, shape: Shape, value: int) -> None:
    """Lays a mask into its box: the points are truncated, and the box holds its last row and column."""
    (left, top), (right, bottom) = shape.points.astype(np.int64).tolist()
    width, height = right - left + 1, bottom - top + 1
    if min(width, height) < 1 or min(left, top) < 0 or right >= canvas.width or bottom >= canvas.height:
        raise DataError(
            f"{shape.where}: its box from ({left}, {top}) to ({right}, {bottom}) does not lie in its picture "
            f"of {canvas.width}x{canvas.height}; was the picture resized after it was drawn? Draw it anew"
        )
    content = decode_base64(shape.mask, shape.where)
    limit = canvas.width * canvas.height
    inside = read_mask_values(Path(f"{shape.where}, its mask"), max_pixels=limit, content=content)
    if inside.shape != (height, width):
        colours = " in colour" if inside.ndim > 2 else ""
        raise DataError(
            f"{shape.where}: its mask is {size_text(inside.shape)}{colours}, but its box is {width}x{height} "
            "of one channel; draw it anew"
        )
    stencil = Image.fromarray((inside != 0).astype(np.uint8) * np.uint8(255))
    canvas.paste(value, (left, top, right + 1, bottom + 1), stencil)


def decode_base64(text: str, where: str) -> bytes:
    """The bytes behind base64, with or without a `data:` prefix.

    Raises:
        DataError: It is no base64.
    """
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return base64.b64decode(text)
    except ValueError as error:  # binascii.Error is one, and so is what is no ASCII
        raise DataError(f"{where}: the picture in it is no base64 ({error}); save it anew") from error
