"""One file over HTTP: taken up where it broke off, and checked.

Knows a URL, a size and a checksum; nothing of data sets and of what is in the file. The way there is `web`'s.
"""

from __future__ import annotations

import http.client
import time
from dataclasses import dataclass
from pathlib import Path

from pixelwise.files import digest_of
from pixelwise.progress import Progress
from pixelwise.web import LineError, RefusedError, ask, read

RETRIES = 5
"""Tries in a row that bring less than a megabyte, before a server is given up."""

_WORTHWHILE = 1 << 20
_BLOCK = 1 << 18


@dataclass(frozen=True)
class Wanted:
    """What a file must be.

    Attributes:
        name: For messages.
        size: Bytes; None where only the server knows.
        sha256: Of its bytes, in lower-case hexadecimal; empty where nobody published it.
        md5: Likewise, for files that have no other. It tells a damaged file, not a forged one.
    """

    name: str
    size: int | None
    sha256: str
    md5: str = ""

    def is_right(self, path: Path) -> bool:
        """Whether a file has the checksums that are known."""
        return all(
            digest_of(path, method) == known
            for method, known in (("sha256", self.sha256), ("md5", self.md5))
            if known
        )


def fetch(url: str, part: Path, wanted: Wanted, *, progress: Progress | None, pause: float) -> str | None:
    """Asks for a file until `part` is whole and right; goes on after the bytes that are there.

    Args:
        url: Of the file.
        part: Where its bytes are gathered.
        wanted: What it must be.
        progress: Told of the bytes that have come.
        pause: Seconds before the second try, twice as long before each further one.

    Returns:
        None when `part` is whole and right, else why it is not.

    Raises:
        OSError: The disk is full or read-only.
    """
    resumed, tries, size = size_of(part) > 0, 0, wanted.size
    while True:
        before = size_of(part)
        try:
            size = size if size is not None else _size_there(url)
            if before < size:
                _append(url, part, wanted.name, size, progress)
            reason = f"it broke off after {size_of(part):,} of {size:,} bytes"
        except RefusedError as error:
            return str(error)
        except LineError as error:
            reason = str(error)
        if size is not None and size_of(part) >= size:
            if wanted.is_right(part):
                return None
            part.unlink()
            if not resumed:
                return "the file has the wrong checksum and was deleted"
            resumed = False  # what was there before may be to blame; once more, from the start
            continue
        # A line that drops every minute still gets there: only tries that bring next to nothing count.
        tries = tries + 1 if size_of(part) - before < _WORTHWHILE else 0
        if tries == RETRIES:
            return reason
        time.sleep(pause * 2 ** max(tries - 1, 0))


def _append(url: str, part: Path, name: str, size: int, progress: Progress | None) -> None:
    """Adds to the part what the server still has; errors of the disk come out as they are."""
    have = size_of(part)
    with _ask(url, have) as response, part.open("ab") as file:
        skip = 0 if response.status == 206 else have  # a server without ranges sends all of it again
        while have < size:
            block = read(response, min(_BLOCK, skip or size - have))
            if not block:
                return
            if skip:
                skip -= len(block)
                continue
            file.write(block)
            have += len(block)
            if progress is not None:
                progress(f"downloading {name}", have, size)


def _size_there(url: str) -> int:
    """How many bytes the server says the file has."""
    with _ask(url, 0) as response:  # some servers answer HEAD otherwise, or not at all
        length = response.headers.get("Content-Length", "")
    if not length.isdigit():
        why = "it does not say how long the file is, so a broken line could not be told"
        raise RefusedError(response.status, why)
    return int(length)


def _ask(url: str, have: int) -> http.client.HTTPResponse:
    """Opens the rest of a file from byte `have` on."""
    try:
        response = ask(url, {"Range": f"bytes={have}-"} if have else None)
    except RefusedError as error:
        if error.status == 416:
            why = f"its file ends before byte {have:,}, so it is another file"
            raise RefusedError(416, why) from error
        raise
    stated = response.headers.get("Content-Range", "")
    if response.status == 206 and not stated.startswith(f"bytes {have}-"):
        response.close()
        raise RefusedError(206, f"it was asked for bytes from {have} on and sent {stated!r}")
    return response


def size_of(path: Path) -> int:
    """Bytes of a file; 0 if there is none."""
    return path.stat().st_size if path.is_file() else 0
