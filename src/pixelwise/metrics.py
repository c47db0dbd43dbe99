"""One integer confusion matrix over a whole set, and the figures that follow from it.

Knows no data set, no network and no process group: it counts label maps that it is handed, wherever they lie.
Sums over batches, pictures or ranks are sums of integers, so that no figure depends on how the set was cut.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pixelwise.errors import DataError
from pixelwise.types import IGNORE, MAX_CLASSES, Classes

Labels = Tensor | npt.NDArray[Any]

RULE = (
    "Counted over all labelled pixels of the set at once (255 is ignored). A class with neither truth nor "
    "prediction is absent and left out of every mean; one that is always missed, or predicted where it never "
    "is, has IoU 0."
)
"""The rule that decides what the means contain; every result carries it."""

_CHUNK = 1 << 22
"""Pixels counted at a time, so that memory does not grow with a picture's size."""


class ConfusionMatrix:
    """Counts of (true class, predicted class) over every pixel whose truth is not 255.

    Args:
        num_classes: K, in 1..255.
    """

    def __init__(self, num_classes: int) -> None:
        if not 1 <= num_classes <= MAX_CLASSES:
            raise ValueError(f"a confusion matrix needs 1 to {MAX_CLASSES} classes, got {num_classes}")
        self.num_classes = num_classes
        self._counts = torch.zeros(num_classes, num_classes, dtype=torch.int64)

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """A copy of the counts, `(K, K) int64`: row = truth, column = prediction."""
        return self._counts.cpu().numpy().copy()

    def update(self, prediction: Labels, target: Labels) -> None:
        """Counts one label map or a batch of them; on an error nothing of it is counted.

        Args:
            prediction: Class ids of any integer type and shape.
            target: Train ids of the same shape; 255 = ignore.

        Raises:
            DataError: The shapes differ, or a counted pixel's id is none of the classes.
        """
        predicted, true = _as_tensor(prediction), _as_tensor(target)
        if predicted.shape != true.shape:
            raise DataError(
                "prediction and truth must have one shape, "
                f"got {tuple(predicted.shape)} and {tuple(true.shape)}"
            )
        predicted, true = _as_bytes(predicted, "prediction"), _as_bytes(true, "truth")
        predicted = predicted.to(true.device)
        # All 256 x 256 pairs are counted and the classes' corner cut out: one pass finds the strays as well.
        pairs = torch.zeros(256 * 256, dtype=torch.int64, device=true.device)
        for start in range(0, true.numel(), _CHUNK):
            part = slice(start, start + _CHUNK)
            # int32 holds 65535, and costs half the traffic of int64.
            pair = true[part].to(torch.int32).mul_(256).add_(predicted[part])
            pairs += torch.bincount(pair, minlength=256 * 256)
        self._add(pairs.view(256, 256))

    def _add(self, pairs: Tensor) -> None:
        k = self.num_classes
        strays = torch.stack((pairs[k:IGNORE].sum(), pairs[:k, k:].sum())).tolist()
        if strays[0]:
            raise DataError(_stray_text("the truth", pairs[k:IGNORE].sum(1), k))
        if strays[1]:
            raise DataError(_stray_text("the prediction", pairs[:k, k:].sum(0), k))
        self._counts = self._counts.to(pairs.device) + pairs[:k, :k]

    def merge(self, other: ConfusionMatrix) -> None:
        """Adds the counts of another part of the set."""
        if other.num_classes != self.num_classes:
            raise ValueError(f"cannot merge {other.num_classes} classes into {self.num_classes}")
        self._counts = self._counts + other._counts.to(self._counts.device)


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """The figures of one evaluation; shares in 0..1, None where nothing was there to measure.

    Attributes:
        classes: The K class names; every per-class tuple follows their order.
        iou: Intersection over union, TP / (TP + FP + FN); None for an absent class.
        dice: 2 TP / (2 TP + FP + FN), also called F1; None for an absent class.
        precision: TP / (TP + FP); None where the class was never predicted.
        recall: TP / (TP + FN); None where the class has no true pixel.
        pixel_share: The share of the counted pixels whose truth is the class.
        miou: Mean of `iou` over the classes that are not absent.
        mean_dice: Mean of `dice` over the same.
        pixel_accuracy: The share of counted pixels that are right.
        mean_class_accuracy: Mean of `recall` over the classes that have true pixels.
        frequency_weighted_iou: Sum of `pixel_share` times `iou`.
        absent: Names of the classes with neither truth nor prediction.
        pixels: How many pixels were counted.
        confusion: Pixel counts, row = truth, column = prediction.
        rule: What was counted, and what the means leave out, in a sentence.
    """

    classes: tuple[str, ...]
    iou: tuple[float | None, ...]
    dice: tuple[float | None, ...]
    precision: tuple[float | None, ...]
    recall: tuple[float | None, ...]
    pixel_share: tuple[float | None, ...]
    miou: float | None
    mean_dice: float | None
    pixel_accuracy: float | None
    mean_class_accuracy: float | None
    frequency_weighted_iou: float | None
    absent: tuple[str, ...]
    pixels: int
    confusion: tuple[tuple[int, ...], ...]
    rule: str = RULE

    def to_json(self) -> dict[str, Any]:
        """A plain dict, without nan or infinity; `from_json` reads it back to an equal result."""
        return {field.name: _listed(getattr(self, field.name)) for field in dataclasses.fields(self)}

    @staticmethod
    def from_json(value: object) -> Metrics:
        """Reads what `to_json` gave; raises `DataError` for anything else."""
        names = {field.name for field in dataclasses.fields(Metrics)}
        if not isinstance(value, Mapping) or set(cast("Mapping[str, Any]", value)) != names:
            raise DataError(f"metrics must be an object with {', '.join(sorted(names))}, got {value!r:.100}")
        members = cast("Mapping[str, Any]", value)
        return Metrics(**{name: _tupled(members[name]) for name in names})


