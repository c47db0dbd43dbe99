"""Signals as requests, and SIGTERM as Ctrl-C; afterwards they act as ever."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from pixelwise.interrupt import sigterm_as_ctrl_c

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX systems")


def test_sigterm_is_ctrl_c_while_the_block_runs() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), sigterm_as_ctrl_c():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_other_threads_set_no_handler() -> None:
    seen: list[object] = []

    def work() -> None:
        with sigterm_as_ctrl_c():
            seen.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
