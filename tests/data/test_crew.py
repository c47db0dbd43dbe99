"""Workers give the same as a loop, in order; a killed one is said; none outlives its parent."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pixelwise.data import crew as module
from pixelwise.data.codec import Header, UnreadableError
from pixelwise.data.crew import Crew, Ready
from pixelwise.data.mapping import UnknownValueError
from pixelwise.data.mendable import MendableError
from pixelwise.data.sizes import SizesDifferError
from pixelwise.errors import DataError, PixelwiseError

MANY = module._FEWEST

needs_fork = pytest.mark.skipif(not module._can_fork(), reason="only Linux forks safely")


def times(shared: int, item: int) -> int:
    time.sleep(0.0001 * (item % 7))  # later items are often done sooner
    return shared * item


def process(shared: int, item: int) -> int:
    return os.getpid()


def fail_at(shared: int, item: int) -> int:
    if item == shared:
        raise UnreadableError(f"item {item} is damaged")
    return item


def die_at(shared: int, item: int) -> int:
    if item == shared:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


@pytest.mark.parametrize("items", [0, 1, 20, MANY + 20])
def test_results_come_in_order(items: int) -> None:
    with Crew(3, workers=2, items=items) as crew:
        assert list(crew.in_order(times, range(items))) == [3 * item for item in range(items)]


def test_few_items_are_not_worth_a_process() -> None:
    with Crew(0, workers=2, items=5) as crew:
        assert set(crew.in_order(process, range(5))) == {os.getpid()}
    with Crew(0, workers=1, items=10 * MANY) as crew:
        assert not crew.processes


@needs_fork
def test_many_items_go_to_processes() -> None:
    with Crew(0, workers=2, items=MANY) as crew:
        found = set(crew.in_order(process, range(MANY)))
    assert os.getpid() not in found
    assert 1 <= len(found) <= 2


@pytest.mark.parametrize("items", [20, MANY])
def test_what_is_ready_is_passed_through_at_its_turn(items: int) -> None:
    def mixed() -> Iterator[int | Ready[int]]:
        for item in range(items):
            yield Ready(-item) if item % 3 == 0 else item

    with Crew(2, workers=2, items=items) as crew:
        found = list(crew.in_order(times, mixed()))
    assert found == [-item if item % 3 == 0 else 2 * item for item in range(items)]


def test_items_are_not_taken_far_ahead() -> None:
    taken = 0

    def counted() -> Iterator[int]:
        nonlocal taken
        for item in range(1000):
            taken += 1
            yield item

    with Crew(1, workers=2, items=10) as crew:
        results = crew.in_order(times, counted())
        next(results)
        assert taken <= 8
        results.close()


@pytest.mark.parametrize("items", [20, MANY])
def test_an_error_is_raised_at_its_turn(items: int) -> None:
    with Crew(11, workers=2, items=items) as crew:
        results = crew.in_order(fail_at, range(items))
        assert [next(results) for _ in range(11)] == list(range(11))
        with pytest.raises(UnreadableError, match="item 11 is damaged"):
            next(results)


@needs_fork
def test_a_killed_worker_is_said() -> None:
    with (
        Crew(40, workers=2, items=MANY) as crew,
        pytest.raises(PixelwiseError, match=r"a worker process was killed, .* fewer with --workers"),
    ):
        list(crew.in_order(die_at, range(MANY)))


@pytest.mark.parametrize(
    "error",
    [
        MendableError("mend it", {"map": ("255=1",)}),
        UnreadableError("broken"),
        UnknownValueError("unknown", {3: 4, (1, 2, 3): 5}, Path("mask.png"), {"snap": 3}),
        SizesDifferError("sizes", Header((2, 3), 6, "JPEG", "RGB"), Header((3, 2), 1, "PNG", "L")),
    ],
)
def test_errors_keep_what_they_carry_between_processes(error: DataError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert {k: v for k, v in vars(again).items() if k != "changes"} == {
        k: v for k, v in vars(error).items() if k != "changes"
    }
    assert dict(again.changes) == dict(error.changes)


@needs_fork
def test_workers_do_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    code = (
        "import os, time\n"
        "from pixelwise.data.crew import Crew\n"
        "from tests_crew import work\n"
        "with Crew(0, workers=2, items=1000) as crew:\n"
        "    results = crew.in_order(work, range(1000))\n"
        "    print(next(results), next(results), next(results), next(results), flush=True)\n"
        "    time.sleep(60)\n"
    )
    helper = "import os, time\ndef work(shared, item):\n    time.sleep(0.05)\n    return os.getpid()\n"
    (tmp_path / "tests_crew.py").write_text(helper)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert parent.stdout is not None
    workers = {int(word) for word in parent.stdout.readline().split()}
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 20
    while any(_lives(worker) for worker in workers):
        assert time.monotonic() < deadline, f"{workers} live on"
        time.sleep(0.05)


def _lives(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
