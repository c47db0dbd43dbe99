"""Pictures beside their truth and prediction, one below the other: where a network is wrong, at a glance.

Arrays in, Pillow images out. Knows no data set, no network and no file; the caller orders the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from pixelwise import drawing
from pixelwise.errors import DataError
from pixelwise.types import IGNORE, Classes, Sample, size_text

_GAP = 8
_TEXT = 14
_WRONG = (220, 38, 38)
_INK, _QUIET = (20, 20, 20), (110, 110, 110)
_HEADINGS = ("picture", "truth", "prediction", "errors")


@dataclass(frozen=True, kw_only=True, eq=False)
class SheetRow:
    """One labelled picture with what was predicted for it.

    Attributes:
        sample: Picture, truth and name.
        labels: `(H, W) uint8` predicted train ids, at the picture's size.
        miou: In 0..1; None where no pixel counts.

    Raises:
        DataError: The prediction has another size than the picture.
    """

    sample: Sample
    labels: npt.NDArray[np.uint8]
    miou: float | None

    def __post_init__(self) -> None:
        if self.labels.shape != self.sample.mask.shape:
            raise DataError(
                f"{self.sample.name}: the picture is {size_text(self.sample.mask.shape)} "
                f"but its prediction {size_text(self.labels.shape)}"
            )


def sheet(rows: Sequence[SheetRow], classes: Classes, *, panel: int = 256) -> Image.Image:
    """Picture, truth, prediction and errors of each row side by side, with name, mIoU and a legend.

    Args:
        rows: At least one, e.g. the worst pictures, worst first.
        classes: What the ids mean.
        panel: Pixels of a panel's longer side; larger pictures are shrunk, smaller ones enlarged.
    """
    if not rows:
        raise ValueError("a sheet needs at least one row")
    width = len(_HEADINGS) * (panel + _GAP) + _GAP
    parts = [_headings(width, panel), *(_strip(row, classes, width, panel) for row in rows)]
    parts.append(_legend(rows, classes, width))
    page = Image.new("RGB", (width, sum(part.height for part in parts)), (255, 255, 255))
    top = 0
    for part in parts:
        page.paste(part, (0, top))
        top += part.height
    return page


def errors_picture(
    image: npt.NDArray[np.uint8], truth: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    """The picture in pale grey with every wrong pixel red; pixels whose truth is 255 are drawn as ignored.

    Args:
        image: `(H, W, 3) uint8` RGB.
        truth: `(H, W) uint8` train ids.
        labels: `(H, W) uint8` predicted train ids.

    Returns:
        `(H, W, 3) uint8` RGB.
    """
    grey = image.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    result = np.repeat((110 + 0.5 * grey)[..., None], 3, axis=2).astype(np.uint8)
    result[truth == IGNORE] = drawing.IGNORE_COLOUR
    result[(truth != IGNORE) & (truth != labels)] = _WRONG
    return result


def _headings(width: int, panel: int) -> Image.Image:
    part = Image.new("RGB", (width, 2 * _TEXT + _GAP), (255, 255, 255))
    draw, font = ImageDraw.Draw(part), drawing.default_font(_TEXT)
    for column, heading in enumerate(_HEADINGS):
        draw.text((_left(column, panel), part.height - 2), heading, fill=_QUIET, font=font, anchor="ls")
    return part


def _strip(row: SheetRow, classes: Classes, width: int, panel: int) -> Image.Image:
    """A line with name and figures, and the four panels below it."""
    image, truth, labels = row.sample.image, row.sample.mask, row.labels
    factor = panel / max(truth.shape)
    # Pillow's sizes are (width, height)
    size = (max(1, round(truth.shape[1] * factor)), max(1, round(truth.shape[0] * factor)))
    picture = Image.fromarray(image).resize(size, Image.Resampling.LANCZOS)
    errors = Image.fromarray(errors_picture(image, truth, labels))
    # A box filter leaves a trace of errors thinner than a pixel of the panel; nearest might drop them.
    shrunk = Image.Resampling.BOX if factor < 1 else Image.Resampling.NEAREST
    panels = [
        picture,
        *(_overlay(picture, ids, classes) for ids in (truth, labels)),
        errors.resize(size, shrunk),
    ]
    caption = 2 * _TEXT
    part = Image.new("RGB", (width, caption + size[1] + _GAP), (255, 255, 255))
    for column, content in enumerate(panels):
        part.paste(content, (_left(column, panel), caption))
    draw, font = ImageDraw.Draw(part), drawing.default_font(_TEXT)
    figures = _figures(row)
    right = width - _GAP
    draw.text((right, caption // 2), figures, fill=_INK, font=font, anchor="rm")
    name = _fitted(row.sample.name, font, right - font.getlength(figures) - 4 * _GAP)
    draw.text((_GAP, caption // 2), name, fill=_INK, font=font, anchor="lm")
    return part


def _overlay(picture: Image.Image, labels: npt.NDArray[np.uint8], classes: Classes) -> Image.Image:
    ids = Image.fromarray(np.ascontiguousarray(labels)).resize(picture.size, Image.Resampling.NEAREST)
    blended = drawing.blend(np.asarray(picture), np.asarray(ids), classes.colours, opacity=0.6)
    return Image.fromarray(blended)


def _figures(row: SheetRow) -> str:
    counted = row.sample.mask != IGNORE
    pixels = int(counted.sum())
    if not pixels or row.miou is None:
        return "no labelled pixel"
    wrong = int((row.labels[counted] != row.sample.mask[counted]).sum())
    return f"mIoU {100 * row.miou:.1f}%   wrong {100 * wrong / pixels:.1f}%"


def _fitted(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: float) -> str:
    """The text, or its end where it is too long: names differ at their ends."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength("..." + text) > width:
        text = text[1:]
    return "..." + text


def _legend(rows: Sequence[SheetRow], classes: Classes, width: int) -> Image.Image:
    """The classes that occur in truth or prediction, and the two colours that are no class."""
    found = np.zeros(256, np.bool_)
    for row in rows:
        found[row.sample.mask.ravel()] = True
        found[row.labels.ravel()] = True
    entries = [
        (name, colour)
        for number, (name, colour) in enumerate(zip(classes.names, classes.colours, strict=True))
        if found[number]
    ]
    entries.append(("wrong", _WRONG))
    if found[IGNORE]:
        entries.append(("ignored", drawing.IGNORE_COLOUR))
    return drawing.legend(entries, width=width, text_size=_TEXT)


def _left(column: int, panel: int) -> int:
    return _GAP + column * (panel + _GAP)
