"""Work that an iterator does, done in a thread ahead of its consumer. Knows nothing of videos.

`data.ahead.in_order` calls a function in threads but takes its items in the consumer's; here taking them is
the work. A source that does not wait, a camera, keeps its newest item alone: what comes too fast is dropped,
so that the consumer never lags behind.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")

_LOOK_SECONDS = 0.1
"""How often a consumer that waits looks whether it is asked to stop."""

_LEAVE_SECONDS = 1.0
"""How long a thread that may hang in a device is waited for."""


class Ahead(Generic[Item]):
    """Items of a generator, produced in a thread.

    Iterate over it once. An error of the generator is raised in the consumer, after the items before it.

    Args:
        items: Run and closed in the thread.
        depth: Items that may wait; with `newest` there is one.
        newest: Replaces the item that waits by the next one, instead of making the generator wait.
        stop: Ends the iteration when it is true, even while the source is silent.

    Attributes:
        dropped: Items that were replaced.
    """

    def __init__(
        self,
        items: Generator[Item, None, None],
        *,
        depth: int = 4,
        newest: bool = False,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.dropped = 0
        self._items = items
        self._depth = 1 if newest else depth
        self._newest = newest
        self._stop = stop
        self._waiting: deque[Item] = deque()
        self._change = threading.Condition()
        self._closed = False
        self._ended = False
        self._error: BaseException | None = None
        # A daemon, so that a camera that hangs cannot keep the process from ending.
        self._thread = threading.Thread(target=self._produce, name="pixelwise-video", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Item]:
        while True:
            with self._change:
                while not self._waiting and not self._ended and not self._stop():
                    self._change.wait(_LOOK_SECONDS)
                if self._stop():
                    return
                if not self._waiting:
                    if self._error is not None:
                        raise self._error
                    return
                item = self._waiting.popleft()
                self._change.notify_all()
            yield item

    def close(self) -> None:
        """Drops what waits and ends the generator; waits a moment for the thread."""
        with self._change:
            self._closed = True
            self._waiting.clear()
            self._change.notify_all()
        self._thread.join(_LEAVE_SECONDS)

    def _produce(self) -> None:
        try:
            for item in self._items:
                if not self._put(item):
                    break
        except BaseException as error:  # handed to the consumer, whatever it is
            self._error = error
        finally:
            self._items.close()
            with self._change:
                self._ended = True
                self._change.notify_all()

    def _put(self, item: Item) -> bool:
        with self._change:
            if self._newest and self._waiting and not self._closed:
                self._waiting.popleft()
                self.dropped += 1
            while len(self._waiting) >= self._depth and not self._closed:
                self._change.wait()
            if self._closed:
                return False
            self._waiting.append(item)
            self._change.notify_all()
            return True
