"""Label maps as pictures: palette files, overlays, legends. Plain arrays in, Pillow images out.

Knows no network, no data set and no file name; a class is an id with a name and a colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

IGNORE = 255
"""The label of pixels that count for nothing: neither loss nor metrics see them."""

IGNORE_COLOUR = (224, 224, 192)
"""How ignored pixels are drawn: the pale border of the PASCAL VOC masks."""

Colour = tuple[int, int, int]

# Eight colours that stay apart for colour-blind readers (Okabe and Ito, 2008, reordered so that the first two
# differ most), then the bit-interleaved sequence of PASCAL VOC, which never repeats below 256.
_FIRST_COLOURS: tuple[Colour, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (213, 94, 0),
    (0, 114, 178),
    (204, 121, 167),
    (240, 228, 66),
    (153, 153, 153),
)


def default_colours(count: int) -> tuple[Colour, ...]:
    """The colours of classes that bring none: `count` distinct RGB triples in 0..255, always the same."""
    colours = list(_FIRST_COLOURS[:count])
    index = 1
    while len(colours) < count:
        candidate = voc_colour(index)
        if candidate not in colours and candidate != IGNORE_COLOUR:
            colours.append(candidate)
        index += 1
    return tuple(colours)


def voc_colour(index: int) -> Colour:
    """Colour `index` of the PASCAL VOC palette: the index's bits dealt out to R, G and B, highest first."""
    red = green = blue = 0
    for shift in range(7, -1, -1):
        red |= (index & 1) << shift
        green |= (index >> 1 & 1) << shift
        blue |= (index >> 2 & 1) << shift
        index >>= 3
    return red, green, blue


def palette_array(colours: Sequence[Colour]) -> npt.NDArray[np.uint8]:
    """A `(256, 3) uint8` table: the colours, black for ids without a class, the ignore colour at 255."""
    table = np.zeros((256, 3), np.uint8)
    if colours:
        table[: len(colours)] = np.asarray(colours, np.uint8)
    table[IGNORE] = IGNORE_COLOUR
    return table


def palette_image(labels: npt.NDArray[np.uint8], colours: Sequence[Colour]) -> Image.Image:
    """A palette picture (mode P) whose pixel values are the labels `(H, W) uint8` themselves."""
    picture = Image.fromarray(np.ascontiguousarray(labels))
    picture.putpalette(palette_array(colours).tobytes())  # turns L into P and leaves the values alone
    return picture


def colourise(labels: npt.NDArray[np.uint8], colours: Sequence[Colour]) -> npt.NDArray[np.uint8]:
    """The label map `(H, W) uint8` as an RGB picture `(H, W, 3) uint8`."""
    return np.take(palette_array(colours), labels, axis=0)  # four times as fast as an index


def blend(
    image: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.uint8],
    colours: Sequence[Colour],
    *,
    opacity: float = 0.45,
) -> npt.NDArray[np.uint8]:
    """Lays the class colours over a picture and draws the borders between classes in full colour.

    Args:
        image: `(H, W, 3) uint8` RGB.
        labels: `(H, W) uint8` train ids; pixels of 255 keep the picture.
        colours: One RGB triple per class.
        opacity: 0 shows the picture alone, 1 the colours alone.

    Returns:
        `(H, W, 3) uint8` RGB.
    """
    table = palette_array(colours)
    mixed = image * np.float32(1 - opacity)
    mixed += np.take(table * np.float32(opacity), labels, axis=0)
    mixed += np.float32(0.5)
    result = mixed.astype(np.uint8)
    kept = labels == IGNORE
    if kept.any():
        np.copyto(result, image, where=kept[..., None])
    rows, columns = np.nonzero(_borders(labels) & ~kept)
    result[rows, columns] = table[labels[rows, columns]]
    return result


def _borders(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Pixels `(H, W)` whose right or lower neighbour has another label."""
    border = np.zeros(labels.shape, np.bool_)
    border[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    border[:-1, :] |= labels[:-1, :] != labels[1:, :]
    return border


def legend(entries: Sequence[tuple[str, Colour]], *, width: int, text_size: int = 14) -> Image.Image:
    """A strip with a coloured square and a text for each entry, wrapped into rows.

    It is `width` pixels wide, or as wide as the longest entry where that needs more.
    """
    font = default_font(text_size)
    gap, row_height = text_size // 2, text_size + text_size // 2
    rows: list[list[tuple[int, str, Colour]]] = [[]]
    x = gap
    for text, colour in entries:
        advance = text_size + gap + int(font.getlength(text)) + 2 * gap
        if rows[-1] and x + advance > width:
            rows.append([])
            x = gap
        rows[-1].append((x, text, colour))
        x += advance
        width = max(width, gap + advance)
    strip = Image.new("RGB", (width, row_height * len(rows) + gap), (255, 255, 255))
    draw = ImageDraw.Draw(strip)
    for number, row in enumerate(rows):
        top = gap + number * row_height
        for left, text, colour in row:
            draw.rectangle((left, top, left + text_size, top + text_size), fill=colour, outline=(90, 90, 90))
            draw.text(
                (left + text_size + gap, top + text_size / 2), text, fill=(20, 20, 20), font=font, anchor="lm"
            )
    return strip


@lru_cache(maxsize=8)
def default_font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    """Pillow's own, opened once: that takes longer than writing a legend."""
    return ImageFont.load_default(size)


def below(picture: Image.Image, strip: Image.Image) -> Image.Image:
    """The picture with the strip under it; both as wide as the wider one."""
    width = max(picture.width, strip.width)
    sheet = Image.new("RGB", (width, picture.height + strip.height), (255, 255, 255))
    sheet.paste(picture, (0, 0))
    sheet.paste(strip, (0, picture.height))
    return sheet
