"""The pictures on which an export is compared, at several sizes each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pixelwise.data.dataset import Dataset
from pixelwise.data.io import read_picture
from pixelwise.data.resize import resize_mask, resize_picture
from pixelwise.errors import DataError
from pixelwise.inference.photos import find_photos

LONGEST = 1024
"""Larger photos are compared at this many pixels of their longer side, so that a report takes minutes."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture to compare on.

    Attributes:
        image: `(H, W, 3) uint8` RGB.
        mask: `(H, W) uint8` train ids, 255 ignored; None where there is no truth.
    """

    image: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.uint8] | None = None

    def at(self, size: tuple[int, int]) -> Picture:
        """At another `(height, width)`."""
        mask = None if self.mask is None else resize_mask(self.mask, size)
        return Picture(resize_picture(self.image, size), mask)


def labelled(dataset: Dataset, split: str, count: int) -> list[Picture]:
    """`count` pictures with masks, spread evenly over a split."""
    indices = _spread(dataset.indices(split), count)
    if not indices:
        raise DataError(f"{dataset.reader.root}: there is no picture in the split {split!r} to compare on")
    samples = [dataset.reader[index] for index in indices]
    return [_bounded(Picture(sample.image, sample.mask)) for sample in samples]


def unlabelled(sources: Sequence[str], count: int) -> list[Picture]:
    """`count` of the photos in files, folders or patterns, spread evenly; see `predict`."""
    photos: list[Path] = _spread([photo.path for photo in find_photos(sources)], count)
    return [_bounded(Picture(read_picture(path))) for path in photos]


def sizes(size: tuple[int, int]) -> dict[str, tuple[int, int] | None]:
    """The sizes to compare at, by name: the network's, an odd one, and each photo's own."""
    odd = (size[0] * 5 // 8 | 1, size[1] * 7 // 8 | 1)
    return {"network": size, "odd": odd, "photo": None}


def _bounded(picture: Picture) -> Picture:
    height, width = picture.image.shape[:2]
    factor = LONGEST / max(height, width)
    if factor >= 1:
        return picture
    return picture.at((max(1, round(height * factor)), max(1, round(width * factor))))


def _spread(items: Sequence, count: int) -> list:
    if len(items) <= count:
        return list(items)
    return [items[i * len(items) // count] for i in range(count)]
