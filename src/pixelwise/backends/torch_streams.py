"""PyTorch for many pictures: several batches at once, each in a thread with its share of the cores."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import numpy.typing as npt
import torch

from pixelwise.backends.torch import FoldedBackend


class TorchStreams:
    """A backend on the processor that computes so many batches at once.

    One batch on all cores has them wait for the slowest one after each layer, and for whoever reads and
    writes pictures on the same cores. With one core a batch nobody waits, and sums are added up in the same
    order whatever the machine has: answers are the same to the bit.

    The threads are its own, since torch keeps the number of cores for each thread; that of others stays.

    Args:
        backend: Computes in them.
        streams: How many there are; `torch.get_num_threads()` is shared out among them.
    """

    def __init__(self, backend: FoldedBackend, streams: int) -> None:
        self._backend = backend
        self.stride = backend.stride
        usual = torch.get_num_threads()
        self._threads = ThreadPoolExecutor(
            streams, "stream", initializer=_take_cores, initargs=(max(1, usual // streams),)
        )
        # What they set counts for all threads that begin later: so all of them begin now, and it is set back.
        together = Barrier(streams)
        list(self._threads.map(lambda _: together.wait(), range(streams)))
        torch.set_num_threads(usual)

    def logits(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """`(N, H, W, 3) uint8` RGB in, `(N, K, h, w) float32` logits out; so many calls compute at once."""
        return self._threads.submit(self._backend.logits, images).result()


def _take_cores(count: int) -> None:
    torch.get_num_threads()  # a thread's first use of torch sets the process's number, so it comes before
    torch.set_num_threads(count)
