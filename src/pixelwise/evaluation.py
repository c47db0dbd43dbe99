"""Measures a predictor on a labelled split: one confusion matrix over all pictures, streamed.

Each picture takes the very path of `predict`; the truth is compared at the photo's own size. Knows no
network, no training and no terminal.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from pixelwise.bootstrap import Bootstrap, Interval
from pixelwise.boundary_score import BoundaryCounts, BoundaryScores, boundary_scores
from pixelwise.data.ahead import in_order
from pixelwise.data.reader import Reader
from pixelwise.data.resize import resize_mask, resize_picture
from pixelwise.errors import DataError
from pixelwise.inference import Input, Predictor, Sized
from pixelwise.metrics import ConfusionMatrix, Metrics, scores
from pixelwise.segmentation import Segmentation
from pixelwise.types import Classes, Sample, UInt8Array

Resolution = Literal["photo", "network"]
Truth = TypeVar("Truth")


@dataclass(frozen=True)
class RankedPicture:
    """How one picture fared: its index in the reader, its name, and its mIoU in 0..1."""

    index: int
    name: str
    miou: float


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The scores of a predictor on a split.

    Attributes:
        metrics: Over all pixels of all pictures.
        miou_interval: 95% bootstrap interval of the mIoU over pictures; None for fewer than two.
        iou_intervals: The same of each class's IoU; None for an absent class.
        worst: The pictures with the lowest mIoU, lowest first; as many as were asked for.
        pictures: How many were measured.
        boundary: How well the outlines lie, where that was asked for.
    """

    metrics: Metrics
    miou_interval: Interval | None
    iou_intervals: tuple[Interval | None, ...]
    worst: tuple[RankedPicture, ...]
    pictures: int
    boundary: BoundaryScores | None = None


def evaluate(
    predictor: Predictor,
    reader: Reader,
    indices: Sequence[int],
    *,
    resolution: Resolution = "photo",
    worst: int = 0,
    workers: int = 2,
    boundary: bool = False,
    on_picture: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Predicts the pictures and compares them with their masks.

    Args:
        predictor: What is measured.
        reader: The labelled pictures; its classes must be the predictor's.
        indices: Which of them.
        resolution: `photo` compares at each photo's own size, as users see masks; `network` compares what the
            network itself answers with the mask resized to its input, as validation during training does.
        worst: How many of the worst pictures to name.
        workers: Threads that read pictures.
        boundary: Measure the outlines too, which takes some milliseconds a picture.
        on_picture: Hears of (done, total).

    Raises:
        DataError: The classes differ, or there is no picture.
    """
    check_classes(predictor.classes, reader.classes)
    if not indices:
        raise DataError(f"{reader.root}: there is no picture to evaluate in this split")
    confusion, bootstrap = ConfusionMatrix(len(predictor.classes)), Bootstrap(len(predictor.classes))
    outlines = BoundaryCounts(len(predictor.classes))
    lowest: list[tuple[float, int, str]] = []  # a heap of the worst so far, the best of them on top
    total = len(indices)
    for done, (index, mask, prediction) in enumerate(
        _truths(predictor, reader, indices, resolution, workers), start=1
    ):
        single = ConfusionMatrix(len(predictor.classes))
        single.update(prediction.labels, mask)
        confusion.merge(single)
        bootstrap.add(single.counts, number=index)
        if boundary:
            outlines.update(prediction.labels, mask)
        miou = scores(single.counts, predictor.classes).miou
        if worst and miou is not None:
            heapq.heappush(lowest, (-miou, -index, reader.entries.names[index]))
            if len(lowest) > worst:
                heapq.heappop(lowest)
        if on_picture:
            on_picture(done, total)
    ranked = [RankedPicture(-index, name, -miou) for miou, index, name in sorted(lowest, reverse=True)]
    return Evaluation(
        metrics=scores(confusion.counts, predictor.classes),
        miou_interval=bootstrap.miou(),
        iou_intervals=tuple(bootstrap.iou()),
        worst=tuple(ranked),
        pictures=total,
        boundary=boundary_scores(outlines, predictor.classes) if boundary else None,
    )


def predictions(
    predictor: Predictor, reader: Reader, indices: Sequence[int], *, workers: int = 2
) -> Iterator[tuple[int, Sample, Segmentation]]:
    """`(index, sample, segmentation)` at each photo's size, in the order of `indices`; holds few pictures."""

    def load(index: int) -> tuple[Sample, Input]:
        sample = reader[index]
        return sample, _input(predictor, reader, sample, index)

    yield from _answered(predictor, in_order(load, indices, workers=workers), indices)


def _truths(
    predictor: Predictor, reader: Reader, indices: Sequence[int], resolution: Resolution, workers: int
) -> Iterator[tuple[int, UInt8Array, Segmentation]]:
    """`(index, mask, segmentation)` in the order of `indices`; no photo is kept that nobody looks at."""
    policy = predictor.size_policy

    def load(index: int) -> tuple[UInt8Array, Input]:
        if resolution == "network":  # as validation in training does
            if policy.decoding == "scaled":
                image, mask = reader.at(index, policy.size)
                return mask, image
            sample = reader[index]
            return resize_mask(sample.mask, policy.size), resize_picture(sample.image, policy.size)
        if predictor.needs_picture or not predictor.reads_scaled:
            sample = reader[index]
            return sample.mask, _input(predictor, reader, sample, index)
        image, mask = reader.for_network(index, policy.size)
        return mask, Sized(image, (mask.shape[0], mask.shape[1]), None)

    yield from _answered(predictor, in_order(load, indices, workers=workers), indices)


def _input(predictor: Predictor, reader: Reader, sample: Sample, index: int) -> Input:
    if not predictor.reads_scaled:
        return sample.image
    height, width = sample.mask.shape
    return Sized(reader.for_network(index, predictor.size_policy.size)[0], (height, width), sample.image)


def _answered(
    predictor: Predictor, loaded: Iterable[tuple[Truth, Input]], indices: Sequence[int]
) -> Iterator[tuple[int, Truth, Segmentation]]:
    """Puts what was loaded beside the predictor's answer; the predictor takes several pictures at a time."""
    waiting: deque[Truth] = deque()

    def inputs() -> Iterator[Input]:
        for truth, image in loaded:
            waiting.append(truth)
            yield image

    for index, segmentation in zip(indices, predictor.predict_many(inputs(), confidence=False), strict=True):
        yield index, waiting.popleft(), segmentation


def check_classes(model: Classes, data: Classes) -> None:
    """Refuses to compare ids that mean different things.

    Raises:
        DataError: The names differ, in number or order.
    """
    if model.names != data.names:
        raise DataError(
            f"the model knows {', '.join(model.names)} but the data has {', '.join(data.names)}: "
            "give the data the model's classes, in its order, with --classes (and --map)"
        )