def scores(counts: npt.NDArray[np.int64], classes: Classes) -> Metrics:
    """The figures of a whole set.

    Args:
        counts: `(K, K) int64`, row = truth, column = prediction: `ConfusionMatrix.counts`, or a sum of such.
        classes: The K classes.
    """
    if counts.dtype != np.int64 or counts.shape != (len(classes), len(classes)) or (counts < 0).any():
        raise ValueError(
            f"{len(classes)} classes need as many rows and columns of counts, got {counts!r:.200}"
        )
    # Python's integers from here on: sums of int64 counts cannot overflow.
    table: list[list[int]] = counts.tolist()
    hit = [table[i][i] for i in range(len(table))]
    true = [sum(row) for row in table]
    predicted = [sum(column) for column in zip(*table, strict=True)]
    pixels = sum(true)
    iou = tuple(_ratio(h, t + p - h) for h, t, p in zip(hit, true, predicted, strict=True))
    dice = tuple(_ratio(2 * h, t + p) for h, t, p in zip(hit, true, predicted, strict=True))
    recall = tuple(_ratio(h, t) for h, t in zip(hit, true, strict=True))
    weighted = [t * value for t, value in zip(true, iou, strict=True) if value is not None]
    return Metrics(
        classes=classes.names,
        iou=iou,
        dice=dice,
        precision=tuple(_ratio(h, p) for h, p in zip(hit, predicted, strict=True)),
        recall=recall,
        pixel_share=tuple(_ratio(t, pixels) for t in true),
        miou=_mean(iou),
        mean_dice=_mean(dice),
        pixel_accuracy=_ratio(sum(hit), pixels),
        mean_class_accuracy=_mean(recall),
        frequency_weighted_iou=sum(weighted) / pixels if pixels else None,
        absent=tuple(n for n, t, p in zip(classes.names, true, predicted, strict=True) if t + p == 0),
        pixels=pixels,
        confusion=tuple(tuple(row) for row in table),
    )


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _mean(values: Sequence[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return sum(present) / len(present) if present else None


def _as_tensor(labels: Labels) -> Tensor:
    if isinstance(labels, Tensor):
        return labels
    array = np.ascontiguousarray(labels)
    # torch warns about memory that it may not write to, such as a memory-mapped file's.
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def _as_bytes(labels: Tensor, name: str) -> Tensor:
    """Any integer labels as a flat uint8 tensor."""
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise DataError(f"the {name} must hold integer class ids, got {labels.dtype}")
    flat = labels.detach().reshape(-1)
    if labels.dtype == torch.uint8:
        return flat
    if flat.numel():
        low, high = (int(v) for v in torch.aminmax(flat))
        if low < 0 or high > IGNORE:
            raise DataError(f"the {name} holds the id {low if low < 0 else high}; ids lie in 0..255")
    return flat.to(torch.uint8)


def _stray_text(name: str, pixels_by_id: Tensor, first: int) -> str:
    found = [f"{first + i} ({n} pixels)" for i, n in enumerate(pixels_by_id.tolist()) if n]
    return f"{name} holds {', '.join(found[:5])}, but the classes are 0..{first - 1} and 255 is ignored"


def _listed(value: Any) -> Any:
    return [_listed(item) for item in value] if isinstance(value, tuple) else value


def _tupled(value: Any) -> Any:
    return tuple(_tupled(item) for item in cast("list[Any]", value)) if isinstance(value, list) else value
