"""Batches in a given order, made ahead in threads, and the order of an epoch.

Knows prepared samples; nothing of augmentation and devices. The order depends on seed and epoch alone, and
batches come in that order whatever the number of threads, so a run can be taken up again at any batch.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from types import TracebackType

import numpy as np
import numpy.typing as npt

from pixelwise.data.ahead import in_order
from pixelwise.data.prepared import Prepared
from pixelwise.data.reader import Pair
from pixelwise.data.share import ALL, Share


@dataclass(frozen=True, eq=False)
class Batch:
    """Samples of one size.

    Attributes:
        indices: `(N,) int64`, the samples' indices in the data set's reader; augmentation is seeded by
            them.
        images: `(N, H, W, 3) uint8` RGB.
        masks: `(N, H, W) uint8` train ids, 255 = ignore.
    """

    indices: npt.NDArray[np.int64]
    images: npt.NDArray[np.uint8]
    masks: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.indices)


def epoch_order(count: int, *, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """The order of positions 0..count-1 in an epoch, `(count,) int64`: a function of its arguments alone.

    PCG64 under a seed sequence of (seed, epoch) is drawn as raw 64-bit numbers, which NumPy promises never
    to change, and sorted; a generator's `permutation` may change between versions.
    """
    keys = np.random.PCG64(np.random.SeedSequence([seed, epoch])).random_raw(count)
    return np.argsort(keys, kind="stable").astype(np.int64)


class BatchLoader:
    """Iterates the batches of `order`; the last one may be smaller.

    Args:
        prepared: One side of the split.
        order: Positions in it.
        batch_size: Samples of a batch.
        workers: Threads, which make batches from the cache and share the pictures of one from files.
        prefetch: Batches that may wait for the consumer; workers + 1 by default.
        start_batch: Batches to leave out at the start without making them, to take up an epoch in its
            middle.
        share: The part of each batch that is loaded; a batch may come out empty, but none is left out.

    Attributes:
        wait_seconds: How long the consumer has waited for batches so far; near zero if loading keeps up.

    Use it in a `with` block, or exhaust it: leaving a loop early keeps the threads until `close`.
    """

    def __init__(
        self,
        prepared: Prepared,
        order: Sequence[int] | npt.NDArray[np.int64],
        *,
        batch_size: int,
        workers: int,
        prefetch: int | None = None,
        start_batch: int = 0,
        share: Share = ALL,
    ) -> None:
        self._prepared = prepared
        self._order = np.asarray(order, np.int64)
        self._starts = range(start_batch * batch_size, len(self._order), batch_size)
        self._batch_size = batch_size
        self._share = share
        self._workers = workers
        self._ahead = prefetch if prefetch is not None else workers + 1
        self._running: list[Generator[Batch, None, None]] = []
        self.wait_seconds = 0.0

    def __len__(self) -> int:
        """Batches from `start_batch` on."""
        return len(self._starts)

    def __iter__(self) -> Iterator[Batch]:
        generator = self._batches()
        self._running.append(generator)
        return generator

    def __enter__(self) -> BatchLoader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the threads; batches not yet handed over are dropped."""
        for generator in self._running:
            generator.close()
        self._running.clear()

    def _batches(self) -> Generator[Batch, None, None]:
        """What is decoded comes in as many parts as there are threads, so that they share every batch."""
        parts = 1 if self._prepared.cached else self._workers
        pieces = [piece for start in self._starts for piece in self._pieces(start, parts)]
        work = in_order(self._load, pieces, workers=self._workers, ahead=self._ahead * parts)
        with closing(work):
            for start in self._starts:
                begun = time.perf_counter()
                loaded = [next(work) for _ in self._pieces(start, parts)]
                self.wait_seconds += time.perf_counter() - begun
                own = self._own(start)
                positions = self._order[own.start : own.stop]
                images, masks = loaded[0] if len(loaded) == 1 else self._joined(loaded)
                yield Batch(self._prepared.indices[positions], images, masks)

    def _pieces(self, start: int, parts: int) -> list[tuple[int, int]]:
        """A batch's positions in the order, cut into at most so many parts of about one length."""
        own = self._own(start)
        length = max(-(-len(own) // parts), 1)
        return [(first, min(first + length, own.stop)) for first in range(own.start, own.stop, length)]

    def _own(self, start: int) -> range:
        """The places in the order that are our share of the batch which starts there."""
        span = self._share.span(min(self._batch_size, len(self._order) - start))
        return range(start + span.start, start + span.stop)

    def _load(self, piece: tuple[int, int]) -> Pair:
        positions = self._order[slice(*piece)]
        height, width = self._prepared.size
        images = np.empty((len(positions), height, width, 3), np.uint8)
        masks = np.empty((len(positions), height, width), np.uint8)
        for row, position in enumerate(positions):
            images[row], masks[row] = self._prepared.pair(int(position))
        return images, masks

    def _joined(self, parts: Sequence[Pair]) -> Pair:
        if not parts:
            return self._load((0, 0))
        return np.concatenate([images for images, _ in parts]), np.concatenate([masks for _, masks in parts])
