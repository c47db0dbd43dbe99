"""The best figures that can be reached on a data set, grid by grid; to JSON and back.

Knows no file and no mask: integers in, shares out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pixelwise.ceiling.grid import Grid
from pixelwise.ceiling.tally import Method, Tally

RULE = (
    "Counted over all labelled pixels of the set at once (255 is ignored). A class with neither truth nor "
    "prediction is absent and left out of every mean; one that is always missed, or predicted where it never "
    "is, has IoU 0."
)
"""What the means contain: the rule of `metrics.RULE`, word for word, since these figures are compared."""

MEANING: Mapping[Method, str] = {
    "soft": (
        "soft: the network answers each cell with the exact share of each class, and that is enlarged "
        "bilinearly before the largest is taken. Sharpened answers can gain a little, most of all for thin "
        "objects, so it is what can be reached in practice and no theorem."
    ),
    "majority": (
        "majority: each cell gets its most frequent class, enlarged by nearest neighbour: what a network "
        "reaches that is trained and compared so."
    ),
    "nearest": (
        "nearest: each cell gets the class at its centre, as label maps are resized for training, enlarged "
        "by nearest neighbour. A cell whose centre is ignored gets its most frequent class."
    ),
}
"""What each method stands for."""


@dataclass(frozen=True, kw_only=True)
class Level:
    """The ceiling of one grid by one method; shares in 0..1.

    Attributes:
        method: How labels are brought to the grid and back.
        iou: Of each class; None for an absent one.
        miou: Mean of `iou` over the classes that are not absent; None where there is none.
        pixel_accuracy: The share of labelled pixels that are right; None where there is none.
        absent: Names of the classes with neither truth nor prediction.
    """

    method: Method
    iou: tuple[float | None, ...]
    miou: float | None
    pixel_accuracy: float | None
    absent: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "method": self.method,
            "miou": self.miou,
            "iou": list(self.iou),
            "pixel_accuracy": self.pixel_accuracy,
            "absent": list(self.absent),
        }


@dataclass(frozen=True, kw_only=True)
class GridCeiling:
    """One grid.

    Attributes:
        grid: Which.
        cells: A picture has on average.
        levels: One a method, in the order that was asked for.
    """

    grid: Grid
    cells: float
    levels: tuple[Level, ...]

    @property
    def best_miou(self) -> float | None:
        """The highest mIoU of all methods."""
        return max((level.miou for level in self.levels if level.miou is not None), default=None)

    def best_iou(self, place: int) -> float | None:
        """The highest IoU that a method reaches for one class; None where it is absent."""
        return max((iou for level in self.levels if (iou := level.iou[place]) is not None), default=None)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        levels = [level.to_json() for level in self.levels]
        return {"grid": self.grid.to_json(), "cells_per_picture": self.cells, "levels": levels}


@dataclass(frozen=True, kw_only=True)
class Ceiling:
    """The figures of a data set.

    Attributes:
        classes: Names; every per-class tuple follows their order.
        pictures: How many were counted.
        skipped: How many could not be read and were left out.
        pixel_share: The share of the labelled pixels that each class has; None where nothing is labelled.
        grids: In the order that was asked for.
        recommendation: What the figures say, in a sentence.
        rule: What was counted, and what the means leave out.
    """

    classes: tuple[str, ...]
    pictures: int
    skipped: int
    pixel_share: tuple[float | None, ...]
    grids: tuple[GridCeiling, ...]
    recommendation: str
    rule: str = RULE

    @property
    def methods(self) -> tuple[Method, ...]:
        """Those that every grid has."""
        return tuple(level.method for level in self.grids[0].levels)

    def to_json(self) -> dict[str, Any]:
        """A plain dict, without nan or infinity."""
        return {
            "classes": list(self.classes),
            "pictures": self.pictures,
            "skipped": self.skipped,
            "pixel_share": list(self.pixel_share),
            "grids": [grid.to_json() for grid in self.grids],
            "recommendation": self.recommendation,
            "rule": self.rule,
            "methods": {method: MEANING[method] for method in self.methods},
        }


def figures(
    counts: Tally, *, grids: Sequence[Grid], methods: Sequence[Method], classes: Sequence[str]
) -> tuple[GridCeiling, ...]:
    """The shares that follow from the counts."""
    # Python's integers from here on: sums of int64 counts cannot overflow.
    truth: list[int] = counts.truth.tolist()
    missed, added = counts.missed.tolist(), counts.added.tolist()
    found: list[GridCeiling] = []
    for place, grid in enumerate(grids):
        levels = tuple(
            _level(method, classes, truth, missed[place][number], added[place][number])
            for number, method in enumerate(methods)
        )
        cells = int(counts.cells[place]) / max(counts.pictures, 1)
        found.append(GridCeiling(grid=grid, cells=cells, levels=levels))
    return tuple(found)


def shares(truth: Sequence[int]) -> tuple[float | None, ...]:
    """The share of each class in their sum."""
    return tuple(_ratio(count, sum(truth)) for count in truth)


def _level(
    method: Method, classes: Sequence[str], truth: Sequence[int], missed: Sequence[int], added: Sequence[int]
) -> Level:
    # Hits are truth less missed, and the union of truth and prediction is truth and what was added.
    iou = tuple(_ratio(t - m, t + a) for t, m, a in zip(truth, missed, added, strict=True))
    there = [value for value in iou if value is not None]
    return Level(
        method=method,
        iou=iou,
        miou=sum(there) / len(there) if there else None,
        pixel_accuracy=_ratio(sum(truth) - sum(missed), sum(truth)),
        absent=tuple(name for name, value in zip(classes, iou, strict=True) if value is None),
    )


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
