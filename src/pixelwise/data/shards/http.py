"""Parts of files on a web server: ranges over HTTP, checked, and asked for again where the line fails.

Knows URLs and bytes; nothing of shards. The way to the server is `web`'s.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pixelwise.address import plain_url
from pixelwise.data.shards.source import MissingError
from pixelwise.errors import DataError
from pixelwise.files import replacing, write_whole
from pixelwise.web import LineError, RefusedError, ask, patiently, read, read_into

_LARGEST = 16 << 30
"""Bytes of a file that is copied whole."""

Result = TypeVar("Result")


class Http:
    """Reads over HTTP; several threads may.

    Args:
        pause: Seconds before the second try; see `web.patiently`.
    """

    def __init__(self, pause: float = 0.5) -> None:
        self._pause = pause
        self._tags: dict[str, str] = {}

    def read(self, url: str, offset: int, count: int, *, size: int) -> bytes:
        """The `count` bytes of a file from `offset` on; the file has `size` bytes as far as is known.

        Raises:
            DataError: The file is not there or is not what it was, the server gives no parts of files, or
                the line failed too often.
        """
        return self._patiently(url, lambda: self._part(url, offset, count, size))

    def copy(self, url: str, target: Path) -> None:
        """Copies a whole file, unless the server says that the copy which is there still is the same.

        Raises:
            DataError: As `read`; or the disk is full.
        """
        self._patiently(url, lambda: _copy(url, target))

    def _patiently(self, url: str, once: Callable[[], Result]) -> Result:
        try:
            return patiently(url, once, pause=self._pause)
        except RefusedError as error:
            if error.status == 416:
                raise DataError(
                    f"{plain_url(url)}: the file on the server is shorter than the index says; copy it again"
                ) from None
            kind = MissingError if error.status in (404, 410) else DataError
            raise kind(f"{plain_url(url)}: {error}") from None

    def _part(self, url: str, offset: int, count: int, size: int) -> bytes:
        with ask(url, {"Range": f"bytes={offset}-{offset + count - 1}"}) as response:
            if response.status != 206:
                raise DataError(
                    f"{plain_url(url)}: the server sends whole files only, where parts are needed; copy the "
                    "set to a folder, or serve it from one that knows ranges (nginx, Apache, an object store)"
                )
            stated = response.headers.get("Content-Range", "")
            if stated != f"bytes {offset}-{offset + count - 1}/{size}":
                raise DataError(
                    f"{plain_url(url)}: asked for bytes {offset} to {offset + count - 1} of {size}, the "
                    f"server answers with {stated[:80]!r}: the file is not the one that the index lists; "
                    "write or copy the set again"
                )
            self._same(url, response.headers.get("ETag", ""))
            content = read(response, count)
        if len(content) < count:
            raise LineError(f"the line broke after {len(content):,} of {count:,} bytes")
        return content

    def _same(self, url: str, tag: str) -> None:
        if tag and self._tags.setdefault(url, tag) != tag:
            raise DataError(
                f"{plain_url(url)}: the file changed on the server while it was being read; let the change "
                "end, and begin again"
            )


def _copy(url: str, target: Path) -> None:
    """Into `target`, with the server's tag of it beside it."""
    mark = target.with_name(f"{target.name}.etag")
    known = ""
    with contextlib.suppress(OSError, ValueError):
        known = mark.read_text(encoding="ascii") if target.is_file() else ""
    with ask(url, {"If-None-Match": known} if known else {}) as response:
        if response.status == 304:
            return
        tag = response.headers.get("ETag", "")
        mark.unlink(missing_ok=True)
        with replacing(target) as part, part.open("wb") as file:
            read_into(file, response, most=_LARGEST)
    if tag.isascii() and tag.isprintable():
        write_whole(mark, tag.encode("ascii"))


__all__ = ["Http"]
