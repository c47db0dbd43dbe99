"""A small labelled data set that is drawn: textured scenes with discs, boxes, triangles and rings.

Knows how to paint and to write the `folder` layout; nothing of readers and networks. Colours are drawn
from the same range for every class and the ground, so colour alone tells nothing: shape and surface do.
Pictures are antialiased, masks exact: a pixel belongs to the uppermost shape that its centre lies in.
"""

from __future__ import annotations

import colorsys
import random
from dataclasses import dataclass
from math import cos, pi, sin
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from pixelwise.drawing import Colour, palette_image
from pixelwise.errors import ConfigError, DataError

NAMES = ("background", "disc", "box", "triangle", "ring")
COLOURS: tuple[Colour, ...] = ((60, 64, 72), (230, 159, 0), (86, 180, 233), (0, 158, 115), (204, 121, 167))

Plane = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Shape:
    """An object in a scene: its class, place, radius and turn in pixels and radians."""

    label: int
    row: float
    column: float
    radius: float
    turn: float


def draw_dataset(
    target: Path | str, *, pictures: int, size: tuple[int, int] = (128, 128), seed: int = 0
) -> Path:
    """Writes images/, masks/ (palette PNG) and classes.txt under `target`.

    Args:
        target: A new folder, or one without images/ and masks/.
        pictures: How many.
        size: `(height, width)`, at least 32 each.
        seed: Picture `i` depends on seed and `i` alone.

    Returns:
        The folder.

    Raises:
        DataError: The folder holds pictures already, or cannot be written.
        ConfigError: A size or number that cannot be.
    """
    root = Path(target)
    if pictures < 1 or min(size) < 32:
        raise ConfigError(f"at least 1 picture of 32x32 is needed, got {pictures} of {size[1]}x{size[0]}")
    folders = root / "images", root / "masks"
    if any(folder.is_dir() and any(folder.iterdir()) for folder in folders):
        raise DataError(f"{root}: there are pictures already; choose an empty folder")
    lines = [f"{name} {r} {g} {b}" for name, (r, g, b) in zip(NAMES, COLOURS, strict=True)]
    try:
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        (root / "classes.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        for index in range(pictures):
            image, mask = draw_scene(size, seed=seed, index=index)
            name = f"scene_{index + 1:0{max(4, len(str(pictures)))}}.png"
            Image.fromarray(image).save(folders[0] / name)
            palette_image(mask, COLOURS).save(folders[1] / name)
    except OSError as error:
        raise DataError(
            f"{root}: cannot be written ({error.strerror or error}); choose another folder"
        ) from error
    return root


def draw_scene(
    size: tuple[int, int], *, seed: int, index: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """One scene: picture `(H, W, 3) uint8` and mask `(H, W) uint8` of ids in `NAMES`."""
    chance = random.Random(f"{seed}:{index}")  # Python promises this sequence for good
    height, width = size
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    ground_hue = chance.random()
    picture = _ground(chance, rows, columns, ground_hue)
    mask = np.zeros(size, np.uint8)
    for shape in _arrange(chance, size):
        distance, across, along = _outline(shape, rows, columns)
        shadow = _outline(shape, rows - 0.16 * shape.radius, columns - 0.10 * shape.radius)[0]
        softness = 0.18 * shape.radius
        picture *= 1 - 0.45 / (1 + np.exp(_between(shadow / softness * 2, -30, 30)))[..., None]
        surface = _surface(chance, shape, across, along, distance, ground_hue)
        cover = _between(0.5 - distance, 0, 1)[..., None]
        picture = picture * (1 - cover) + surface * cover
        mask[distance <= 0] = shape.label
    turn = chance.uniform(0, 2 * pi)
    slope = ((rows / height - 0.5) * sin(turn) + (columns / width - 0.5) * cos(turn)) * chance.uniform(
        0.1, 0.4
    )
    picture = picture * (1 + slope)[..., None] + 0.035 * (_noise(chance, (height, width)) - 0.5)[..., None]
    return (_between(picture * 255, 0, 255) + 0.5).astype(np.uint8), mask


def _arrange(chance: random.Random, size: tuple[int, int]) -> list[Shape]:
    """Two to four shapes, which may overlap by a little."""
    shapes: list[Shape] = []
    wanted = chance.randint(2, 4)
    small = min(size)
    for _ in range(60):
        radius = chance.uniform(0.2, 0.32) * small
        row = chance.uniform(radius * 0.8, size[0] - radius * 0.8)
        column = chance.uniform(radius * 0.8, size[1] - radius * 0.8)
        apart = all(
            (s.row - row) ** 2 + (s.column - column) ** 2 > (0.95 * (s.radius + radius)) ** 2 for s in shapes
        )
        if apart:
            shapes.append(Shape(chance.randint(1, 4), row, column, radius, chance.uniform(0, 2 * pi)))
        if len(shapes) == wanted:
            break
    return shapes


def _outline(shape: Shape, rows: Plane, columns: Plane) -> tuple[Plane, Plane, Plane]:
    """Signed distance to the shape's edge in pixels, negative inside, and its own two axes in radii."""
    down, right = rows - shape.row, columns - shape.column
    across = (right * cos(shape.turn) + down * sin(shape.turn)) / shape.radius
    along = (down * cos(shape.turn) - right * sin(shape.turn)) / shape.radius
    centre = np.hypot(across, along)
    if NAMES[shape.label] == "disc":
        distance = centre - 0.92
    elif NAMES[shape.label] == "box":
        distance = np.maximum(np.abs(across) - 0.95, np.abs(along) - 0.68)
    elif NAMES[shape.label] == "triangle":
        sides = [across * cos(a) + along * sin(a) for a in (pi / 2, pi / 2 + 2 * pi / 3, pi / 2 - 2 * pi / 3)]
        distance = np.maximum(np.maximum(sides[0], sides[1]), sides[2]) - 0.56
    else:
        distance = np.abs(centre - 0.76) - 0.27
    return distance * shape.radius, across, along


def _surface(
    chance: random.Random, shape: Shape, across: Plane, along: Plane, distance: Plane, ground_hue: float
) -> Plane:
    """The shape's look, `(H, W, 3)` in 0..1: its class's pattern in two random tones."""
    hue = (ground_hue + chance.uniform(0.18, 0.82)) % 1
    light, dark = _tone(hue, chance.uniform(0.45, 0.9), 0.95), _tone(hue, chance.uniform(0.5, 0.95), 0.5)
    phase = chance.uniform(0, 2 * pi)
    kind = NAMES[shape.label]
    if kind == "disc":  # a ball lit from the upper left, whatever its turn
        left, up = (
            across * cos(shape.turn) - along * sin(shape.turn),
            across * sin(shape.turn) + along * cos(shape.turn),
        )
        mix = np.hypot(left + 0.35, up + 0.35) / 1.35
    elif kind == "box":  # planks
        mix = _wave(across * 3.2 * pi + phase, 3.0) * 0.85
    elif kind == "triangle":  # chequers
        mix = _wave(across * 3.6 * pi + phase, 3.0) * _wave(along * 3.6 * pi, 3.0)
        mix = mix + (1 - _wave(across * 3.6 * pi + phase, 3.0)) * (1 - _wave(along * 3.6 * pi, 3.0))
    else:  # a tube: bright along its middle
        mix = _between(np.abs(distance / shape.radius + 0.27) / 0.27, 0, 1) ** 1.5
    mix = _between(mix, 0, 1)[..., None]
    return (light * (1 - mix) + dark * mix).astype(np.float32)


def _ground(chance: random.Random, rows: Plane, columns: Plane, hue: float) -> Plane:
    """Clouds, waves or a plain slope in two near tones of one hue, `(H, W, 3)` in 0..1."""
    height, width = rows.shape
    value = chance.uniform(0.35, 0.85)
    one = _tone(hue, chance.uniform(0.15, 0.6), value)
    two = _tone((hue + chance.uniform(-0.06, 0.06)) % 1, chance.uniform(0.15, 0.6), value * 0.72)
    turn = chance.uniform(0, 2 * pi)
    line = (rows * sin(turn) + columns * cos(turn)) / max(height, width)
    kind = chance.choice(("clouds", "waves", "slope"))
    if kind == "clouds":
        mix = 0.65 * _clouds(chance, (height, width), 5) + 0.35 * _clouds(chance, (height, width), 13)
    elif kind == "waves":
        bend = _clouds(chance, (height, width), 4)
        mix = 0.5 + 0.5 * np.sin(line * chance.uniform(14, 26) + 5 * bend)
    else:
        mix = _between(0.5 + line - line.mean(), 0, 1) * 0.8 + 0.2 * _clouds(chance, (height, width), 9)
    mix = _between(mix, 0, 1)[..., None]
    return (one * (1 - mix) + two * mix).astype(np.float32)


def _wave(angle: Plane, sharpness: float) -> Plane:
    """A soft-edged square wave in 0..1."""
    return 1 / (1 + np.exp(-sharpness * 2 * np.sin(angle)))


def _clouds(chance: random.Random, size: tuple[int, int], cells: int) -> Plane:
    """Smooth noise in 0..1 of about `cells` bumps a side."""
    coarse = Image.fromarray(_noise(chance, (cells, cells)))
    return _between(np.asarray(coarse.resize((size[1], size[0]), Image.Resampling.BICUBIC)), 0, 1)


def _noise(chance: random.Random, size: tuple[int, int]) -> Plane:
    """Even noise in 0..1."""
    count = size[0] * size[1]
    values = np.frombuffer(chance.randbytes(2 * count), "<u2").astype(np.float32) / np.float32(65535)
    return np.reshape(values, size)


def _between(values: Plane, low: float, high: float) -> Plane:
    return np.minimum(np.maximum(values, np.float32(low)), np.float32(high))


def _tone(hue: float, saturation: float, value: float) -> Plane:
    return np.array(colorsys.hsv_to_rgb(hue, saturation, value), np.float32)
