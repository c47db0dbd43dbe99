"""A generator run in a thread: in order, bounded, the newest alone where the source does not wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator

import pytest

from pixelwise.errors import DataError
from pixelwise.video.ahead import Ahead


def _numbers(count: int, made: list[int], closed: list[bool]) -> Generator[int, None, None]:
    try:
        for i in range(count):
            made.append(i)
            yield i
    finally:
        closed.append(True)


def test_order_and_end() -> None:
    closed: list[bool] = []
    ahead = Ahead(_numbers(100, [], closed), depth=3)
    assert list(ahead) == list(range(100))
    ahead.close()
    assert closed == [True]
    assert ahead.dropped == 0


def test_it_reads_no_further_than_asked() -> None:
    made: list[int] = []
    ahead = Ahead(_numbers(100, made, []), depth=3)
    assert next(iter(ahead)) == 0
    time.sleep(0.2)
    assert len(made) <= 5  # three wait, one wants in, and one was taken
    ahead.close()


def test_an_error_comes_after_the_items_before_it() -> None:
    def broken() -> Generator[int, None, None]:
        yield 1
        yield 2
        raise DataError("cut off")

    got: list[int] = []
    with pytest.raises(DataError, match="cut off"):
        got.extend(Ahead(broken()))
    got.clear()
    items = iter(Ahead(broken()))
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(DataError, match="cut off"):
        next(items)


def test_closing_early_closes_the_generator() -> None:
    closed: list[bool] = []
    ahead = Ahead(_numbers(1000, [], closed), depth=2)
    next(iter(ahead))
    ahead.close()
    assert closed == [True]


def test_the_newest_alone() -> None:
    taken, made = threading.Event(), threading.Event()

    def camera() -> Generator[int, None, None]:
        yield 0
        assert taken.wait(30)
        yield from range(1, 50)
        made.set()

    ahead = Ahead(camera(), newest=True)
    items = iter(ahead)
    assert next(items) == 0
    taken.set()
    assert made.wait(30)  # nobody took any, and the source did not wait
    assert next(items) == 49
    assert ahead.dropped == 48
    assert list(items) == []


def test_a_silent_source_can_be_stopped() -> None:
    hangs, asked = threading.Event(), threading.Event()

    def camera() -> Generator[int, None, None]:
        yield 0
        hangs.wait(30)

    ahead = Ahead(camera(), newest=True, stop=asked.is_set)
    items = iter(ahead)
    next(items)
    threading.Timer(0.1, asked.set).start()
    begin = time.monotonic()
    assert list(items) == []
    assert time.monotonic() - begin < 10
    hangs.set()
    ahead.close()
