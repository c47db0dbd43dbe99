"""The connected pieces of a segmentation, each with its size, box and confidence. Knows labels, no photo."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
import numpy.typing as npt

from pixelwise.data.components import connected_components
from pixelwise.errors import ConfigError, DataError
from pixelwise.segmentation.box import Box
from pixelwise.types import FloatArray, UInt8Array

if TYPE_CHECKING:
    from pixelwise.segmentation.segmentation import Segmentation

Pieces = Literal["largest", "all"]
"""What is meant by a class: its largest connected piece, or every pixel of it."""

_Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Component:
    """Pixels of one class that hang together, by sides or corners.

    Attributes:
        name: The class.
        area: Its pixels.
        share: Of the picture, 0..1; ignored pixels count for nothing, as in `Segmentation.area`.
        box: The smallest one around it.
        confidence: Mean probability of its pixels' class, 0..1, where it was kept.
        size: `(height, width)` of the picture.
    """

    name: str
    area: int
    share: float
    box: Box
    confidence: float | None
    size: tuple[int, int]
    _firsts: _Ids = field(repr=False)
    _lengths: _Ids = field(repr=False)

    def mask(self) -> npt.NDArray[np.bool_]:
        """`(H, W)` at the picture's size, true where the piece is; `mask()[box.slices]` is its part alone."""
        height, width = self.size
        steps = np.zeros(height * width + 1, np.int8)
        steps[self._firsts] += 1
        steps[self._firsts + self._lengths] -= 1
        return np.reshape(np.cumsum(steps[:-1], dtype=np.int8).view(np.bool_), self.size)


def find_components(segmentation: Segmentation, name: str | None, min_area: int) -> list[Component]:
    """See `Segmentation.components`."""
    if min_area < 1:
        raise ConfigError(f"min_area is a number of pixels, at least 1, got {min_area}")
    labels, names = segmentation.labels, segmentation.classes.names
    wanted: int | None = None
    if name is not None:
        wanted = segmentation.classes.id_of(name)
        labels = (labels == wanted).astype(np.uint8)
    found = connected_components(labels)
    chosen = found.labels < len(names) if wanted is None else found.labels == 1
    grouped = _Grouped(found.firsts, found.lengths, found.pieces, found.size)
    boxes = grouped.boxes()
    sums = grouped.sums(segmentation.confidence) if segmentation.confidence is not None else None
    counted = segmentation.counted()
    numbers = np.flatnonzero(chosen & (found.areas >= min_area))
    numbers = numbers[np.argsort(-found.areas[numbers], kind="stable")]
    return [
        Component(
            name=names[int(found.labels[i]) if wanted is None else wanted],
            area=(area := int(found.areas[i])),
            share=area / counted,
            box=Box(*boxes[i].tolist()),
            confidence=None if sums is None else float(sums[i]) / area,
            size=found.size,
            _firsts=grouped.firsts[part],
            _lengths=grouped.lengths[part],
        )
        for i, part in zip(numbers.tolist(), grouped.parts(numbers), strict=True)
    ]


class _Grouped:
    """Runs, those of a piece side by side."""

    def __init__(self, firsts: _Ids, lengths: _Ids, pieces: _Ids, size: tuple[int, int]) -> None:
        order = np.argsort(pieces, kind="stable")
        self.firsts, self.lengths = firsts[order], lengths[order]
        self._starts = np.searchsorted(pieces[order], np.arange(int(pieces.max()) + 1))
        self._width = size[1]

    def parts(self, numbers: _Ids) -> Iterator[slice]:
        """Where the runs of each of these pieces are."""
        ends = np.append(self._starts[1:], len(self.firsts))
        return map(slice, self._starts[numbers].tolist(), ends[numbers].tolist())

    def boxes(self) -> _Ids:
        """`(n, 4)` left, top, right, bottom of each piece."""
        rows, lefts = np.divmod(self.firsts, self._width)
        return np.stack(
            (
                np.minimum.reduceat(lefts, self._starts),
                np.minimum.reduceat(rows, self._starts),
                np.maximum.reduceat(lefts + self.lengths, self._starts),
                np.maximum.reduceat(rows, self._starts) + 1,
            ),
            axis=1,
        )

    def sums(self, values: FloatArray) -> npt.NDArray[np.float64]:
        """The sum over each piece's pixels of `(H, W)`."""
        by_place = np.argsort(self.firsts)
        runs = np.empty(len(self.firsts), np.float64)
        runs[by_place] = np.add.reduceat(values.ravel(), self.firsts[by_place], dtype=np.float64)
        return np.add.reduceat(runs, self._starts)


def class_mask(segmentation: Segmentation, name: str, pieces: Pieces) -> UInt8Array:
    """`(H, W)` 255 where the class is, else 0.

    Raises:
        ConfigError: There is no such class.
        DataError: No pixel has it.
    """
    if pieces not in ("largest", "all"):
        raise ConfigError(f"pieces is 'largest' or 'all', got {cast('object', pieces)!r}")
    inside = segmentation.labels == segmentation.classes.id_of(name)
    if not inside.any():
        shares = segmentation.area()
        there = ", ".join(sorted((n for n in shares if shares[n] > 0), key=lambda n: -shares[n])[:12])
        raise DataError(f"no pixel of the picture is {name!r}: it shows {there or 'no class at all'}")
    if pieces == "largest":
        inside = find_components(segmentation, name, 1)[0].mask()
    return inside.view(np.uint8) * np.uint8(255)
