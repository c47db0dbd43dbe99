"""One mask on all grids by all methods, in integers that can be added up over a data set.

Knows neither files nor figures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from pixelwise.ceiling.areas import Axes, ClassAreas
from pixelwise.ceiling.errors import Errors
from pixelwise.ceiling.grid import Grid
from pixelwise.ceiling.hard import add_hard, majority, nearest
from pixelwise.ceiling.soft import add_soft
from pixelwise.types import IGNORE

Method = Literal["soft", "majority", "nearest"]
METHODS: tuple[Method, ...] = ("soft", "majority", "nearest")
"""From the finest to the coarsest."""

_AT_ONCE = 1 << 25
"""Pixels times classes whose sums are held at once, 128 MiB; a larger picture is done in strips."""


@dataclass(eq=False)
class Tally:
    """Counts of some pictures.

    Attributes:
        pictures: How many.
        pixels: Of them, the ignored ones too.
        cells: `(grids,) int64`: cells of all their grids.
        truth: `(K,) int64`: labelled pixels of each class.
        missed: `(grids, methods, K) int64`: those of them that are predicted as another class.
        added: `(grids, methods, K) int64`: the same pixels by the predicted class.
    """

    pictures: int
    pixels: int
    cells: npt.NDArray[np.int64]
    truth: npt.NDArray[np.int64]
    missed: npt.NDArray[np.int64]
    added: npt.NDArray[np.int64]

    @staticmethod
    def empty(*, grids: int, methods: int, classes: int) -> Tally:
        """Of no picture."""
        shape = grids, methods, classes
        return Tally(
            pictures=0,
            pixels=0,
            cells=np.zeros(grids, np.int64),
            truth=np.zeros(classes, np.int64),
            missed=np.zeros(shape, np.int64),
            added=np.zeros(shape, np.int64),
        )

    def add(self, other: Tally) -> None:
        """Adds the counts of other pictures."""
        self.pictures += other.pictures
        self.pixels += other.pixels
        self.cells += other.cells
        self.truth += other.truth
        self.missed += other.missed
        self.added += other.added


def tally(
    mask: npt.NDArray[np.uint8],
    *,
    grids: Sequence[Grid],
    methods: Sequence[Method],
    classes: int,
    at_once: int = _AT_ONCE,
) -> Tally:
    """The counts of one mask.

    Args:
        mask: `(H, W) uint8`: ids below `classes`, and 255 = ignore.
        grids: What to answer on.
        methods: How.
        classes: K.
        at_once: Pixels times classes that are held at once.
    """
    height, width = mask.shape
    truth = np.full((height + 1, width + 1), IGNORE, np.uint8)
    truth[:-1, :-1] = mask
    counts = np.bincount(mask.ravel(), minlength=256)
    present = max(1, int(np.count_nonzero(counts[:IGNORE])))
    found = Tally.empty(grids=len(grids), methods=len(methods), classes=classes)
    found.pictures, found.pixels, found.truth = 1, mask.size, counts[:classes].astype(np.int64)
    whole: ClassAreas | None = None
    for place, grid in enumerate(grids):
        axes = grid.axes((height, width))
        found.cells[place] = axes[0].cells * axes[1].cells
        errors = [Errors() for _ in methods]
        for rows in _strips(axes, at_once // present):
            if rows == (0, axes[0].cells):
                whole = whole or ClassAreas(mask, 0, height)
                areas = whole
            else:
                areas = ClassAreas(mask, *axes[0].pixel_range(max(rows[0] - 1, 0), rows[1]))
            _add_strip(errors, truth, axes, areas, rows, methods)
        for number, counted in enumerate(errors):
            found.missed[place, number] = counted.missed[:classes]
            found.added[place, number] = counted.added[:classes]
    return found


def _strips(axes: Axes, most: int) -> Iterator[tuple[int, int]]:
    """Rows of cells, as first and end, that touch or are no more than `most` pixels or cells."""
    rows, columns = axes
    a_row = max(-(-rows.cell // rows.pixel) * columns.pixels, columns.cells)
    if rows.pixels * columns.pixels <= most and rows.cells * columns.cells <= most:
        step = rows.cells
    else:
        step = max(1, most // a_row)
    for first in range(0, rows.cells, step):
        yield first, min(first + step, rows.cells)


def _add_strip(
    errors: Sequence[Errors],
    truth: npt.NDArray[np.uint8],
    axes: Axes,
    areas: ClassAreas,
    rows: tuple[int, int],
    methods: Sequence[Method],
) -> None:
    """Some rows of cells: their pixels, and those between the cell above them and their last."""
    mask = truth[:-1, :-1]
    parts = areas.on(axes, max(rows[0] - 1, 0), rows[1])
    frequent = majority(axes, parts, rows)
    for method, counted in zip(methods, errors, strict=True):
        if method == "soft":
            last = rows[1] == axes[0].cells
            add_soft(counted, truth, axes, parts, (rows[0], rows[1] + last))
        elif method == "majority":
            add_hard(counted, mask, axes, frequent, rows)
        else:
            add_hard(counted, mask, axes, nearest(mask, axes, rows, frequent), rows)
