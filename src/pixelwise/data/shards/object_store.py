"""Files in an object store, and parts of them, through fsspec: `s3://` with s3fs, `gs://` with gcsfs.

Knows URLs and bytes; nothing of shards. Names, keys and endpoints are the settings of those packages, which
also ask again where the line fails.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pixelwise.address import plain_url
from pixelwise.data.shards.source import MissingError
from pixelwise.errors import DataError
from pixelwise.files import replacing
from pixelwise.object_stores import file_system, reason

STORES = ("s3", "gs")
"""Schemes of stores that a set can be written to."""


class ObjectStore:
    """Reads and writes through a file system of fsspec; several threads may.

    Args:
        scheme: `s3` or `gs`; another that fsspec knows, for tests.

    Raises:
        BackendError: The package that speaks with such a store is not installed.
    """

    def __init__(self, scheme: str) -> None:
        self._files = file_system(scheme)
        self._checked: set[str] = set()

    def read(self, url: str, offset: int, count: int, *, size: int) -> bytes:
        """The `count` bytes of a file from `offset` on; the file has `size` bytes as far as is known.

        Raises:
            DataError: The file is not there, may not be read, or is not what it was.
        """
        self._check(url, size)
        try:
            content: bytes = self._files.cat_file(url, start=offset, end=offset + count)
        except Exception as error:  # each store's package raises errors of its own
            raise _failed(url, error) from error
        if len(content) != count:
            raise DataError(f"{plain_url(url)}: {count:,} bytes were asked for, and {len(content):,} came")
        return content

    def copy(self, url: str, target: Path) -> None:
        """Copies a whole file.

        Raises:
            DataError: As `read`; or the disk is full.
        """
        with replacing(target) as part:
            try:
                self._files.get_file(url, str(part))
            except Exception as error:
                raise _failed(url, error) from error

    def is_empty(self, url: str) -> bool:
        """Whether nothing lies at a URL or below it.

        Raises:
            DataError: It may not be listed.
        """
        try:
            return not self._files.find(url, maxdepth=1)
        except FileNotFoundError:
            return True
        except Exception as error:
            raise _failed(url, error) from error

    def put(self, local: Path, url: str) -> None:
        """Writes a file whole; a large one goes in parts, which the store joins when the last is there.

        Raises:
            DataError: It cannot be written.
        """
        try:
            self._files.put_file(str(local), url)
        except Exception as error:
            raise DataError(
                f"{plain_url(url)} cannot be written ({reason(error)}); check the bucket and the account "
                "that the store's package uses"
            ) from error

    def remove(self, url: str) -> None:
        """Removes a file; nothing where there is none.

        Raises:
            DataError: It cannot be removed.
        """
        try:
            self._files.rm_file(url)
        except FileNotFoundError:
            pass
        except Exception as error:
            raise _failed(url, error) from error

    def _check(self, url: str, size: int) -> None:
        """Looks once whether the file has its size; later changes are seen by the samples' checksums."""
        if url in self._checked:
            return
        try:
            said: dict[str, Any] = self._files.info(url)
        except Exception as error:
            raise _failed(url, error) from error
        if said.get("size") != size:
            raise DataError(
                f"{plain_url(url)}: the index says {size:,} bytes, but the file has {said.get('size')}; "
                "write or copy the set again"
            )
        self._checked.add(url)


def _failed(url: str, error: Exception) -> DataError:
    if isinstance(error, FileNotFoundError):
        return MissingError(f"{plain_url(url)}: there is no such file; check the URL")
    if isinstance(error, PermissionError):
        return DataError(
            f"{plain_url(url)}: access is forbidden; check the account that the store's package uses"
        )
    return DataError(f"{plain_url(url)}: cannot be read ({reason(error)}); try again later")


__all__ = ["STORES", "ObjectStore"]
