"""Starts the ranks of one machine, hears what they say, and ends all of them when one dies.

torchrun and SLURM do this for the processes that they start. Each rank is a process of its own with an order
on its stdin and its news on its stdout, one JSON document a line; `rank` is the other end. The listener is
called here, so that it may be anything. Knows no network and no data.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, cast

import torch.distributed as dist

from pixelwise.errors import BackendError, ConfigError, DataError, ModelFileError, PixelwiseError
from pixelwise.interrupt import StopRequest, stop_on_signals
from pixelwise.report.history import HistoryRow
from pixelwise.training.events import Listener, StepEvent
from pixelwise.training.launch import OURS, Launch, find_launch
from pixelwise.training.loop import TrainingInterrupted
from pixelwise.training.order import Order
from pixelwise.training.ranks import RankLostError

GRACE_SECONDS = 5.0
"""How long the others may still say why they end, once one rank has."""

_START = """
import json, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)  # until training listens, it ends the process without a word
sys.path[:] = json.loads(sys.argv[1])  # whatever this process found its packages by
from pixelwise.training.rank import main
sys.exit(main())
"""

_ERRORS: dict[str, type[PixelwiseError]] = {
    kind.__name__: kind
    for kind in (
        PixelwiseError,
        DataError,
        ConfigError,
        ModelFileError,
        BackendError,
        TrainingInterrupted,
        RankLostError,
    )
}


def run_ranks(order: Order, launch: Launch, listener: Listener) -> Mapping[str, Any]:
    """Carries out an order on several ranks, and returns the first one's `Run` as JSON.

    Raises:
        RankLostError: A rank died, here or on another machine.
        PixelwiseError: What the ranks raised.
        KeyboardInterrupt: A second signal came, or one before training began.
    """
    with meeting_place(launch) as place, stop_on_signals() as stop:
        family = _Family(order, stop)
        try:
            for local in range(launch.devices):
                environment = environment_of(launch, local, place)
                family.start(find_launch(environment).rank, environment)
            return family.listen(listener)
        finally:
            family.end()


@dataclass
class _Rank:
    """A process and what it has said."""

    number: int
    process: subprocess.Popen[str]
    result: Mapping[str, Any] | None = None
    error: PixelwiseError | None = None
    silent: bool = False


@dataclass
class _Family:
    """The ranks of this machine."""

    order: Order
    stop: StopRequest
    ranks: list[_Rank] = field(default_factory=list[_Rank])
    news: queue.Queue[tuple[_Rank, dict[str, Any] | None]] = field(default_factory=queue.Queue)
    told: bool = False

    def start(self, number: int, environment: Mapping[str, str]) -> None:
        """Starts a rank, in a session of its own: Ctrl-C reaches us alone, and we pass it on."""
        process = subprocess.Popen(
            [sys.executable, "-c", _START, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=dict(environment),
            start_new_session=True,
        )
        rank = _Rank(number, process)
        self.ranks.append(rank)
        threading.Thread(target=self._read, args=(rank,), daemon=True).start()
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        with suppress(BrokenPipeError):  # it died at once; its exit code says why
            # It stays open: its end tells the rank that we are gone.
            process.stdin.write(json.dumps(self.order.to_json()) + "\n")
            process.stdin.flush()

    def listen(self, listener: Listener) -> Mapping[str, Any]:
        """Passes the news on until all ranks are done, or one of them is not well."""
        deadline = None
        while not all(rank.silent for rank in self.ranks):
            self._pass_on_signal()
            try:
                rank, document = self.news.get(timeout=0.1)
            except queue.Empty:
                rank, document = None, None
            if rank is not None and document is None:
                rank.silent = True
                rank.process.wait()
            elif rank is not None and document is not None:
                _hear(rank, document, listener)
            if deadline is None and any(_failed(rank) for rank in self.ranks):
                deadline = time.monotonic() + GRACE_SECONDS
            if deadline is not None and time.monotonic() > deadline:
                break
        return self._outcome()

    def end(self) -> None:
        """Ends what still runs; a rank that waits for others does not hear a polite signal."""
        for rank in self.ranks:
            if rank.process.poll() is None:
                rank.process.kill()
        for rank in self.ranks:
            rank.process.wait()
            for pipe in (rank.process.stdin, rank.process.stdout):
                if pipe is not None and (pipe is not rank.process.stdout or rank.silent):
                    _close(pipe)

    def _read(self, rank: _Rank) -> None:
        assert rank.process.stdout is not None  # noqa: S101 - it is a pipe
        for line in rank.process.stdout:
            self.news.put((rank, json.loads(line)))
        self.news.put((rank, None))

    def _pass_on_signal(self) -> None:
        if self.stop.signal is None or self.told:
            return
        self.told = True
        for rank in self.ranks:
            if rank.process.poll() is None:
                rank.process.send_signal(self.stop.signal)

    def _outcome(self) -> Mapping[str, Any]:
        """What the first rank here gave; else raises what best says why there is nothing."""
        if all(rank.result is not None for rank in self.ranks):
            return cast("Mapping[str, Any]", self.ranks[0].result)
        own = [rank.error for rank in self.ranks if rank.error is not None]
        killed = [rank for rank in self.ranks if _failed(rank) and rank.error is None]
        told = [error for error in own if not isinstance(error, RankLostError)]
        if told:
            raise told[0]
        if self.told:
            raise KeyboardInterrupt
        if killed:
            raise _death(killed[0], self.order)
        if own:
            raise own[0]
        raise PixelwiseError("a rank ended without a result and without an error")


def _hear(rank: _Rank, document: dict[str, Any], listener: Listener) -> None:
    """One piece of news: a call of the listener, the result, or an error."""
    kind, value = document["kind"], document["value"]
    if kind == "note":
        listener.note(value)
    elif kind == "warning":
        listener.warning(value)
    elif kind == "work":
        listener.work(*value)
    elif kind == "step":
        listener.step(StepEvent(**value))
    elif kind == "epoch":
        listener.epoch(HistoryRow.from_json(value["row"]), value["epochs"], best=value["best"])
    elif kind == "result":
        rank.result = value
    else:
        rank.error = _ERRORS[value["type"]](value["text"])


def _failed(rank: _Rank) -> bool:
    return rank.error is not None or (rank.result is None and rank.process.poll() not in (None, 0))


def _death(rank: _Rank, order: Order) -> PixelwiseError:
    """What to say of a process that ended without a word of its own."""
    code = cast("int", rank.process.returncode)
    if code > 0:
        return PixelwiseError(
            f"rank {rank.number} failed with exit code {code}, so the others were ended; why stands above. "
            f"Go on with: pixelwise train --resume {order.out}"
        )
    name = signal.Signals(-code).name if -code in {s.value for s in signal.Signals} else f"signal {-code}"
    cause = ", as the system does when memory runs out" if name == "SIGKILL" else ""
    return RankLostError(
        f"rank {rank.number} (process {rank.process.pid}) was ended by {name}{cause}, so the others were "
        f"ended too; the last checkpoint is whole, go on with: pixelwise train --resume {order.out}"
    )


@contextmanager
def meeting_place(launch: Launch) -> Generator[tuple[str, str], None, None]:
    """Address and port where the ranks find each other.

    On one machine the meeting place is ours, at a port that the system gives; on several it is the first
    rank's, as the environment says.
    """
    if launch.nodes == 1:
        store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
        try:
            yield "127.0.0.1", str(store.port)
        finally:
            del store
        return
    missing = [name for name in ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK") if name not in os.environ]
    if missing:
        raise ConfigError(
            f"--nodes {launch.nodes} needs {', '.join(missing)} in the environment of each machine: the "
            "address and a free port of the first one, and the machine's number from 0; torchrun and SLURM "
            "need none of this"
        )
    yield os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"]


def environment_of(launch: Launch, local: int, place: tuple[str, str]) -> dict[str, str]:
    """What a rank finds the others by, as torchrun would set it."""
    node = os.environ.get("NODE_RANK", "0") if launch.nodes > 1 else "0"
    threads = max(1, _cores() // launch.devices)
    environment = {
        "OMP_NUM_THREADS": str(threads),  # each its part of the processor, unless somebody decided otherwise
        **os.environ,
        OURS: f"{launch.devices} {launch.nodes}",
        "NODE_RANK": node,
        "LOCAL_RANK": str(local),
        "MASTER_ADDR": place[0],
        "MASTER_PORT": place[1],
    }
    if launch.nodes == 1:
        environment |= {"TORCHELASTIC_USE_AGENT_STORE": "True", "TORCHELASTIC_RESTART_COUNT": "0"}
    return environment


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _close(pipe: Any) -> None:
    with suppress(OSError):  # unsent words to a process that is gone
        pipe.close()
