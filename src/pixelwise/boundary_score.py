"""How well the outlines of masks lie: precision, recall and F of each class's boundary, within a tolerance.

Source of the measure and of its tolerance: G. Csurka, D. Larlus, F. Perronnin, "What is a good evaluation
measure for semantic segmentation?", BMVC 2013. IoU counts areas, which hardly change where an outline moves
by a few pixels; this counts outlines alone. The paper takes the mean over pictures; here boundary pixels are
counted over the whole set (`RULE`), as `metrics` counts pixels, so that a picture with one stray pixel of a
class weighs one pixel. Where all outlines of a data set lie under ignored pixels, as PASCAL VOC draws them,
there is nothing to measure.

NumPy alone. Knows no data set and no network: it counts label maps that it is handed, picture by picture.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwise.errors import ConfigError, DataError
from pixelwise.types import IGNORE, MAX_CLASSES, Classes

UInt8Array = npt.NDArray[np.uint8]
Bits = npt.NDArray[np.unsignedinteger[Any]]

RULE = (
    "A boundary pixel of a class has a pixel of another class above, below, left or right of it; ignored "
    "pixels (255 in the truth) and the picture's edge make none. It is matched where the other map has a "
    "boundary pixel of the same class within the tolerance, a share of the picture's diagonal but at least "
    "one pixel. Pixels are counted over all pictures of the set at once: precision is the matched share of "
    "the predicted, recall that of the true ones, F 2 P R / (P + R). A class with neither is absent and left "
    "out of the mean; one that is always missed, or predicted where it never is, has F 0."
)
"""What is counted and what the mean contains; every result carries it."""

TOLERANCE = 0.0075
"""Csurka et al.'s share of the diagonal: 4.5 pixels at 480x360."""

_COLUMNS = ("predicted, matched", "predicted", "true, matched", "true")
_WORD = 64
"""Classes that are spread at once, a bit each."""


class BoundaryCounts:
    """Counts of each class's boundary pixels, of both maps, and of those that the other map matches.

    Args:
        num_classes: K, in 1..255.
        tolerance: Share of a picture's diagonal within which boundaries match, in 0..1; at least one pixel.

    Raises:
        ConfigError: The tolerance is no share.
    """

    def __init__(self, num_classes: int, *, tolerance: float = TOLERANCE) -> None:
        if not 1 <= num_classes <= MAX_CLASSES:
            raise ValueError(f"boundaries need 1 to {MAX_CLASSES} classes, got {num_classes}")
        if not 0 <= tolerance <= 1:
            raise ConfigError(f"the tolerance is a share of the diagonal in 0..1, got {tolerance}")
        self.num_classes = num_classes
        self.tolerance = tolerance
        self._counts = np.zeros((num_classes, len(_COLUMNS)), np.int64)

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """A copy, `(K, 4) int64`: predicted and matched, predicted, true and matched, true."""
        return self._counts.copy()

    def update(self, prediction: UInt8Array, target: UInt8Array) -> None:
        """Counts one picture; on an error nothing of it is counted.

        Args:
            prediction: Class ids, `(H, W) uint8`.
            target: Train ids, `(H, W) uint8`; 255 = ignore.

        Raises:
            DataError: The shapes or types differ, or a counted pixel's id is none of the classes.
        """
        self._check(prediction, target)
        predicted = prediction | np.where(target == IGNORE, np.uint8(IGNORE), np.uint8(0))
        reach = max(1.0, self.tolerance * math.hypot(*target.shape))
        ours, theirs = _Boundary.of(predicted), _Boundary.of(target)
        columns = (ours.matched(theirs, reach), ours.labels, theirs.matched(ours, reach), theirs.labels)
        for column, labels in enumerate(columns):
            self._counts[:, column] += np.bincount(labels, minlength=self.num_classes)

    def _check(self, prediction: UInt8Array, target: UInt8Array) -> None:
        if prediction.shape != target.shape or prediction.ndim != 2:
            raise DataError(
                f"prediction and truth must have one shape (H, W), got {prediction.shape} and {target.shape}"
            )
        if prediction.dtype != np.uint8 or target.dtype != np.uint8:
            raise DataError(
                f"prediction and truth must be uint8 class ids, got {prediction.dtype} and {target.dtype}"
            )
        counted = target != IGNORE
        for name, labels in (("prediction", prediction), ("truth", target)):
            strays = labels[(labels >= self.num_classes) & counted]
            if strays.size:
                raise DataError(
                    f"the {name} holds {int(strays[0])} ({strays.size} such pixels), but the classes are "
                    f"0..{self.num_classes - 1} and 255 in the truth is ignored"
                )

    def merge(self, other: BoundaryCounts) -> None:
        """Adds the counts of another part of the set."""
        if (other.num_classes, other.tolerance) != (self.num_classes, self.tolerance):
            raise ValueError("only counts of as many classes and the same tolerance can be merged")
        self._counts = self._counts + other._counts


