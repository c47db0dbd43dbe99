"""Shards on a server: asked for in parts, and read ahead where the samples come in their order.

A pass that checks a set, or fills the cache, takes sample after sample: asking for each alone would wait for
the line each time, so ever larger pieces are fetched, which their samples share. Samples in a drawn order are
fetched one by one. Knows sources and offsets; what HTTP and an object store are, their own files know.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pixelwise.address import member_url
from pixelwise.data.shards.table import Shard

_MOST_AHEAD = 8 << 20
_FIRST_AHEAD = 1 << 18
_KEPT = 8
"""Pieces that are remembered: with the most ahead, 64 MiB at most for all threads together."""

_GAP = 1 << 20
"""What begins so many bytes behind the last piece, at most, goes on from it: threads don't ask in order."""


class Transport(Protocol):
    """A way to a server."""

    def read(self, url: str, offset: int, count: int, *, size: int) -> bytes:
        """See `Http.read`."""
        ...

    def copy(self, url: str, target: Path) -> None:
        """See `Http.copy`."""
        ...


@dataclass(eq=False)
class _Piece:
    """Bytes of a shard that were fetched, or are being fetched by some thread."""

    shard: str
    start: int
    stop: int
    content: Future[bytes] = field(default_factory=Future[bytes])


class RemoteSource:
    """Shards below a URL.

    Args:
        url: Of the set.
        transport: The way there.
    """

    def __init__(self, url: str, transport: Transport) -> None:
        self._url, self._transport = url, transport
        self._lock = threading.Lock()
        self._pieces: list[_Piece] = []
        self._runs: dict[str, tuple[int, int]] = {}  # shard -> where the last piece ended, how long it was

    def read(self, shard: Shard, offset: int, count: int) -> bytes:
        """The bytes of a shard from `offset` on; what lies behind them may be fetched with them.

        Raises:
            DataError: See `Http.read`.
        """
        count = max(min(count, shard.size - offset), 0)
        if not count:
            return b""
        with self._lock:
            piece = self._find(shard.name, offset, offset + count)
            mine = piece is None
            if piece is None:
                piece = self._begin(shard, offset, count)
        if mine:
            self._fetch(shard, piece)
        content = piece.content.result()
        return content[offset - piece.start : offset - piece.start + count]

    def _find(self, shard: str, start: int, stop: int) -> _Piece | None:
        for piece in self._pieces:
            if piece.shard == shard and piece.start <= start and stop <= piece.stop:
                return piece
        return None

    def _begin(self, shard: Shard, offset: int, count: int) -> _Piece:
        """Notes what is about to be fetched: more than is asked for where it goes on from the last piece."""
        end, length = self._runs.get(shard.name, (0, 0))
        start, stop, gap = offset, offset + count, offset - end
        if length and 0 <= gap <= _GAP:
            start, stop = end, max(stop, end + min(max(2 * length, _FIRST_AHEAD), _MOST_AHEAD))
        piece = _Piece(shard.name, start, min(stop, shard.size))
        if gap >= 0 or gap < -_MOST_AHEAD:  # a thread that lags behind does not end a run
            self._runs[shard.name] = piece.stop, piece.stop - piece.start
        self._pieces.append(piece)
        del self._pieces[:-_KEPT]
        return piece

    def _fetch(self, shard: Shard, piece: _Piece) -> None:
        url = member_url(self._url, shard.name)
        try:
            count = piece.stop - piece.start
            piece.content.set_result(self._transport.read(url, piece.start, count, size=shard.size))
        except BaseException as error:  # whoever waits for it must hear of it, an interrupt too
            with self._lock:
                self._pieces = [other for other in self._pieces if other is not piece]
            piece.content.set_exception(error)
            raise


__all__ = ["RemoteSource", "Transport"]
