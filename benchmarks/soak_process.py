"""`pixelwise` in a process that is forked from one that has imported everything, and so starts at once.

What it does from then on is what the command does; a life of a few steps costs seconds instead of the half
minute that twenty imports of torch take on a busy machine.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from pathlib import Path

from soak_trap import Trap


def import_all() -> None:
    """Imports what training uses, and starts no thread."""
    os.environ["OMP_NUM_THREADS"] = "1"  # forks of a process whose threads were started hang
    import matplotlib.backends.backend_agg
    import tensorboardX.event_file_writer
    import torch

    import pixelwise.cli
    import pixelwise.training

    del matplotlib, tensorboardX, pixelwise
    torch.set_num_threads(1)


class Process:
    """A child that runs `pixelwise` with these words.

    Args:
        words: Of the command line.
        log: Takes what it says.
        cache: Its cache folder.
        trap: What goes wrong in it.
    """

    def __init__(self, words: list[str], *, log: Path, cache: Path, trap: Trap | None = None) -> None:
        self.returncode: int | None = None
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            code = 70
            try:
                code = _child(words, log, cache, trap)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)

    def poll(self) -> int | None:
        """The exit code, minus the signal that ended it, or None while it lives."""
        return self._wait(os.WNOHANG)

    def wait(self) -> int:
        """Its exit code, when it has ended."""
        code = self._wait(0)
        return code if code is not None else 0

    def send_signal(self, number: signal.Signals) -> None:
        """Signals it, if it has not been waited for."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def _wait(self, options: int) -> int | None:
        if self.returncode is None:
            process, status = os.waitpid(self.pid, options)
            if process:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


def _child(words: list[str], log: Path, cache: Path, trap: Trap | None) -> int:
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.environ["XDG_CACHE_HOME"] = str(cache)
    sys.argv = ["pixelwise", *words]
    if trap is not None:
        trap.set()
    from pixelwise.cli import main

    code = main(words)
    sys.stdout.flush()
    sys.stderr.flush()
    return code
