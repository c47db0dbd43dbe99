"""What one worker does: with one model, chunk after chunk, whatever engine hands them over.

Two chunks may be under way at once, each in a lane; the network computes for one of them at a time. Knows no
engine.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import BoundedSemaphore, Lock

import numpy as np
import numpy.typing as npt

from pixelwise.backends import Backend
from pixelwise.data.formats.labelme_names import LABELS_FILE
from pixelwise.data.writers.labelme import labels_text
from pixelwise.engines import attempts
from pixelwise.engines.attempts import Attempt
from pixelwise.engines.batch import measure_batch
from pixelwise.engines.earlier import Earlier
from pixelwise.engines.lane import Lane
from pixelwise.engines.listing import Item, digest_of_chunk
from pixelwise.engines.parts import Index, Part, Parts
from pixelwise.engines.store import LocalStore, Store
from pixelwise.inference.outputs import Outputs
from pixelwise.inference.predictor import Predictor

LANES = 2
"""Chunks that a worker may have under way. Each holds pictures, and a third would have no gap to fill."""


@dataclass(frozen=True)
class Report:
    """How a chunk fared.

    Attributes:
        done: Pictures that were segmented.
        skipped: Pictures whose results were there.
        failed: Why others could not be segmented, by address.
        notes: What people should know.
    """

    done: int
    skipped: int
    failed: Mapping[str, str]
    notes: list[str] = field(default_factory=list[str])


class InTurn:
    """A backend that computes for so many callers at a time, and lets the others wait.

    Args:
        backend: Computes.
        at_once: Calls at the same time.
    """

    def __init__(self, backend: Backend, at_once: int) -> None:
        self._backend, self._turns = backend, BoundedSemaphore(at_once)
        self.stride = backend.stride

    def logits(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """See `Backend`."""
        with self._turns:
            return self._backend.logits(images)


class Worker:
    """Segments chunks of pictures; `LANES` threads may hand them over.

    Attributes:
        folder: Where pictures from elsewhere and results for elsewhere lie for a while; removed in the end.

    Args:
        predictor: Segments a picture; it is the worker's alone.
        outputs: What is written; its folder does not count.
        store: Where it is written.
        parts: Where it is written down.
        index: What was done before.
        threads: That read, and as many that write; the lanes share them, and each has one at least. More of
            them wait for each other: Python runs one at a time between two calls that release it.
        measures: Measure how many pictures are computed at once, before the first chunk.
    """

    def __init__(
        self,
        predictor: Predictor,
        outputs: Outputs,
        store: Store,
        parts: Parts,
        index: Index,
        *,
        threads: int,
        measures: bool,
    ) -> None:
        self._store, self._parts = store, parts
        self._notes: SimpleQueue[str] = SimpleQueue()
        self._temporary = tempfile.TemporaryDirectory(prefix="pixelwise-worker-")
        self.folder = Path(self._temporary.name)
        predictor.backend = InTurn(predictor.backend, predictor.at_once)
        self._predictor, self._measures, self._measuring = predictor, measures, Lock()
        self._lanes: SimpleQueue[Lane] = SimpleQueue()
        self._alone = Lock()
        earlier = Earlier(store, parts, index)
        for number in range(LANES):
            lane = Lane(
                predictor,
                outputs,
                store,
                earlier,
                folder=self.folder / str(number),
                threads=max(1, threads // LANES),
                on_note=self._notes.put,
                on_first=self._measure,
            )
            self._lanes.put(lane)
        if outputs.labelme and not isinstance(store, LocalStore):
            store.write(f"labelme/{LABELS_FILE}", labels_text(predictor.classes))

    def run(self, chunk: list[Item]) -> Report:
        """Segments a chunk.

        Raises:
            DataError: Results cannot be written.
        """
        chunk = list({item.address: item for item in chunk}.values())  # a list may name a picture twice
        digest = digest_of_chunk(chunk)
        there = self._parts.read(self._parts.name(digest))
        if there is not None:  # a worker did it and died before it said so
            skipped = len(chunk) - len(there.done) - len(there.failed)
            return Report(len(there.done), skipped, there.failed)
        attempt = attempts.begin(self._store, self._parts.name(digest))
        with self._lane(alone=attempt.careful) as lane:
            part, skipped = self._one_by_one(lane, chunk, attempt) if attempt.careful else lane.segment(chunk)
        if part.done or part.failed:
            self._parts.write(digest, part)
        attempts.end(self._store, attempt)
        return Report(len(part.done), skipped, part.failed, list(self._take_notes()))

    @contextlib.contextmanager
    def _lane(self, *, alone: bool) -> Iterator[Lane]:
        """A lane, when one is free; or all of them, so that nothing else can end this process meanwhile."""
        taken: list[Lane] = []
        try:
            if alone:
                with self._alone:  # two that each held one lane would wait for each other
                    taken.extend(self._lanes.get() for _ in range(LANES))
            else:
                taken.append(self._lanes.get())
            yield taken[0]
        finally:
            for lane in taken:
                self._lanes.put(lane)

    def _one_by_one(self, lane: Lane, chunk: list[Item], attempt: Attempt) -> tuple[Part, int]:
        """A chunk that ended its worker again and again, without the pictures that did it."""
        whole, skipped = Part([], {}), 0
        for item in chunk:
            if attempt.is_blamed(item.address):
                whole.failed[item.address] = f"{item.address}: {attempts.ENDED}"
                continue
            attempts.mark(self._store, attempt, at=item.address)
            part, some = lane.segment([item])
            whole.done.extend(part.done)
            whole.failed.update(part.failed)
            skipped += some
        return whole, skipped

    def _measure(self) -> None:
        with self._measuring:
            if not self._measures:
                return
            choice = measure_batch(self._predictor)
            self._predictor.batch_size = choice.size
            self._notes.put(str(choice))
            self._measures = False

    def _take_notes(self) -> Iterator[str]:
        with contextlib.suppress(Empty):  # another thread may take the last one
            while True:
                yield self._notes.get_nowait()
