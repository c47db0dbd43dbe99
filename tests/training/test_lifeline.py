"""Connections between ranks that tell when a machine vanished, through real sockets on this one."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from pixelwise.training import lifeline
from pixelwise.training.ranks import Ranks


class Two:
    """The first rank or the second one of two; what the first tells goes through a queue."""

    count = 2

    def __init__(self, rank: int, told: queue.Queue[Any]) -> None:
        self.rank, self.first, self._told = rank, rank == 0, told

    def tell(self, value: Any) -> Any:
        if self.first:
            self._told.put(value)
            return value
        return self._told.get(timeout=10)


class Rank:
    """Holds a lifeline in a thread until it is let go; what it hears is written down."""

    def __init__(self, rank: int, told: queue.Queue[Any]) -> None:
        self.lost: queue.Queue[str] = queue.Queue()
        self.warnings: list[str] = []
        self.connected, self._leave = threading.Event(), threading.Event()
        ranks = cast("Ranks", Two(rank, told))

        def hold() -> None:
            with lifeline.lifeline(
                ranks, "127.0.0.1", on_lost=self.lost.put, on_warning=self.warnings.append
            ):
                self.connected.set()
                self._leave.wait(20)

        self._thread = threading.Thread(target=hold, daemon=True)
        self._thread.start()

    def leave(self) -> None:
        self._leave.set()
        self._thread.join(10)


@pytest.fixture(autouse=True)
def little_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifeline, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(lifeline, "WORD_SECONDS", 0.2)


def connect(place: list[Any]) -> socket.socket:
    """A second rank's connection, by hand: one that can vanish."""
    port, token = place
    peer = socket.create_connection(("127.0.0.1", port), timeout=5)
    peer.sendall(bytes.fromhex(token) + (1).to_bytes(4, "big"))
    return peer


def test_ranks_that_leave_together_hear_nothing() -> None:
    told: queue.Queue[Any] = queue.Queue()
    ranks = [Rank(number, told) for number in (0, 1)]
    assert all(rank.connected.wait(5) for rank in ranks)
    for rank in ranks:
        rank.leave()
        time.sleep(0.3)  # the other one stays a little longer than its grace
    assert all(rank.lost.empty() and not rank.warnings for rank in ranks)


@pytest.mark.parametrize("gone", [0, 1])
def test_a_connection_that_ends_without_a_goodbye_is_told_to_the_other_end(gone: int) -> None:
    told: queue.Queue[Any] = queue.Queue()
    if gone == 1:
        first = Rank(0, told)
        connect(told.get(timeout=5)).close()
        assert first.lost.get(timeout=5) == "rank 1 is gone: its connection was closed"
        first.leave()
        return
    with socket.create_server(("127.0.0.1", 0)) as server:
        told.put([server.getsockname()[1], "00" * 16])
        second = Rank(1, told)
        peer, _ = server.accept()
        assert peer.recv(20) == bytes(19) + b"\1"
        # What a system sends for a process that it has ended in the midst of something.
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        peer.close()
        assert second.lost.get(timeout=5).startswith("rank 0 is gone: ")
        second.leave()


def test_whoever_does_not_know_the_word_is_sent_away() -> None:
    told: queue.Queue[Any] = queue.Queue()
    first = Rank(0, told)
    place = told.get(timeout=5)
    with (
        socket.create_connection(("127.0.0.1", place[0])) as silent,
        socket.create_connection(("127.0.0.1", place[0])) as guessing,
        connect(place) as second,
    ):
        guessing.sendall(bytes(20))
        assert first.connected.wait(5)
        assert guessing.recv(1) == silent.recv(1) == b""
        assert first.lost.empty()
        first.leave()
        assert second.recv(1) == b"."  # the goodbye


@contextmanager
def no_answer() -> Iterator[int]:
    """A port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    yield port


def test_where_ranks_cannot_connect_training_goes_on_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifeline, "MEETING_SECONDS", 0.2)
    told: queue.Queue[Any] = queue.Queue()
    first = Rank(0, told)
    _, token = told.get(timeout=5)
    with no_answer() as port:
        told.put([port, token])
        second = Rank(1, told)
        assert first.connected.wait(5)
        assert second.connected.wait(5)
    for rank in (first, second):
        rank.leave()
        (warning,) = rank.warnings
        assert "a machine that vanishes is noticed late" in warning
        assert rank.lost.empty()


def test_systems_ask_for_life_and_give_up_within_a_minute() -> None:
    with socket.socket() as peer:
        lifeline.kept_alive(peer)
        assert peer.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        if hasattr(socket, "TCP_KEEPIDLE"):
            names = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")
            idle, between, tries = (
                peer.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in names
            )
            assert idle + between * tries + lifeline.GRACE_SECONDS < 60
