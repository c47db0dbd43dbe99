"""Work done ahead of its consumer, in threads, handed over in order.

Knows nothing of pictures. Pillow and NumPy let other threads run while they decode, resize and copy, so
threads are enough and nothing is pickled.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int, ahead: int | None = None
) -> Generator[Result, None, None]:
    """Yields `function(item)` for every item, in the order of the items, whatever the number of workers.

    An error of the function is raised here, at its item's turn. Closing the generator (leaving a `for` loop
    early closes it when it is collected) drops what has not begun and waits for what has; no item is left out
    before one that was begun.

    Args:
        function: Called in the workers' threads.
        items: Taken one by one, as far ahead as asked for.
        workers: Number of threads.
        ahead: Results that may wait for the consumer, those under way included; twice the workers by
            default.
    """
    limit = max(ahead if ahead is not None else 2 * workers, 1)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="pixelwise-data")
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= limit:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        # From the last on: a thread that takes the next item meanwhile leaves none out before it, so that
        # what was done is always the begin of the items. The pool's own way cancels from the first on.
        while waiting:
            waiting.pop().cancel()
        pool.shutdown(wait=True, cancel_futures=True)