@dataclass(frozen=True, kw_only=True)
class BoundaryScores:
    """The boundary figures of one evaluation; shares in 0..1, None where nothing was there to measure.

    Attributes:
        classes: The K class names; every per-class tuple follows their order.
        f_score: 2 P R / (P + R) of each class's boundary; None for an absent class.
        precision: Matched share of the predicted boundary; None where none was predicted.
        recall: Matched share of the true boundary; None where there is none.
        mean_f_score: Mean of `f_score` over the classes that are not absent.
        absent: Names of the classes with neither a true nor a predicted boundary.
        tolerance: Share of a picture's diagonal within which boundaries match.
        counts: Of each class, boundary pixels: predicted and matched, predicted, true and matched, true.
        rule: What was counted, and what the mean leaves out.
    """

    classes: tuple[str, ...]
    f_score: tuple[float | None, ...]
    precision: tuple[float | None, ...]
    recall: tuple[float | None, ...]
    mean_f_score: float | None
    absent: tuple[str, ...]
    tolerance: float
    counts: tuple[tuple[int, int, int, int], ...]
    rule: str = RULE

    def to_json(self) -> dict[str, Any]:
        """A plain dict, without nan or infinity."""
        return dataclasses.asdict(self)


def boundary_scores(found: BoundaryCounts, classes: Classes) -> BoundaryScores:
    """The figures of what was counted of the K classes."""
    if found.num_classes != len(classes):
        raise ValueError(f"{len(classes)} classes need as many rows of counts, got {found.num_classes}")
    rows: list[tuple[int, int, int, int]] = [tuple(row) for row in found.counts.tolist()]
    f_score = tuple(_f_score(row) for row in rows)
    return BoundaryScores(
        classes=classes.names,
        f_score=f_score,
        precision=tuple(row[0] / row[1] if row[1] else None for row in rows),
        recall=tuple(row[2] / row[3] if row[3] else None for row in rows),
        mean_f_score=_mean(f_score),
        absent=tuple(name for name, value in zip(classes.names, f_score, strict=True) if value is None),
        tolerance=found.tolerance,
        counts=tuple(rows),
    )


def _f_score(row: tuple[int, int, int, int]) -> float | None:
    hit, predicted, found, true = row
    if not predicted and not true:
        return None
    if not hit or not found:
        return 0.0
    precision, recall = hit / predicted, found / true
    return 2 * precision * recall / (precision + recall)


def _mean(values: Sequence[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return sum(present) / len(present) if present else None


@dataclass(frozen=True, eq=False)
class _Boundary:
    """The boundary pixels of a label map `shape`: flat places, and the class of each."""

    shape: tuple[int, int]
    places: npt.NDArray[np.intp]
    labels: UInt8Array

    @staticmethod
    def of(labels: UInt8Array) -> _Boundary:
        """Where a class meets another, on both sides; 255 is no class."""
        known = labels != IGNORE
        edge = np.zeros(labels.shape, np.bool_)
        for before, after in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
            meets = (labels[before] != labels[after]) & known[before] & known[after]
            edge[before] |= meets
            edge[after] |= meets
        places = np.flatnonzero(edge)
        return _Boundary((labels.shape[0], labels.shape[1]), places, labels.reshape(-1)[places])

    def matched(self, other: _Boundary, reach: float) -> UInt8Array:
        """The classes of those pixels that `other` has one of the same class for within `reach` pixels."""
        found = np.zeros(self.labels.size, np.bool_)
        for bits in self._words():
            map_ = np.zeros(self.shape, _narrowest(int(bits.max())))
            map_.reshape(-1)[other.places] = bits[other.labels]
            near = _spread(map_, reach).reshape(-1)[self.places]
            found |= (near & bits[self.labels].astype(near.dtype)) != 0
        return self.labels[found]

    def _words(self) -> Iterator[npt.NDArray[np.uint64]]:
        """A bit for each class that occurs, `(256,)`; 64 classes at a time, 0 for the others."""
        present = np.flatnonzero(np.bincount(self.labels, minlength=IGNORE + 1))
        for start in range(0, present.size, _WORD):
            bits = np.zeros(IGNORE + 1, np.uint64)
            some = present[start : start + _WORD]
            bits[some] = np.uint64(1) << np.arange(some.size, dtype=np.uint64)
            yield bits


def _narrowest(largest: int) -> type[np.unsignedinteger[Any]]:
    kinds = (np.uint8, np.uint16, np.uint32, np.uint64)
    return next(kind for kind in kinds if largest <= np.iinfo(kind).max)


def _spread(bits: Bits, reach: float) -> Bits:
    """Of each pixel, the bits of all pixels `(H, W)` whose centre lies within `reach`: a disk, exactly."""
    result = np.zeros_like(bits)
    run, half = bits.copy(), 0  # what lies within `half` to the left and right
    square = math.floor(reach * reach)  # squared distances are whole numbers
    for down in range(math.isqrt(square), -1, -1):
        while half < math.isqrt(square - down * down):
            half += 1
            run[:, half:] |= bits[:, :-half]
            run[:, :-half] |= bits[:, half:]
        result[down:] |= run[:-down] if down else run
        result[: -down or None] |= run[down:]
    return result
