"""What one picture meets in one epoch: numbers drawn from (seed, epoch, index). Knows no picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pixelwise.config import AugmentConfig

TRIES = 10
"""Places of a crop among which the first that is not too much of one class is taken."""

_HUE_TURN = 0.25
"""Largest hue change at colour strength 1, in turns of the colour wheel; 0.4 gives the usual 36 degrees."""

_ASPECT = 2.0
"""A grey rectangle is at most so many times wider than high, or higher than wide."""


@dataclass(frozen=True, kw_only=True)
class Draw:
    """What one picture meets.

    Attributes:
        mirror: Flip left-right, before everything else.
        scale: Enlargement about the centre; below 1 the picture shrinks.
        degrees: Rotation about the centre, counter-clockwise as seen.
        shift: How far the picture's centre lies below and to the right of the result's, in pixels. Where
            nothing is scaled or rotated, pixels fall on pixels.
        places: Shifts to choose from instead, where a crop must not be too much of one class.
        paste: Decides which classes of the neighbour are pasted in; None for none.
        brightness: Factor on RGB.
        contrast: Factor on the distance from mid-grey (127.5).
        saturation: Factor on the distance from the pixel's own grey.
        hue: Rotation of the colour wheel, in turns.
        blur: Standard deviation of a Gaussian, in pixels; 0 for none.
        jpeg: Quality of a compression; 100 for none.
        cutout: A grey rectangle as (top, left, height, width) in shares of the result, or None.
    """

    mirror: bool = False
    scale: float = 1.0
    degrees: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    places: tuple[tuple[float, float], ...] = ()
    paste: int | None = None
    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    hue: float = 0.0
    blur: float = 0.0
    jpeg: int = 100
    cutout: tuple[float, float, float, float] | None = None

    @property
    def resamples(self) -> bool:
        """Whether pixels of the result lie between pixels of the picture."""
        return self.scale != 1.0 or self.degrees != 0.0

    @property
    def recolours(self) -> bool:
        """Whether the colours change."""
        return (self.brightness, self.contrast, self.saturation, self.hue) != (1.0, 1.0, 1.0, 0.0)


def draw(config: AugmentConfig, *, seed: int, epoch: int, index: int, size: tuple[int, int]) -> Draw:
    """What the picture `index` of size (height, width) meets in this epoch: the same on every call."""
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, epoch, index))))
    # Always as many numbers in this order, so that switching one change on leaves the others' draws alone;
    # what is new comes last, so that old runs keep theirs.
    coin, enlargement, angle, down, right, *colour = generator.random(9).tolist()
    tries = generator.random((TRIES, 2))
    blur_coin, sigma, jpeg_coin, quality, paste_coin, *rectangle = generator.random(9).tolist()
    paste = int(generator.integers(2**63))
    low, high = config.scale
    scale = low * (high / low) ** enlargement
    brightness, contrast, saturation, hue = (config.colour * (2 * u - 1) for u in colour)
    shift, places = _shifts(config, size, scale=scale, down=down, right=right, tries=tries)
    return Draw(
        mirror=config.flip and coin < 0.5,
        scale=scale,
        degrees=config.rotate * (2 * angle - 1),
        shift=shift,
        places=places,
        paste=paste if paste_coin < config.mix else None,
        brightness=1 + brightness,
        contrast=1 + contrast,
        saturation=1 + saturation,
        hue=_HUE_TURN * hue,
        blur=config.blur * sigma if blur_coin < 0.5 else 0.0,
        jpeg=round(config.jpeg + (100 - config.jpeg) * quality) if jpeg_coin < 0.5 else 100,
        cutout=_rectangle(config.cutout, *rectangle) if config.cutout > 0 else None,
    )


def _shifts(
    config: AugmentConfig,
    size: tuple[int, int],
    *,
    scale: float,
    down: float,
    right: float,
    tries: np.ndarray,
) -> tuple[tuple[float, float], tuple[tuple[float, float], ...]]:
    """The shift, and all that a crop may choose from."""
    if config.crop is None:
        share = config.shift
        return (round(share * (2 * down - 1) * size[0]), round(share * (2 * right - 1) * size[1])), ()
    places = tuple(
        (
            _crop_shift(size[0], config.crop[0], scale, float(y)),
            _crop_shift(size[1], config.crop[1], scale, float(x)),
        )
        for y, x in tries
    )
    return places[0], places if config.crop_max_share < 1 else ()


def _crop_shift(length: int, crop: int, scale: float, place: float) -> float:
    """The shift of one axis that puts a crop evenly into a picture `scale` times its length, or reverse.

    The crop begins at a whole pixel of the scaled picture, so that without scaling pixels fall on pixels.
    """
    scaled = round(length * scale)
    room = abs(scaled - crop)
    begin = min(int(place * (room + 1)), room) * (1 if scaled >= crop else -1)
    return scaled / 2 - crop / 2 - begin


def _rectangle(
    most: float, area: float, aspect: float, down: float, right: float
) -> tuple[float, float, float, float]:
    """Top, left, height and width, in shares, of a rectangle of up to the share `most` of the whole."""
    ratio = _ASPECT ** (2 * aspect - 1)
    height = min(1.0, (area * most * ratio) ** 0.5)
    width = min(1.0, (area * most / ratio) ** 0.5)
    return down * (1 - height), right * (1 - width), height, width
