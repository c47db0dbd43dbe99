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
        workers: Threads, each of which makes whole batches.
        prefetch: Batches that may wait for the consumer; workers + 1 by default.
        start_batch: Batches to leave out at the start without making them, to take up an epoch in its
            middle.

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
    ) -> None:
        self._prepared = prepared
        self._order = np.asarray(order, np.int64)
        self._starts = range(start_batch * batch_size, len(self._order), batch_size)
        self._batch_size = batch_size
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
        work = in_order(self._make, self._starts, workers=self._workers, ahead=self._ahead)
        with closing(work):
            for _ in self._starts:
                begun = time.perf_counter()
                batch = next(work)
                self.wait_seconds += time.perf_counter() - begun
                yield batch

    def _make(self, start: int) -> Batch:
        positions = self._order[start : start + self._batch_size]
        height, width = self._prepared.size
        images = np.empty((len(positions), height, width, 3), np.uint8)
        masks = np.empty((len(positions), height, width), np.uint8)
        for row, position in enumerate(positions):
            images[row], masks[row] = self._prepared.pair(int(position))
        return Batch(self._prepared.indices[positions], images, masks)
