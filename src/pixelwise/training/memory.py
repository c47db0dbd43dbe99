"""What training takes, found by trying: a child process for each trial, and its peak.

A child that dies did not fit: that is what the kernel does to a process that wants too much, and it must not
happen to the one that plans. Knows no data set and makes no choice.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass

from pixelwise import plain
from pixelwise.errors import BackendError, PixelwiseError
from pixelwise.training.plan.facts import Seen
from pixelwise.training.trial import TOO_LITTLE_MEMORY, Answer, Wish
from pixelwise.types import size_text

_KILLED = (signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS)
"""How processes end that want too much memory: by the kernel, or by a library that has no answer to it."""

_NOISE = 1.02
"""Validation must take so much more than the training before it to be the one that decides."""

LONGEST_SECONDS = 600.0
"""A trial that takes longer is ended: steps of minutes are no plan to propose."""

_START = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])  # whatever this process found its packages by
from pixelwise.training.trial import main
sys.exit(main())
"""

_UNITS = 1 if sys.platform == "darwin" else 1024
"""Bytes of `ru_maxrss`."""


@dataclass(frozen=True)
class Outcome:
    """How a trial ended.

    Attributes:
        wish: What was tried.
        answer: What was seen; None if memory did not suffice.
        peak: Most memory in bytes; what it held when it died, where it did.
    """

    wish: Wish
    answer: Answer | None
    peak: int

    def fits(self, budget: int) -> bool:
        """Whether it lived and stayed within so many bytes."""
        return self.answer is not None and self.peak <= budget

    @property
    def seen(self) -> Seen | None:
        """What it says of the cost of a pixel."""
        if self.answer is None:
            return None
        config, peak = self.wish.config, self.peak
        height, width = config.size
        crop = config.augment.crop or config.size
        train_peak = self.answer.train_peak or peak
        if peak <= _NOISE * train_peak:
            train_peak = peak
        at_once = min(config.micro_batch or self.wish.pictures, self.wish.pictures)
        return Seen(
            train_pixels=at_once * crop[0] * crop[1],
            held_pixels=self.wish.pictures * height * width,
            val_pixels=self.wish.pictures * height * width,
            train_peak=train_peak,
            val_peak=self.answer.val_peak or peak,
            peak=peak,
        )

    @property
    def train_seconds(self) -> float:
        """For each pixel trained."""
        height, width = self.wish.config.augment.crop or self.wish.config.size
        seconds = self.answer.train_seconds if self.answer else 0.0
        return seconds / (self.wish.pictures * height * width)

    @property
    def val_seconds(self) -> float:
        """For each pixel validated."""
        height, width = self.wish.config.size
        seconds = self.answer.val_seconds if self.answer else 0.0
        return seconds / (self.wish.pictures * height * width)


def try_out(wish: Wish) -> Outcome:
    """Trains and validates for a step in a child process.

    Raises:
        PixelwiseError: It failed for another reason than memory; the message is the child's last line.
        BackendError: The system cannot tell what a child took.
    """
    if not hasattr(os, "wait4"):
        raise BackendError(
            "--plan measures memory as Linux and macOS tell it, which this system does not: train with a "
            "small --batch-size and raise it"
        )
    document = {
        "config": plain.to_json(wish.config),
        "classes": wish.classes,
        "pictures": wish.pictures,
        "limit": wish.limit,
    }
    with subprocess.Popen(
        [sys.executable, "-c", _START, json.dumps(sys.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        overdue = threading.Event()

        def end() -> None:
            overdue.set()
            os.kill(child.pid, signal.SIGKILL)

        timer = threading.Timer(LONGEST_SECONDS, end)
        timer.daemon = True
        timer.start()
        try:
            output, errors, peak = _finish(child, json.dumps(document), timer)
        except BaseException:
            timer.cancel()
            child.kill()
            raise
    if overdue.is_set():
        raise PixelwiseError(
            f"a trial of {wish.pictures} pictures of {size_text(wish.config.size)} took longer than "
            f"{LONGEST_SECONDS / 60:g} minutes and was ended: give a smaller --size, --batch-size or --model"
        )
    if child.returncode == 0:
        answer = Answer(**json.loads(output))
        # The child's own count is the exact one: `wait4` tells of the child before `exec` as well, when it
        # was a copy of this process. Where there is no other (macOS), that is not so.
        return Outcome(wish, answer, answer.peak or peak)
    if child.returncode == TOO_LITTLE_MEMORY or -child.returncode in _KILLED:
        return Outcome(wish, None, peak)
    if -child.returncode == signal.SIGINT:
        raise KeyboardInterrupt
    reason = (errors.strip().splitlines() or [f"exit code {child.returncode}"])[-1]
    raise PixelwiseError(f"a trial step of {wish.config.model} failed: {reason}")


def _finish(child: subprocess.Popen[str], text: str, timer: threading.Timer) -> tuple[str, str, int]:
    """Output, errors and `ru_maxrss` in bytes of the child, which has ended then."""
    import resource

    errors: list[str] = []
    assert child.stdin is not None  # noqa: S101 - they are pipes: see `try_out`
    assert child.stdout is not None  # noqa: S101
    assert child.stderr is not None  # noqa: S101
    # Warnings may be more than a pipe holds, so both outputs are read at once.
    stderr = child.stderr
    reader = threading.Thread(target=lambda: errors.append(stderr.read()), daemon=True)
    reader.start()
    try:
        child.stdin.write(text)
        child.stdin.close()
    except BrokenPipeError:
        pass  # it died before it read; its exit code says why
    output = child.stdout.read()
    reader.join()
    timer.cancel()  # before the child is reaped: its number may be another process's then
    usage: resource.struct_rusage
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return output, errors[0], usage.ru_maxrss * _UNITS
