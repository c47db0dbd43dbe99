"""Measures a predictor on a labelled split: one confusion matrix over all pictures, streamed.

Each picture takes the very path of `predict`; the truth is compared at the photo's own size. Knows no
network, no training and no terminal.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pixelwise.data.ahead import in_order
from pixelwise.data.reader import Reader
from pixelwise.data.resize import resize_mask, resize_picture
from pixelwise.errors import DataError
from pixelwise.inference import Predictor
from pixelwise.metrics import ConfusionMatrix, Metrics, scores
from pixelwise.types import Classes, Sample, Segmentation

Resolution = Literal["photo", "network"]


@dataclass(frozen=True)
class RankedPicture:
    """How one picture fared: its index in the reader, its name, and its mIoU in 0..1."""

    index: int
    name: str
    miou: float


@dataclass(frozen=True)
class Evaluation:
    """The scores of a predictor on a split.

    Attributes:
        metrics: Over all pixels of all pictures.
        worst: The pictures with the lowest mIoU, lowest first; as many as were asked for.
        pictures: How many were measured.
    """

    metrics: Metrics
    worst: tuple[RankedPicture, ...]
    pictures: int


def evaluate(
    predictor: Predictor,
    reader: Reader,
    indices: Sequence[int],
    *,
    resolution: Resolution = "photo",
    worst: int = 0,
    workers: int = 2,
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
        on_picture: Hears of (done, total).

    Raises:
        DataError: The classes differ, or there is no picture.
    """
    check_classes(predictor.classes, reader.classes)
    if not indices:
        raise DataError(f"{reader.root}: there is no picture to evaluate in this split")
    confusion = ConfusionMatrix(len(predictor.classes))
    lowest: list[tuple[float, int, str]] = []  # a heap of the worst so far, the best of them on top
    total = len(indices)
    for done, (index, sample, prediction) in enumerate(
        predictions(predictor, reader, indices, resolution=resolution, workers=workers), start=1
    ):
        single = ConfusionMatrix(len(predictor.classes))
        single.update(prediction.labels, sample.mask)
        confusion.merge(single)
        miou = scores(single.counts, predictor.classes).miou
        if worst and miou is not None:
            heapq.heappush(lowest, (-miou, -index, sample.name))
            if len(lowest) > worst:
                heapq.heappop(lowest)
        if on_picture:
            on_picture(done, total)
    ranked = [RankedPicture(-index, name, -miou) for miou, index, name in sorted(lowest, reverse=True)]
    return Evaluation(scores(confusion.counts, predictor.classes), tuple(ranked), total)


def predictions(
    predictor: Predictor,
    reader: Reader,
    indices: Sequence[int],
    *,
    resolution: Resolution = "photo",
    workers: int = 2,
) -> Iterator[tuple[int, Sample, Segmentation]]:
    """`(index, sample, segmentation)` in the order of `indices`; holds a few pictures at a time."""
    waiting: list[tuple[int, Sample]] = []

    def images() -> Iterator[np.ndarray]:
        samples = in_order(reader.__getitem__, indices, workers=workers)
        for index, sample in zip(indices, samples, strict=True):
            held = _at_network_size(sample, predictor) if resolution == "network" else sample
            waiting.append((index, held))
            yield held.image

    for segmentation in predictor.predict_many(images()):
        index, sample = waiting.pop(0)
        yield index, sample, segmentation


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


def _at_network_size(sample: Sample, predictor: Predictor) -> Sample:
    """The sample resized as training resizes it; then the network's answer is compared pixel by pixel."""
    size = predictor.size_policy.size
    return Sample(sample.name, resize_picture(sample.image, size), resize_mask(sample.mask, size))
