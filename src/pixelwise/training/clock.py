"""How long a computation takes, had no other program used the processor. Knows nothing of what it times."""

from __future__ import annotations

import time
from pathlib import Path

import torch


class Clock:
    """How long something takes, and how much of that its threads only waited for a core.

    Every thread of a parallel operation waits for the slowest, so the time without the others is about the
    share of the time in which what could run did run.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._wait()
        self._begun, self._times = time.perf_counter(), processor_times()

    def read(self) -> tuple[float, float]:
        """Seconds that it would have taken alone, and the share that others took."""
        self._wait()
        seconds = time.perf_counter() - self._begun
        run, waited = (new - old for new, old in zip(processor_times(), self._times, strict=True))
        if self._device.type == "cuda" or run <= 0 or waited <= 0:
            return seconds, 0.0
        taken = waited / (run + waited)
        return seconds * (1 - taken), taken

    def _wait(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)


def processor_times(tasks: Path = Path("/proc/self/task")) -> tuple[int, int]:
    """Nanoseconds that the threads in `tasks` ran, and waited for a core; 0, 0 where the system is silent."""
    run = waited = 0
    for path in tasks.glob("*/schedstat"):
        try:
            words = path.read_text(encoding="ascii").split()
        except OSError:  # the thread has ended
            continue
        run, waited = run + int(words[0]), waited + int(words[1])
    return run, waited
