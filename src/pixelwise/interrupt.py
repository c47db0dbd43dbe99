"""Ctrl-C and SIGTERM as a request: finish the step, save, leave. A second Ctrl-C is not asked twice.

Knows nothing of the work that is asked to stop.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def sigterm_as_ctrl_c() -> Generator[None, None, None]:
    """Lets SIGTERM raise KeyboardInterrupt while the block runs, as Ctrl-C does.

    For work that may end anywhere, since what is done is on disk. Outside the main thread nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_signal(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, on_signal)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


class StopRequest:
    """Whether somebody asked the work to stop."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def __bool__(self) -> bool:
        return self.signal is not None


@contextmanager
def stop_on_signals() -> Generator[StopRequest, None, None]:
    """Turns SIGINT and SIGTERM into a `StopRequest` while the block runs.

    Outside the main thread Python lets nobody set handlers; there the request never comes and signals act as
    ever.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def on_signal(number: int, frame: FrameType | None) -> None:
        if request:
            raise KeyboardInterrupt
        request.signal = signal.Signals(number)

    previous = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
