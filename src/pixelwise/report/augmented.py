"""What the network sees of a few pictures: each as it is, then as several epochs change it.

Arrays in, a Pillow image out. Knows no augmentation and no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from pixelwise import drawing
from pixelwise.types import IGNORE, Classes

_GAP, _TEXT = 8, 14
_QUIET = (110, 110, 110)
_HATCH = 6
"""Pixels between the stripes over what is ignored."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Variants:
    """One picture: its name, and `(caption, image (h, w, 3) uint8, mask (h, w) uint8)` of each variant."""

    name: str
    cells: Sequence[tuple[str, npt.NDArray[np.uint8], npt.NDArray[np.uint8]]]


def variants_sheet(rows: Sequence[Variants], classes: Classes, *, panel: int = 240) -> Image.Image:
    """A line for each picture, its variants side by side with their masks over them, and a legend.

    Args:
        rows: At least one, all with as many cells.
        classes: What the ids mean; ignored pixels (255) are striped.
        panel: Pixels of the longer side of the largest variant; all are drawn at one scale.
    """
    if not rows:
        raise ValueError("a sheet needs at least one row")
    shapes = [mask.shape for row in rows for _, _, mask in row.cells]
    factor = panel / max(max(shape) for shape in shapes)
    # Pillow's sizes are (width, height)
    cell_width = round(max(shape[1] for shape in shapes) * factor)
    cell_height = round(max(shape[0] for shape in shapes) * factor)
    columns = max(len(row.cells) for row in rows)
    width = _GAP + columns * (cell_width + _GAP)
    strip = _legend(rows, classes, width)
    line = 2 * (_TEXT + _GAP) + cell_height
    page = Image.new("RGB", (max(width, strip.width), len(rows) * line + strip.height), (255, 255, 255))
    draw, font = ImageDraw.Draw(page), drawing.default_font(_TEXT)
    for number, row in enumerate(rows):
        top = number * line
        draw.text((_GAP, top + _GAP + _TEXT), row.name, fill=(20, 20, 20), font=font, anchor="ls")
        for column, (caption, image, mask) in enumerate(row.cells):
            left = _GAP + column * (cell_width + _GAP)
            y = top + 2 * (_TEXT + _GAP)
            draw.text((left, y - _GAP // 2), caption, fill=_QUIET, font=font, anchor="ls")
            page.paste(_overlay(image, mask, classes, factor), (left, y))
    page.paste(strip, (0, len(rows) * line))
    return page


def _overlay(
    image: npt.NDArray[np.uint8], mask: npt.NDArray[np.uint8], classes: Classes, factor: float
) -> Image.Image:
    size = (max(1, round(mask.shape[1] * factor)), max(1, round(mask.shape[0] * factor)))
    picture = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))
    ids = np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))
    result = drawing.blend(picture, ids, classes.colours, opacity=0.35)
    y, x = np.mgrid[: ids.shape[0], : ids.shape[1]]
    result[(ids == IGNORE) & ((x + y) % _HATCH < 2)] = drawing.IGNORE_COLOUR
    return Image.fromarray(result)


def _legend(rows: Sequence[Variants], classes: Classes, width: int) -> Image.Image:
    found = np.zeros(256, np.bool_)
    for row in rows:
        for _, _, mask in row.cells:
            found[mask.ravel()] = True
    entries = [
        (name, colour)
        for number, (name, colour) in enumerate(zip(classes.names, classes.colours, strict=True))
        if found[number]
    ]
    if found[IGNORE]:
        entries.append(("ignored (striped)", drawing.IGNORE_COLOUR))
    return drawing.legend(entries, width=width, text_size=_TEXT)
