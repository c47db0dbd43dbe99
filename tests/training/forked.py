"""A process of its own that starts at once: forked from one that has imported everything.

A test that starts processes again and again, and kills them, would else import torch each time, which takes
longer than what they do. Python's fork server has no thread and has computed nothing, so what it forks is
what a fresh process would be.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

PRELOADED = [
    *("pixelwise.cli", "pixelwise.training", "pixelwise.training.tuning", "pixelwise.report.curves"),
    *("matplotlib.backends.backend_agg", "tensorboardX.event_file_writer", "lightning_fabric", "optuna"),
]
"""What a training imports sooner or later; what is not installed is passed over."""


class Forked:
    """A child that does something, with the face of `subprocess.Popen`.

    Args:
        work: What it does, a function of a module; what it returns, if a number, is the exit code.
        arguments: For it.
        environment: All of the child's variables.
    """

    def __init__(
        self, work: Callable[..., int | None], *arguments: object, environment: Mapping[str, str]
    ) -> None:
        self._said = Path(tempfile.mkdtemp(prefix="forked-"))
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        # As many threads as this process has: sums in another order have other last bits.
        given = (work, arguments, {**environment}, self._said, torch.get_num_threads())
        self._process = context.Process(target=_child, args=given)
        self._process.start()

    @property
    def pid(self) -> int:
        """Its number."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, minus the signal that ended it, or None while it lives."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The same."""
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Signals it, if it lives."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Ends it, if it lives."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float = 240) -> tuple[str, str]:
        """What it wrote on stdout and on stderr, when it has ended; it is killed when that takes too long."""
        self._process.join(timeout)
        late = self.returncode is None
        if late:
            self.kill()
            self._process.join()
        output, errors = ((self._said / name).read_text() for name in ("out", "err"))
        assert not late, f"it did not end in {timeout} seconds: {output}{errors}"
        return output, errors


def pixelwise(*words: str) -> int:
    """What the command does with these words."""
    from pixelwise.cli import main

    sys.argv = ["pixelwise", *words]
    return main(words)


def _child(
    work: Callable[..., int | None],
    arguments: tuple[object, ...],
    environment: dict[str, str],
    said: Path,
    threads: int,
) -> None:
    for descriptor, name in ((1, "out"), (2, "err")):
        file = os.open(said / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(file, descriptor)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    torch.set_num_threads(threads)
    sys.exit(work(*arguments))
