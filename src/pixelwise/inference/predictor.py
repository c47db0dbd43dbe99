"""The one path from a picture to its segmentation: `predict` and `evaluate` both walk it.

Knows a backend, the classes and the size policy. Knows no file, no data set, no metric, and not torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelwise.backends import Backend
from pixelwise.data.ahead import in_order
from pixelwise.data.resize import resize_picture
from pixelwise.errors import BackendError
from pixelwise.inference.enlarge import decide, enlarge
from pixelwise.segmentation import Segmentation
from pixelwise.types import Classes, SizePolicy

UInt8Array = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Sized:
    """A picture from a file, with what the network gets of it: a JPEG may be decoded small for that.

    Attributes:
        network: `(h, w, 3) uint8` RGB at the size policy's size.
        size: `(height, width)` of the picture itself.
        image: `(H, W, 3) uint8` RGB at its own size, where that is wanted.
    """

    network: UInt8Array
    size: tuple[int, int]
    image: UInt8Array | None


Input = UInt8Array | Sized
"""An array is resized to the network's size; of a `Sized` picture that is done already."""


class Predictor:
    """Segments pictures of any size.

    Args:
        backend: Computes the logits.
        classes: What the channels of the logits mean.
        size_policy: `resize` brings each picture to the network's size and the probabilities back to the
            picture's; `native` gives the network the picture as it is.
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
        batch_size: int = 8,
        at_once: int = 1,
    ) -> None:
        self.backend = backend
        self.classes = classes
        self.size_policy = size_policy
        self.batch_size = batch_size
        self.at_once = at_once

    def predict(self, image: Input, *, probabilities: bool = False) -> Segmentation:
        """Segments one picture; see `predict_many`."""
        _, scores = self._scored([image])
        return self.decided(image, scores[0], probabilities=probabilities)

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
        for image, score in self.scores(images):
            yield self.decided(image, score, confidence=confidence, probabilities=probabilities)

    def scores(self, images: Iterable[Input]) -> Iterator[tuple[Input, FloatArray]]:
        """What the network says of each picture, in their order: `decided` makes segmentations of it.

        Yields:
            The picture, and its probabilities `(K, h, w) float32` at the network's size.
        """
        scored = in_order(self._scored, self._batches(images), workers=self.at_once, ahead=self.at_once + 1)
        for batch, scores in scored:
            yield from zip(batch, scores, strict=True)

    def _scored(self, batch: list[Input]) -> tuple[list[Input], FloatArray]:
        """A batch, and what the network says of it."""
        return batch, self.network_probabilities([self._sized(image) for image in batch])

    def decided(
        self, image: Input, score: FloatArray, *, confidence: bool = True, probabilities: bool = False
    ) -> Segmentation:
        """The segmentation of a picture at its own size, from its probabilities `(K, h, w)`."""
        size = _own_size(image)
        labels, sure = decide(score, size, confidence=confidence)
        return Segmentation(
            labels=labels,
            classes=self.classes,
            image=image.image if isinstance(image, Sized) else image,
            confidence=sure,
            probabilities=enlarge(score, size) if probabilities else None,
        )

    def network_probabilities(self, images: Sequence[UInt8Array]) -> FloatArray:
        """Probabilities `(N, K, h, w)` of pictures `(h, w, 3)` of one size, at that size."""
        batch = np.stack(images)
        logits = self.backend.logits(batch)
        expected = (len(batch), len(self.classes), *batch.shape[1:3])
        if logits.shape != expected:
            raise BackendError(f"the backend answered {logits.shape} where {expected} was expected")
        return softmax(logits)

    def _sized(self, image: Input) -> UInt8Array:
        if isinstance(image, Sized):
            return image.network
        return resize_picture(image, self.size_policy.size) if self.size_policy.mode == "resize" else image

    def _batches(self, images: Iterable[Input]) -> Iterator[list[Input]]:
        """Groups of at most `batch_size` neighbours that the network can take together."""
        batch: list[Input] = []
        for image in images:
            together = (
                self.size_policy.mode == "resize" or not batch or _own_size(batch[0]) == _own_size(image)
            )
            if batch and (len(batch) == self.batch_size or not together):
                yield batch
                batch = []
            batch.append(image)
        if batch:
            yield batch


def _own_size(image: Input) -> tuple[int, int]:
    return image.size if isinstance(image, Sized) else (image.shape[0], image.shape[1])


def softmax(logits: FloatArray) -> FloatArray:
    """Over axis 1 of `(N, K, H, W)`; safe for logits of any size."""
    values = logits - logits.max(1, keepdims=True)
    np.exp(values, out=values)
    values /= values.sum(1, keepdims=True)
    return values
