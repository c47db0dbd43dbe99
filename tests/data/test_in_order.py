"""Work ahead of its consumer: order, bounds, errors, and what an early end leaves."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Generator

import pytest

from pixelwise.data.ahead import in_order


@pytest.fixture
def _hasty_threads() -> Generator[None, None, None]:
    """Threads take turns as often as they can, so that a race is lost soon."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.parametrize("workers", [1, 3])
def test_results_come_in_the_order_of_the_items(workers: int) -> None:
    def later_first(i: int) -> int:
        time.sleep(0.002 * (i % 3 == 0))
        return i * i

    assert list(in_order(later_first, range(30), workers=workers)) == [i * i for i in range(30)]


def test_no_further_ahead_than_asked_for() -> None:
    taken = 0

    def items() -> Generator[int, None, None]:
        nonlocal taken
        for i in range(50):
            taken += 1
            yield i

    for done, _ in enumerate(in_order(str, items(), workers=2, ahead=5), start=1):
        assert taken - done <= 5


def test_an_error_is_raised_at_its_items_turn() -> None:
    seen: list[float] = []
    with pytest.raises(ZeroDivisionError):
        seen.extend(in_order(lambda i: 1 / (3 - i), range(9), workers=4))
    results = in_order(lambda i: 1 / (3 - i), range(9), workers=4)
    assert [next(results) for _ in range(3)] == [1 / 3, 1 / 2, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


@pytest.mark.usefixtures("_hasty_threads")
@pytest.mark.parametrize("workers", [1, 3])
def test_an_early_end_leaves_no_hole(workers: int) -> None:
    """What was begun is the begin of the items: a stopped video lacks no frame in its middle."""
    for _ in range(100):
        begun: list[int] = []

        def work(i: int, begun: list[int] = begun) -> None:
            begun.append(i)
            time.sleep(0)

        results = in_order(work, range(100), workers=workers, ahead=40)
        next(results)
        results.close()
        assert sorted(begun) == list(range(len(begun)))


def test_an_early_end_waits_for_what_has_begun() -> None:
    before = threading.active_count()
    ended: list[int] = []

    def work(i: int) -> None:
        time.sleep(0.01)
        ended.append(i)

    results = in_order(work, range(100), workers=2)
    next(results)
    results.close()
    count = len(ended)
    assert threading.active_count() == before
    time.sleep(0.03)
    assert len(ended) == count < 100
