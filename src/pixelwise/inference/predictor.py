"""The one path from a picture to its segmentation: `predict` and `evaluate` both walk it.

Knows a backend, the classes and how pictures are sized. Knows no file, no data set, no metric, and not torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from pixelwise.backends import Backend
from pixelwise.config import PredictConfig
from pixelwise.data.ahead import in_order
from pixelwise.data.raster import ArraySource, RowSource
from pixelwise.data.resize import resize_picture
from pixelwise.errors import BackendError
from pixelwise.inference.blending import Piece, whole_scores
from pixelwise.inference.coarse import CoarseLogits
from pixelwise.inference.enlarge import check_room, decide, decide_labels, enlarge
from pixelwise.inference.inputs import Input, Sized, own_size, whole_picture
from pixelwise.inference.refine import REFINEMENTS, decide_refined
from pixelwise.inference.sizing import Way, choose_way
from pixelwise.inference.tiled import Tiling
from pixelwise.inference.views import Views
from pixelwise.segmentation import Segmentation
from pixelwise.types import Classes, SizePolicy

UInt8Array = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]
Score = TypeVar("Score")
Answer = TypeVar("Answer")


SETTLED = Way("resize", "it was decoded so")
"""Of a `Sized` picture, whatever its own size would ask for."""


class Predictor:
    """Segments pictures of any size.

    Attributes:
        ways: How pictures met the network since the config was set, in the order in which that came up.

    Args:
        backend: Computes the logits.
        classes: What the channels of the logits mean.
        size_policy: How pictures met the network in training.
        config: What the network gets of a picture, and what is done with its answer.
        batch_size: Pictures per call of the backend, where their sizes agree.
        at_once: Calls of the backend that compute at the same time.

    Raises:
        BackendError: The backend answers another number of classes, or another size.
    """

    def __init__(
        self,
        backend: Backend,
        classes: Classes,
        size_policy: SizePolicy,
        *,
        config: PredictConfig | None = None,
        batch_size: int = 8,
        at_once: int = 1,
    ) -> None:
        self.backend = backend
        self.classes = classes
        self.size_policy = size_policy
        self.config = config or PredictConfig()
        self.batch_size = batch_size
        self.at_once = at_once

    @property
    def config(self) -> PredictConfig:
        """What the network gets of a picture, and what is done with its answer."""
        return self._config

    @config.setter
    def config(self, config: PredictConfig) -> None:
        self._config = config
        self.ways: dict[Way, None] = {}
        self.views = Views(config.tta, config.scales)
        self._refinement = None if config.refine == "none" else REFINEMENTS[config.refine]()

    def way(self, size: tuple[int, int], *, by_rows: str = "") -> Way:
        """How a picture of this `(height, width)` meets the network, and why; see `choose_way`."""
        return choose_way(size, self.size_policy, self.config, by_rows=by_rows)

    @property
    def reads_scaled(self) -> bool:
        """Whether pictures are decoded no larger than the network needs them, as training decoded them."""
        policy, resized = self.size_policy, self.config.sizing in ("resize", "auto")
        return policy.mode == "resize" and policy.decoding == "scaled" and resized

    @property
    def needs_picture(self) -> bool:
        """Whether a picture at its own size is needed besides what the network gets of it."""
        return self._refinement is not None

    def predict(self, image: Input, *, probabilities: bool = False) -> Segmentation:
        """Segments one picture; see `predict_many`."""
        way = self._way_of(image)
        self.ways.setdefault(way)
        if way.mode == "tile":
            return self._tiled(whole_picture(image), confidence=True, probabilities=probabilities)
        (score,) = self.network_probabilities([self._sized(image, way)])
        return self.decided(image, score, probabilities=probabilities)

    def predict_many(
        self, images: Iterable[Input], *, confidence: bool = True, probabilities: bool = False
    ) -> Iterator[Segmentation]:
        """Segments pictures in their order; the network computes ahead while the caller uses what it has.

        Holds one batch more than are computed at once.

        Args:
            images: `(H, W, 3) uint8` RGB, each of its own size, or `Sized` ones.
            confidence: Keeps the winner's probability of each pixel.
            probabilities: Keeps all K probabilities of each pixel.

        Yields:
            One segmentation per picture, at the picture's size, with the picture where there is one.
        """
        tiled = partial(self._tiled, confidence=confidence, probabilities=probabilities)
        if confidence or probabilities or self._refinement is not None or not self.views.single:
            for image, answer in self._answers(images, self.network_probabilities, tiled):
                if isinstance(answer, Segmentation):
                    yield answer
                else:
                    yield self.decided(image, answer, confidence=confidence, probabilities=probabilities)
            return
        for image, answer in self._answers(images, self._network_logits, tiled):
            if isinstance(answer, Segmentation):
                yield answer
            else:
                yield self._segmentation(image, decide_labels(answer, own_size(image)))

    def scores(self, images: Iterable[Input]) -> Iterator[tuple[Input, FloatArray]]:
        """What the network says of each picture, in their order: `decided` makes segmentations of it.

        Yields:
            The picture, and its probabilities `(K, h, w) float32` at the size at which the network answers:
            for tiles that is the picture's own.
        """
        yield from self._answers(images, self.network_probabilities, self._tiled_scores)

    def _answers(
        self,
        images: Iterable[Input],
        score: Callable[[Sequence[UInt8Array]], Iterable[Score]],
        tiled: Callable[[UInt8Array], Answer],
    ) -> Iterator[tuple[Input, Score | Answer]]:
        """Each picture with the network's score for it, or with what `tiled` makes of it in tiles."""

        def answered(batch: _Batch) -> list[tuple[Input, Score | Answer]]:
            if batch.way.mode == "tile":
                return [(image, tiled(whole_picture(image))) for image in batch.images]
            scores = score([self._sized(image, batch.way) for image in batch.images])
            return list(zip(batch.images, scores, strict=True))

        ahead = in_order(answered, self._batches(images), workers=self.at_once, ahead=self.at_once + 1)
        for batch in ahead:
            yield from batch

    def decided(
        self, image: Input, score: FloatArray, *, confidence: bool = True, probabilities: bool = False
    ) -> Segmentation:
        """The segmentation of a picture at its own size, from its probabilities `(K, h, w)`."""
        size = own_size(image)
        refinement = self._refinement if self._way_of(image).mode != "tile" else None  # tiles are refined
        if probabilities:
            check_room(len(self.classes), size)
        if refinement is None:
            labels, sure = decide(score, size, confidence=confidence)
            score = enlarge(score, size) if probabilities else score
        elif probabilities:
            score = refinement.refine(score, whole_picture(image))
            labels, sure = decide(score, size, confidence=confidence)
        else:
            labels, sure = decide_refined(refinement, score, whole_picture(image), confidence=confidence)
        return self._segmentation(image, labels, sure, score if probabilities else None)

    def _segmentation(
        self,
        image: Input,
        labels: UInt8Array,
        confidence: FloatArray | None = None,
        probabilities: FloatArray | None = None,
    ) -> Segmentation:
        return Segmentation(
            labels=labels,
            classes=self.classes,
            image=image.image if isinstance(image, Sized) else image,
            confidence=confidence,
            probabilities=probabilities,
        )

    def network_probabilities(self, images: Sequence[UInt8Array]) -> FloatArray:
        """Probabilities `(N, K, h, w)` of pictures `(h, w, 3)` of one size, at that size.

        With test-time augmentation they are the mean over its views.
        """
        return self.views.mean(self._probabilities, np.stack(images))

    def _probabilities(self, batch: UInt8Array) -> FloatArray:
        scores = np.empty((len(batch), len(self.classes), *batch.shape[1:3]), np.float32)
        for coarse, place in zip(self._logits(batch), scores, strict=True):
            coarse.probabilities(out=place)
        return scores

    def _network_logits(self, images: Sequence[UInt8Array]) -> list[CoarseLogits]:
        """What the network says of pictures `(h, w, 3)` of one size."""
        return self._logits(np.stack(images))

    def _logits(self, batch: UInt8Array) -> list[CoarseLogits]:
        stride, size = self.backend.stride, (batch.shape[1], batch.shape[2])
        logits = self.backend.logits(batch)
        _check_logits(logits, (len(batch), len(self.classes), *size), stride)
        return [CoarseLogits(one, stride, size) for one in logits]

    def pieces(self, source: RowSource, *, from_row: int = 0) -> Iterator[Piece]:
        """A picture of any size in tiles: finished parts of its probabilities; see `Tiling.pieces`."""
        # As many tiles at a time as make the pixels of a usual batch, so that memory is what a batch takes.
        height, width = self.size_policy.size
        count = max(1, self.batch_size * height * width // self.config.tile**2)
        tiling = Tiling(self.config, len(self.classes), min(count, self.batch_size), self.at_once)
        return tiling.pieces(source, self.refined_probabilities, from_row=from_row)

    def refined_probabilities(self, images: Sequence[UInt8Array]) -> FloatArray:
        """`network_probabilities`, refined where the config says so."""
        scores = self.network_probabilities(images)
        refinement = self._refinement
        if refinement is None:
            return scores
        return np.stack([refinement.refine(s, image) for s, image in zip(scores, images, strict=True)])

    def _tiled_scores(self, image: UInt8Array) -> FloatArray:
        check_room(len(self.classes), own_size(image))
        return whole_scores(self.pieces(ArraySource(image)), (len(self.classes), *image.shape[:2]))

    def _tiled(self, image: UInt8Array, *, confidence: bool, probabilities: bool) -> Segmentation:
        scores = self._tiled_scores(image) if probabilities else None
        pieces = self.pieces(ArraySource(image)) if scores is None else [Piece(0, 0, scores)]
        labels, sure = np.empty(image.shape[:2], np.uint8), None
        if confidence:
            sure = np.empty(image.shape[:2], np.float32)
        for piece in pieces:
            part = piece.within
            labels[part], best = decide(piece.scores, piece.size, confidence=confidence)
            if sure is not None:
                sure[part] = best
        return Segmentation(
            labels=labels, classes=self.classes, image=image, confidence=sure, probabilities=scores
        )

    def _way_of(self, image: Input) -> Way:
        """How a picture meets the network: of a `Sized` one that is settled."""
        way = self.way(own_size(image))
        return way if way.mode == "resize" or not isinstance(image, Sized) else SETTLED

    def _sized(self, image: Input, way: Way) -> UInt8Array:
        if isinstance(image, Sized):
            return image.network
        return resize_picture(image, self.size_policy.size) if way.mode == "resize" else image

    def _batches(self, images: Iterable[Input]) -> Iterator[_Batch]:
        """Groups of at most `batch_size` neighbours that the network can take together."""
        batch: list[Input] = []
        way, size = None, None
        for image in images:
            its_way = self._way_of(image)
            self.ways.setdefault(its_way)
            its_size = self.size_policy.size if its_way.mode == "resize" else own_size(image)
            alone = its_way.mode == "tile" or (way, size) != (its_way, its_size)
            if way is not None and (len(batch) == self.batch_size or alone):
                yield _Batch(batch, way)
                batch = []
            way, size = its_way, its_size
            batch.append(image)
        if way is not None:
            yield _Batch(batch, way)


@dataclass(frozen=True, eq=False)
class _Batch:
    """Pictures that the network can take together."""

    images: list[Input]
    way: Way


def _check_logits(logits: FloatArray, expected: tuple[int, int, int, int], stride: int) -> None:
    """Raises `BackendError` where logits are not of so many pictures, classes, rows and columns."""
    *counts, height, width = expected
    least = (-(-height // stride), -(-width // stride))
    if stride == 1:
        fits = logits.shape == expected
    else:  # those of the frame may follow
        fits = logits.ndim == 4 and logits.shape[2] >= least[0] and logits.shape[3] >= least[1]
    if not fits or list(logits.shape[:2]) != counts:
        at = "" if stride == 1 else f" at the least, at stride {stride},"
        raise BackendError(f"the backend answered {logits.shape} where {(*counts, *least)}{at} was expected")
