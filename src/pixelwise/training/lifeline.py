"""Notices machines that vanish: one connection from each rank to the first, which the systems keep alive.

When a process dies its system closes its connections, and who waits for it is told at once. A machine without
power, or whose cable is cut, closes nothing. Sums of training steps wait for it for less than a minute, but
while a checkpoint is written or data is read the others may wait for hours, and rightly so. What the systems
at both ends answer by themselves (TCP keep-alive) tells the two apart, however busy the processes are.

Knows no training: only sockets and how many ranks there are.
"""

from __future__ import annotations

import secrets
import selectors
import socket
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager

from pixelwise.training.ranks import Ranks

IDLE_SECONDS, PROBE_SECONDS, PROBES = 10, 5, 6
"""Silence before the first question, between two of them, and how many may stay without an answer: 40 s."""

GRACE_SECONDS = 10.0
"""How long after a lost connection training may still say more exactly what it misses."""

MEETING_SECONDS = 60.0
"""How long the ranks may take to connect."""

WORD_SECONDS = 5.0
"""How long whoever connects may take to say the word."""

_GOODBYE = b"."
_TOKEN_BYTES, _NUMBER_BYTES = 16, 4


@contextmanager
def lifeline(
    ranks: Ranks,
    address: str,
    *,
    on_lost: Callable[[str], None],
    on_warning: Callable[[str], None],
) -> Generator[None, None, None]:
    """Watches the other ranks while the block runs; all ranks come here, and leave together.

    Args:
        ranks: All of them.
        address: Where the first one can be reached.
        on_lost: Called in a thread of its own, with who is gone, some seconds after that was noticed. What
            waits for them in the process's other threads cannot be woken, so it should end the process.
        on_warning: Called where the ranks cannot connect: vanished machines are then noticed late.
    """
    peers: dict[str, socket.socket] = {}
    with ExitStack() as stack:
        try:
            for name, peer in _accepted(ranks, address) if ranks.first else _connected(ranks, address):
                peers[name] = stack.enter_context(peer)
        except OSError as error:
            on_warning(
                f"rank {ranks.rank} cannot watch all others ({error.strerror or error}): a machine that "
                "vanishes is noticed late"
            )
        watch = _Watch(peers, on_lost)
        watch.start()
        try:
            yield
        finally:
            watch.end()


def _accepted(ranks: Ranks, address: str) -> Generator[tuple[str, socket.socket], None, None]:
    """The first rank's end: a connection from each of the others, which know the word."""
    token = secrets.token_bytes(_TOKEN_BYTES)
    try:
        family = socket.getaddrinfo(address, None, type=socket.SOCK_STREAM)[0][0]
        server = socket.create_server(("", 0), family=family, backlog=ranks.count)
    except OSError:
        ranks.tell(None)  # the others wait for a word
        raise
    with server:
        ranks.tell([server.getsockname()[1], token.hex()])
        missing, deadline = ranks.count - 1, time.monotonic() + MEETING_SECONDS
        while missing:
            server.settimeout(max(0.1, deadline - time.monotonic()))
            peer, _ = server.accept()
            word = _received(peer, _TOKEN_BYTES + _NUMBER_BYTES)
            if secrets.compare_digest(word[:_TOKEN_BYTES], token):
                missing -= 1
                yield f"rank {int.from_bytes(word[_TOKEN_BYTES:], 'big')}", kept_alive(peer)
            else:  # a stranger's
                peer.close()


def _connected(ranks: Ranks, address: str) -> Generator[tuple[str, socket.socket], None, None]:
    """Another rank's end."""
    told = ranks.tell(None)
    if told is None:
        raise OSError("the first rank has no port to listen at")
    port, token = told
    peer = socket.create_connection((address, port), timeout=MEETING_SECONDS)
    peer.sendall(bytes.fromhex(token) + ranks.rank.to_bytes(_NUMBER_BYTES, "big"))
    yield "rank 0", kept_alive(peer)


def _received(peer: socket.socket, count: int) -> bytes:
    """So many bytes; zeros where the other end says no more in time."""
    found = b""
    peer.settimeout(WORD_SECONDS)
    try:
        while len(found) < count and (more := peer.recv(count - len(found))):
            found += more
    except OSError:
        pass  # silent, or gone again
    return found.ljust(count, b"\0")


def kept_alive(peer: socket.socket) -> socket.socket:
    """The connection, which its system now asks for life by itself, and gives up after 40 s of silence."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for names, value in (
        (("TCP_KEEPIDLE", "TCP_KEEPALIVE"), IDLE_SECONDS),  # the second is what macOS calls it
        (("TCP_KEEPINTVL",), PROBE_SECONDS),
        (("TCP_KEEPCNT",), PROBES),
    ):
        known = [getattr(socket, name) for name in names if hasattr(socket, name)]
        if known:
            peer.setsockopt(socket.IPPROTO_TCP, known[0], value)
    return peer


class _Watch(threading.Thread):
    """Waits until a connection ends without a goodbye.

    Args:
        peers: Connections by whose they are.
        on_lost: Hears of the first one that is gone.
    """

    def __init__(self, peers: dict[str, socket.socket], on_lost: Callable[[str], None]) -> None:
        super().__init__(name="pixelwise-lifeline", daemon=True)
        self._peers, self._on_lost = peers, on_lost
        self._ended = threading.Event()

    def run(self) -> None:
        """Until all have said goodbye, one is lost, or this rank itself is done."""
        with selectors.DefaultSelector() as selector:
            for name, peer in self._peers.items():
                peer.setblocking(False)
                selector.register(peer, selectors.EVENT_READ, name)
            while selector.get_map() and not self._ended.is_set():
                for key, _ in selector.select(timeout=1.0):
                    reason = _reason(self._peers[key.data])
                    selector.unregister(key.fileobj)
                    if reason is not None:
                        self._lost(f"{key.data} is gone: {reason}")
                        return

    def end(self) -> None:
        """Says goodbye, and waits for nothing."""
        self._ended.set()
        _say_goodbye(list(self._peers.values()))
        self.join(timeout=5.0)

    def _lost(self, sentence: str) -> None:
        if not self._ended.wait(GRACE_SECONDS):
            self._on_lost(sentence)


def _reason(peer: socket.socket) -> str | None:
    """Why a connection with news ended; None for a goodbye."""
    try:
        word = peer.recv(1)
    except OSError as error:
        return error.strerror or str(error)
    return None if word == _GOODBYE else "its connection was closed"


def _say_goodbye(peers: Sequence[socket.socket]) -> None:
    for peer in peers:
        try:
            peer.sendall(_GOODBYE)
        except OSError:
            continue  # it is gone already, and so are we
