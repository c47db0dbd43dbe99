"""Parts of files on a web server: ranges over HTTP, checked, and asked for again where the line fails.

Knows URLs and bytes; nothing of shards. The standard library is enough, proxies and redirects included.
"""

from __future__ import annotations

import contextlib
import http.client
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pixelwise.address import plain_url, quoted
from pixelwise.data.shards.source import MissingError
from pixelwise.errors import DataError
from pixelwise.files import replacing, write_whole

TRIES = 6
_TIMEOUT = 30.0
_LONGEST_PAUSE = 20.0
_BLOCK = 1 << 20
_LARGEST = 16 << 30
"""Bytes of a file that is copied whole."""

_FINAL = {
    401: "it wants a login: use a signed URL",
    403: "access is forbidden: is the URL, or its signature, still valid?",
    404: "there is no such file: check the URL",
    410: "the file is gone",
}

Result = TypeVar("Result")


class _LineError(Exception):
    """The server or the way to it failed; asking again may help."""


class Http:
    """Reads over HTTP; several threads may.

    Args:
        pause: Seconds before the second try, twice as long before each further one, give or take a half.
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

    def _patiently(self, url: str, ask: Callable[[], Result]) -> Result:
        reason = ""
        for attempt in range(TRIES):
            if attempt:  # drawn, so that many readers that failed together don't come back together
                time.sleep(min(self._pause * 2 ** (attempt - 1), _LONGEST_PAUSE) * random.uniform(0.5, 1.5))
            try:
                return ask()
            except _LineError as error:
                reason = str(error)
        raise DataError(f"{plain_url(url)}: {reason}, {TRIES} times in a row; try again later")

    def _part(self, url: str, offset: int, count: int, size: int) -> bytes:
        with _ask(url, {"Range": f"bytes={offset}-{offset + count - 1}"}) as response:
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
            content = _read(response, count)
        if len(content) < count:
            raise _LineError(f"the line broke after {len(content):,} of {count:,} bytes")
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
    with _ask(url, {"If-None-Match": known} if known else {}) as response:
        if response.status == 304:
            return
        length, tag = response.headers.get("Content-Length", ""), response.headers.get("ETag", "")
        mark.unlink(missing_ok=True)
        with replacing(target) as part, part.open("wb") as file:
            while block := _read(response, _BLOCK):
                file.write(block)
                if file.tell() > _LARGEST:
                    raise DataError(f"{plain_url(url)}: more than {_LARGEST:,} bytes; this is no index")
            if length.isdigit() and file.tell() != int(length):
                raise _LineError(f"the line broke after {file.tell():,} of {int(length):,} bytes")
    if tag.isascii() and tag.isprintable():
        write_whole(mark, tag.encode("ascii"))


def _ask(url: str, headers: dict[str, str]) -> http.client.HTTPResponse:
    plain = {"User-Agent": "pixelwise", "Accept-Encoding": "identity", **headers}
    try:
        return urllib.request.urlopen(urllib.request.Request(quoted(url), headers=plain), timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 304:
            return error  # pyright: ignore[reportReturnType]  # it is a response as any other
        with error:
            if error.code in _FINAL:
                kind = MissingError if error.code in (404, 410) else DataError
                raise kind(
                    f"{plain_url(url)}: the server answers {error.code}: {_FINAL[error.code]}"
                ) from None
            if error.code == 416:
                raise DataError(
                    f"{plain_url(url)}: the file on the server is shorter than the index says; copy it again"
                ) from None
            raise _LineError(f"the server answers {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        raise _LineError(f"no connection ({getattr(error, 'reason', None) or error!r})") from error


def _read(response: http.client.HTTPResponse, count: int) -> bytes:
    try:
        return response.read(count)
    except (OSError, http.client.HTTPException) as error:
        raise _LineError(f"the connection broke ({error!r})") from error


__all__ = ["TRIES", "Http"]
