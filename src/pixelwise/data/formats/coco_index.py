"""Where everything stands in one of COCO's json files: found in one pass, a few numbers an annotation.

Knows images, categories and annotations of a file of any size; draws nothing and looks for no picture. An
annotation is read again, alone, when its picture is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwise.data.entries import Texts
from pixelwise.data.formats.json_scan import read_piece
from pixelwise.errors import DataError

INSTANCES, PANOPTIC = "instances", "panoptic"
DAMAGED = "damaged"
"""Of a file that begins like COCO's but cannot be read as far as its first annotation."""


@dataclass(frozen=True)
class Category:
    """A category as the file has it.

    Attributes:
        id: Any whole number.
        name: Not empty.
        supercategory: Empty where there is none.
        colour: Where the file gives one.
    """

    id: int
    name: str
    supercategory: str
    colour: tuple[int, int, int] | None


@dataclass(frozen=True, eq=False)
class CocoIndex:
    """What a file holds.

    Attributes:
        path: The file.
        kind: `instances` or `panoptic`; empty where no annotation tells.
        categories: By their ids.
        names: File name of each picture, as the file has it.
        sizes: `(n, 2) int32` height and width of each picture.
        used: Ids of the categories that annotations have.
        shapes: How many annotations have a segmentation.
        starts: `(n + 1,) int64`: picture `i` has the annotations `starts[i]` to `starts[i + 1]`.
        places: `(m,) int64` first byte of each annotation, by picture; crowds first, then as in the file.
        lengths: `(m,) int32` bytes of each.
        maps: File name of each panoptic annotation's map, in the same order; none for instances.
    """

    path: Path
    kind: str
    categories: tuple[Category, ...]
    names: Texts
    sizes: npt.NDArray[np.int32]
    used: frozenset[int]
    shapes: int
    starts: npt.NDArray[np.int64]
    places: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int32]
    maps: Texts

    def map_name(self, image: int) -> str:
        """The file name of the panoptic map of picture number `image`; empty where it has none."""
        first = int(self.starts[image])
        return self.maps[first] if first < int(self.starts[image + 1]) else ""

    def annotations(self, image: int) -> Iterator[tuple[dict[str, Any], str]]:
        """The annotations of picture number `image`, each with what its messages begin with.

        Raises:
            DataError: The file is gone, or changed since it was indexed.
        """
        first, last = int(self.starts[image]), int(self.starts[image + 1])
        if first == last:
            return
        try:
            with self.path.open("rb") as file:
                for place in range(first, last):
                    start, length = int(self.places[place]), int(self.lengths[place])
                    where = f"{self.path}, annotation at byte {start:,}"
                    piece = read_piece(file, self.path, start, length, where)
                    yield piece, f"{self.path}, annotation {piece.get('id', f'at byte {start:,}')}"
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read ({error.strerror or error}); restore it") from error
