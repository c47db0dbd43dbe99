"""The way to web servers: one question, and what a server or the way to it makes of it.

All that pixelwise asks over HTTP goes through here: downloads that are taken up again (`fetch`), parts of
shards (`data.shards.http`), and pictures of lists (`engines.store`). So time-outs, proxies, redirects, TLS
and what is final are the same for all. The standard library is enough. Knows no checksum.
"""

from __future__ import annotations

import functools
import http.client
import random
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import IO, TypeVar

from pixelwise.address import plain_url, quoted, scheme_of
from pixelwise.errors import DataError

SCHEMES = ("http", "https")

TIMEOUT = 30.0
"""Seconds in which a server must send something."""

TRIES = 6
_LONGEST_PAUSE = 20.0
_BLOCK = 1 << 20

_FINAL = {
    401: "it wants a login: use a signed URL",
    403: "access is forbidden: is the URL, or its signature, still valid?",
    404: "there is no such file: check the URL",
    410: "the file is gone",
    416: "the file is shorter than was expected",
}

Result = TypeVar("Result")


class LineError(Exception):
    """The server or the way to it failed; asking again may help. The message says how."""


class RefusedError(Exception):
    """Asking again would bring the same. The message says why.

    Attributes:
        status: What the server answered; 0 where it was not asked.
    """

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to other servers, and never from TLS to none: a signed URL, or a picture, would be readable."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """The question to ask instead."""
        before, now = scheme_of(req.full_url), scheme_of(newurl)
        if now not in SCHEMES or (before == "https" and now != "https"):
            raise RefusedError(code, f"it sends on to {now}://, which is not safe")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@functools.lru_cache(maxsize=4)
def _opener(proxies: tuple[tuple[str, str], ...]) -> urllib.request.OpenerDirector:
    """Of HTTP and HTTPS alone: the usual one also opens files and FTP.

    Certificates are checked; to read those that are trusted takes longer than a small answer, so the opener
    is kept.
    """
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(dict(proxies)),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
        urllib.request.HTTPDefaultErrorHandler(),
        _Redirects(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def ask(url: str, headers: dict[str, str] | None = None) -> http.client.HTTPResponse:
    """Opens a file; the answer is to be closed.

    Args:
        url: Of `http` or `https`; blanks and letters beyond ASCII are escaped.
        headers: Besides the usual ones.

    Returns:
        An answer of 200, 206 or 304.

    Raises:
        LineError: Nothing came, or an error that passes.
        RefusedError: An answer that will not change, or no URL of a web server.
    """
    if scheme_of(url) not in SCHEMES:
        raise RefusedError(0, "this is no URL of a web server")
    plain = {"User-Agent": "pixelwise", "Accept-Encoding": "identity", **(headers or {})}
    try:
        opener = _opener(tuple(sorted(urllib.request.getproxies().items())))
        return opener.open(urllib.request.Request(quoted(url), headers=plain), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 304:
            return error  # pyright: ignore[reportReturnType]  # it is a response as any other
        with error:
            if error.code in _FINAL:
                why = f"the server answers {error.code}: {_FINAL[error.code]}"
                raise RefusedError(error.code, why) from None
            if error.code < 400:  # in circles, or to what is not of the web
                raise RefusedError(
                    error.code, f"it sends on to nowhere ({error.code} {error.reason})"
                ) from None
            raise LineError(f"the server answers {error.code} {error.reason}") from error
    except (ValueError, http.client.InvalidURL) as error:  # a port that is no number, a host that is no name
        raise RefusedError(0, f"this is no URL of a web server ({error})") from error
    except (OSError, http.client.HTTPException) as error:
        raise LineError(f"no connection ({getattr(error, 'reason', None) or error!r})") from error


def read(response: http.client.HTTPResponse, count: int) -> bytes:
    """The next bytes of an answer, at most so many; none at its end.

    Raises:
        LineError: The line broke.
    """
    try:
        return response.read(count)
    except (OSError, http.client.HTTPException) as error:
        raise LineError(f"the connection broke ({error!r})") from error


def read_into(file: IO[bytes], response: http.client.HTTPResponse, *, most: int) -> None:
    """Writes all of an answer into a file.

    Args:
        file: Empty.
        response: What `ask` gave.
        most: Bytes; a server may send without end.

    Raises:
        LineError: The line broke.
        RefusedError: There are more bytes than `most`.
    """
    length = response.headers.get("Content-Length", "")
    have = 0
    while block := read(response, min(_BLOCK, most - have + 1)):
        have += len(block)
        if have > most:
            raise RefusedError(0, f"it is larger than {most:,} bytes")
        file.write(block)
    if length.isdigit() and have != int(length):
        raise LineError(f"the line broke after {have:,} of {int(length):,} bytes")


def patiently(url: str, once: Callable[[], Result], *, tries: int = TRIES, pause: float = 0.5) -> Result:
    """Does something with a URL, and does it again where the line fails.

    Args:
        url: For the message.
        once: Raises `LineError` where the line fails; what else it raises comes out.
        tries: How often at most.
        pause: Seconds before the second try, twice as long before each further one, give or take a half:
            drawn, so that many readers that failed together do not come back together.

    Raises:
        DataError: The line failed each time.
    """
    reason = ""
    for attempt in range(tries):
        if attempt:
            time.sleep(min(pause * 2 ** (attempt - 1), _LONGEST_PAUSE) * random.uniform(0.5, 1.5))
        try:
            return once()
        except LineError as error:
            reason = str(error)
    raise DataError(f"{plain_url(url)}: {reason}, {tries} times in a row; try again later")


__all__ = ["SCHEMES", "TRIES", "LineError", "RefusedError", "ask", "patiently", "read", "read_into"]
