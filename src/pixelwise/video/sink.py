"""A file that stays as it was when the disk filled up. Knows nothing of what is written."""

from __future__ import annotations

import contextlib
import errno
import io
import os
from pathlib import Path


class Sink:
    """What FFmpeg writes to.

    At the first failure the file is cut back to the last mark, and from then on it only pretends: FFmpeg
    would else go on, and patch the file's head for a tail that never arrived, which makes it unreadable.

    Args:
        path: The file; written over.

    Attributes:
        error: The first failure.

    Raises:
        OSError: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.error: OSError | None = None
        self._file: io.FileIO = path.open("wb", buffering=0)
        self._place = 0
        self._size = 0
        self._mark = 0

    def write(self, data: bytes) -> int:
        """Writes all of it, or from the first failure on nothing."""
        if self.error is None:
            try:
                left = memoryview(data)
                while left:
                    left = left[self._file.write(left) :]
            except OSError as error:
                self._fail(error)
        self._place += len(data)
        self._size = max(self._size, self._place)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Goes to a place, as `io.IOBase.seek` does."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        self._place = base + offset
        if self.error is None:
            try:
                self._file.seek(self._place)
            except OSError as error:
                self._fail(error)
        return self._place

    def tell(self) -> int:
        """The place of the next byte."""
        return self._place

    def mark(self) -> None:
        """What is written so far can be read on its own."""
        self._mark = self._size

    def _fail(self, error: OSError) -> None:
        self.error = error
        with contextlib.suppress(OSError):  # devices cannot be cut
            self._file.truncate(self._mark)

    def finish(self) -> None:
        """Brings everything to the disk and closes the file."""
        try:
            if self.error is None:
                os.fsync(self._file.fileno())
        except OSError as error:
            # Pipes and devices have nothing to bring.
            self.error = None if error.errno in (errno.EINVAL, errno.ENOTSUP) else error
        finally:
            self._file.close()
