"""Workers for a pass over many samples: processes where the system forks and there is much to do.

Elsewhere they are threads. NumPy's small steps hold the interpreter: where they are most of the work, threads
on two cores gain a quarter over one, and processes nearly all of the second core. A forked process has what
it works on as it stands: nothing is sent to it but numbers, and nothing comes back but what it found. Knows
nothing of pictures.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, TypeVar, cast

from pixelwise.errors import PixelwiseError

Shared = TypeVar("Shared")
Item = TypeVar("Item")
Result = TypeVar("Result")

_FEWEST = 128
"""Items below which no process is worth its start."""


@dataclass(frozen=True)
class Ready(Generic[Result]):
    """A result that is there already."""

    value: Result

    def result(self) -> Result:
        """As a future's."""
        return self.value


class WorkerKilledError(PixelwiseError):
    """A worker process ended before its work did."""


class Crew(Generic[Shared]):
    """Workers that share something, e.g. a reader.

    Use it in a `with` block.

    Args:
        shared: What every call gets first. Processes have a copy as of now.
        workers: How many.
        items: About how many calls will be made.
    """

    def __init__(self, shared: Shared, *, workers: int, items: int) -> None:
        self._shared, self._workers = shared, workers
        self.processes = workers > 1 and items >= _FEWEST and _can_fork()
        self._pool: Executor = (
            _forked(shared, workers)
            if self.processes
            else ThreadPoolExecutor(workers, thread_name_prefix="pixelwise-data")
        )

    def __enter__(self) -> Crew[Shared]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def in_order(
        self, function: Callable[[Shared, Item], Result], items: Iterable[Item | Ready[Result]]
    ) -> Generator[Result, None, None]:
        """Yields `function(shared, item)` for every item, in the order of the items.

        A bounded number is worked on ahead of the consumer.

        Args:
            function: Of a module, not one that is defined within another; errors that it raises are raised
                here, at their item's turn.
            items: Taken as far ahead as asked for; they and the results travel between processes. What is
                `Ready` is yielded at its turn.

        Raises:
            WorkerKilledError: A worker process was killed.
        """
        waiting: deque[Future[Result] | Ready[Result]] = deque()
        try:
            for item in items:
                if isinstance(item, Ready):
                    waiting.append(cast("Ready[Result]", item))
                else:
                    waiting.append(self._submit(function, item))
                if len(waiting) >= 4 * self._workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise WorkerKilledError(
                "a worker process was killed, perhaps for want of memory: take fewer with --workers"
            ) from error
        finally:
            # A process pool that breaks meanwhile trips over futures that others cancelled (CPython 3.11); it
            # drops what waits when it is shut down.
            for future in waiting if not self.processes else ():
                if isinstance(future, Future):
                    future.cancel()

    def _submit(self, function: Callable[[Shared, Item], Result], item: Item) -> Future[Result]:
        if self.processes:
            return self._pool.submit(_call, function, item)
        return self._pool.submit(function, self._shared, item)


_held: list[Any] = []
"""In a worker process: what it shares."""


def _can_fork() -> bool:
    """Only Linux forks safely: elsewhere the system's own libraries have threads."""
    return os.name == "posix" and os.uname().sysname == "Linux"


def _forked(shared: Any, workers: int) -> ProcessPoolExecutor:
    """Workers that are forked now, before this process has threads and open files of the pass."""
    context = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(shared,))
    with warnings.catch_warnings():
        # A thread that draws a progress bar may run; what it holds, no worker asks for.
        warnings.simplefilter("ignore", DeprecationWarning)
        pool.submit(int).result()
    return pool


def _begin(shared: Any) -> None:
    """In a worker: Ctrl-C is the parent's to answer, and a worker does not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _held.append(shared)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)


def _call(function: Callable[[Any, Any], Any], item: Any) -> Any:
    return function(_held[-1], item)
