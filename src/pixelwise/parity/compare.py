"""How far an exported model's answers are from the network's own, on pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from pixelwise.backends.torch import TorchBackend
from pixelwise.errors import BackendError
from pixelwise.graph import Graph
from pixelwise.header import Form, ModelHeader
from pixelwise.inference import Predictor
from pixelwise.metrics import ConfusionMatrix, scores
from pixelwise.parity.pictures import Picture

Answer = Callable[[npt.NDArray[np.uint8]], npt.NDArray]
"""`(N, H, W, 3) uint8` RGB to what a form says."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What an export changes at one size.

    Attributes:
        size: The size's name.
        pictures: How many were compared.
        pixels: Of them all.
        changed: How many got another class.
        largest: The largest difference of a logit, or of a probability where the form has no logits of the
            network's own; None where it answers labels alone.
        miou: mIoU in 0..1 of the network and of the export against the masks; None without masks.
    """

    size: str
    pictures: int
    pixels: int
    changed: int
    largest: float | None
    miou: tuple[float, float] | None

    @property
    def share(self) -> float:
        """Of the pixels that changed, in 0..1."""
        return self.changed / self.pixels


@dataclass(frozen=True, eq=False)
class Subject:
    """What is exported, and as what.

    Attributes:
        network: On the processor.
        graph: Its simplified graph.
        header: What is said of it.
        form: What the export answers.
    """

    network: torch.nn.Module
    graph: Graph
    header: ModelHeader
    form: Form


class Reference:
    """The network itself, in eager PyTorch and float32, answering by the form of its export."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.backend = TorchBackend(subject.network, torch.device("cpu"))
        header = subject.header
        self._predictor = Predictor(self.backend, header.classes, header.size_policy)

    def scores(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """`(K, H, W)` of a picture `(H, W, 3) uint8`: logits, or probabilities where a form resizes."""
        if self.subject.form.resize is None:
            return self.backend.logits(np.stack([image]))[0]
        probabilities = self._predictor.predict(image, probabilities=True).probabilities
        if probabilities is None:
            raise BackendError("prediction gave no probabilities")
        return probabilities


def compare(
    answers: Mapping[str, Answer],
    reference: Reference,
    pictures: Sequence[Picture],
    *,
    name: str,
    size: tuple[int, int] | None,
) -> dict[str, Difference]:
    """Compares the answers of an export in each runtime with the network's.

    Args:
        answers: The export, by runtime.
        reference: The network; it answers once for all of them.
        pictures: What to compare on.
        name: Of the size.
        size: `(height, width)` that pictures are brought to first; None leaves them as they are.

    Raises:
        BackendError: An answer has another shape than the form says.
    """
    tallies = {runtime: _Tally(reference.subject) for runtime in answers}
    for picture in pictures:
        if size is not None:
            picture = picture.at(size)
        expected = reference.scores(picture.image)
        for runtime, answer in answers.items():
            tallies[runtime].add(expected, answer(picture.image[None])[0], picture.mask)
    return {runtime: tally.difference(name) for runtime, tally in tallies.items()}


class _Tally:
    """Counts what one runtime changes, picture after picture."""

    def __init__(self, subject: Subject) -> None:
        self._form, self._classes = subject.form, subject.header.classes
        self._before, self._after = (ConfusionMatrix(len(self._classes)) for _ in range(2))
        self._pictures = self._pixels = self._changed = 0
        self._largest: list[float] = []

    def add(
        self, expected: npt.NDArray[np.float32], found: npt.NDArray, mask: npt.NDArray[np.uint8] | None
    ) -> None:
        labels = self._form.answer == "labels"
        shape = expected.shape[1:] if labels else expected.shape
        if found.shape != shape:
            raise BackendError(f"the exported model answered {found.shape} where {shape} was expected")
        ours, theirs = expected.argmax(0), found if labels else found.argmax(0)
        self._pictures += 1
        self._pixels += ours.size
        self._changed += int((ours != theirs).sum())
        if not labels:
            off = _comparable(found, self._form) - _reference(expected, self._form)
            self._largest.append(float(np.abs(off).max()))
        if mask is not None:
            self._before.update(ours.astype(np.uint8), mask)
            self._after.update(theirs.astype(np.uint8), mask)

    def difference(self, name: str) -> Difference:
        pair = tuple(scores(m.counts, self._classes).miou for m in (self._before, self._after))
        return Difference(
            size=name,
            pictures=self._pictures,
            pixels=self._pixels,
            changed=self._changed,
            largest=max(self._largest, default=None),
            miou=None if pair[0] is None or pair[1] is None else (pair[0], pair[1]),
        )


def _comparable(found: npt.NDArray[np.float32], form: Form) -> npt.NDArray[np.float32]:
    """An answer in the terms of the reference: logits of a form that resizes are logarithms."""
    return np.exp(found) if form.answer == "logits" and form.resize is not None else found


def _reference(expected: npt.NDArray[np.float32], form: Form) -> npt.NDArray[np.float32]:
    if form.answer == "probabilities" and form.resize is None:
        exponential = np.exp(expected - expected.max(0))
        return exponential / exponential.sum(0)
    return expected
