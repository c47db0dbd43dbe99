"""How many pictures a network takes at once: measured, because too few waste time and too many memory.

Knows a predictor; no file and no engine.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixelwise.errors import BackendError
from pixelwise.inference.predictor import Predictor

LARGEST = 64

ROUNDS = 3
"""Answers that are timed of each size, after one that is not."""

WORTHWHILE = 0.95
"""A larger batch is taken where it needs at most this share of a smaller one's time for a picture."""

MEMORY_SHARE = 0.5
"""Of the free memory, what the next size may be expected to take: other workers live there too."""


@dataclass(frozen=True)
class BatchChoice:
    """What was chosen.

    Attributes:
        size: Pictures at once.
        seconds: Of a picture, median, by the sizes that were tried.
        stopped: Why no larger one was tried.
    """

    size: int
    seconds: dict[int, float]
    stopped: str

    def __str__(self) -> str:
        tried = ", ".join(f"{size}: {1e3 * seconds:.1f} ms" for size, seconds in self.seconds.items())
        return f"batches of {self.size} (a picture takes in batches of {tried}; {self.stopped})"


def measure_batch(predictor: Predictor, *, free: Callable[[], int | None] | None = None) -> BatchChoice:
    """The batch in which a picture takes the least time, and which memory has room for.

    Args:
        predictor: Computes pictures of noise at the size that the model was trained at.
        free: Bytes of memory that are free now; None where nobody knows.
    """
    free = free or free_memory
    rng = np.random.default_rng(0)
    seconds: dict[int, float] = {}
    best, size, stopped = 1, 1, f"{LARGEST} is the most that is tried"
    while size <= LARGEST:
        images = list(rng.integers(0, 256, (size, *predictor.size_policy.size, 3), np.uint8))
        before = free()
        try:
            seconds[size] = _seconds(predictor, images)
        except (MemoryError, BackendError, RuntimeError) as error:  # torch and runtimes say it so
            if size == 1:
                raise
            stopped = f"{size} did not compute: {str(error)[:80]}"
            break
        if size > 1 and seconds[size] > WORTHWHILE * seconds[best]:
            stopped = "a larger one gains nothing"
            break
        best = size
        after = free()
        if before is not None and after is not None and 2 * (before - after) > MEMORY_SHARE * after:
            stopped = "a larger one has no room in memory"
            break
        size *= 2
    gc.collect()
    return BatchChoice(best, seconds, stopped)


def _seconds(predictor: Predictor, images: list[np.ndarray]) -> float:
    predictor.network_probabilities(images)  # the first one prepares: memory, kernels
    taken: list[float] = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        predictor.network_probabilities(images)
        taken.append((time.perf_counter() - begin) / len(images))
    return statistics.median(taken)


def free_memory() -> int | None:
    """Bytes that this process may still take: the machine's, or its container's where that is less."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        machine = next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError, IndexError):
        return None
    try:
        group = Path("/sys/fs/cgroup")
        limit = int((group / "memory.max").read_text())
        return min(machine, limit - int((group / "memory.current").read_text()))
    except (OSError, ValueError):
        return machine
