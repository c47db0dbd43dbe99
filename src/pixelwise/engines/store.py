"""Where pictures and results lie: a local folder, or an object store that fsspec knows.

A file is written whole or not at all: locally by a rename, in an object store because a put is. Knows nothing
of pictures.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pixelwise.address import plain_url, scheme_of
from pixelwise.errors import ConfigError, DataError
from pixelwise.files import replacing, write_whole
from pixelwise.object_stores import PACKAGES, file_system, reason
from pixelwise.web import SCHEMES, RefusedError, ask, patiently, read_into

LARGEST = 4 << 30
"""Bytes of a picture that is brought here: a server may send without end."""

WEB_TRIES = 3
"""Of a web server that fails, before its picture is left out: a list of millions names many that are gone."""


@dataclass(frozen=True)
class Entry:
    """What a folder holds.

    Attributes:
        name: Without the folder.
        is_folder: Else it is a file.
        stamp: What changes when the file does; empty where the store has no such thing.
    """

    name: str
    is_folder: bool
    stamp: str = ""


class Store(Protocol):
    """A folder and what is below it; paths are relative to it, with `/`."""

    place: str

    def entries(self, folder: str) -> Iterator[Entry]:
        """What a folder holds, in any order; `DataError` where there is none."""
        ...

    def address(self, path: str) -> str:
        """The file's path or URL, as it stands in a list or a manifest."""
        ...

    def size(self, path: str) -> int | None:
        """Bytes of a file; None where there is none."""
        ...

    def read(self, path: str) -> bytes:
        """A small file; `DataError` where it cannot be read."""
        ...

    def write(self, path: str, content: bytes) -> None:
        """Writes a small file whole; `DataError` where it cannot be."""
        ...

    def put(self, local: Path, path: str) -> None:
        """Writes a file whole, of any size; `DataError` where it cannot be."""
        ...

    def remove(self, path: str) -> None:
        """Removes a file; nothing where there is none."""
        ...


class LocalStore:
    """A folder on a disk that every worker sees.

    Args:
        place: The folder; it need not be there.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        self.folder = Path(place)

    def entries(self, folder: str) -> Iterator[Entry]:
        """As `Store` says; a link to a folder is not followed, as `predict` follows none."""
        try:
            with os.scandir(self.folder / folder) as found:
                for entry in found:
                    is_folder = entry.is_dir(follow_symlinks=False)
                    if is_folder or entry.is_file():
                        yield Entry(entry.name, is_folder)
        except OSError as error:
            raise DataError(f"{self.folder / folder} cannot be listed: {error.strerror}") from error

    def address(self, path: str) -> str:
        """As `Store` says."""
        return str(self.folder / path)

    def size(self, path: str) -> int | None:
        """As `Store` says."""
        try:
            return (self.folder / path).stat().st_size
        except OSError:
            return None

    def read(self, path: str) -> bytes:
        """As `Store` says."""
        try:
            return (self.folder / path).read_bytes()
        except OSError as error:
            raise DataError(f"{self.folder / path} cannot be read: {error.strerror}") from error

    def write(self, path: str, content: bytes) -> None:
        """As `Store` says."""
        write_whole(self.folder / path, content)

    def put(self, local: Path, path: str) -> None:
        """As `Store` says."""
        with replacing(self.folder / path, durable=False) as temporary:
            temporary.write_bytes(local.read_bytes())

    def remove(self, path: str) -> None:
        """As `Store` says."""
        (self.folder / path).unlink(missing_ok=True)


class ObjectStore:
    """A bucket, or a folder in one.

    Args:
        place: Its URL.

    Raises:
        BackendError: The package for this store is missing.
    """

    def __init__(self, place: str) -> None:
        self.place = place.rstrip("/")
        self._files = _file_system(place)
        self._root = str(self._files._strip_protocol(self.place)).rstrip("/")

    def entries(self, folder: str) -> Iterator[Entry]:
        """As `Store` says; the folder's names are held, for fsspec hands them over together."""
        inside = f"{self._root}/{folder}".rstrip("/")
        try:
            found = self._files.ls(inside, detail=True)
        except Exception as error:  # each store has its own kinds
            raise DataError(f"{self.address(folder)} cannot be listed: {reason(error)}") from error
        for info in found:
            name = str(info["name"]).rstrip("/")
            if name != inside:  # some stores list the folder in itself
                yield Entry(name.rsplit("/", 1)[-1], info["type"] == "directory", _stamp(info))

    def address(self, path: str) -> str:
        """As `Store` says."""
        return f"{self.place}/{path}" if path else self.place

    def size(self, path: str) -> int | None:
        """As `Store` says."""
        try:
            return int(self._files.info(f"{self._root}/{path}")["size"])
        except FileNotFoundError:
            return None
        except Exception as error:
            raise DataError(f"{self.address(path)} cannot be asked for: {reason(error)}") from error

    def read(self, path: str) -> bytes:
        """As `Store` says."""
        try:
            return bytes(self._files.cat_file(f"{self._root}/{path}"))
        except Exception as error:
            raise DataError(f"{self.address(path)} cannot be read: {reason(error)}") from error

    def write(self, path: str, content: bytes) -> None:
        """As `Store` says."""
        try:
            self._files.pipe_file(f"{self._root}/{path}", content)
        except Exception as error:
            raise self._unwritable(path, error) from error

    def put(self, local: Path, path: str) -> None:
        """As `Store` says; a large file goes in parts, which the store joins when the last is there."""
        try:
            self._files.put_file(str(local), f"{self._root}/{path}")
        except Exception as error:
            raise self._unwritable(path, error) from error

    def remove(self, path: str) -> None:
        """As `Store` says."""
        try:
            self._files.rm_file(f"{self._root}/{path}")
        except FileNotFoundError:
            pass
        except Exception as error:
            raise DataError(f"{self.address(path)} cannot be removed: {reason(error)}") from error

    def _unwritable(self, path: str, error: Exception) -> DataError:
        return DataError(
            f"{self.address(path)} cannot be written: {reason(error)}; what is done is kept, so mend it and "
            "go on with --resume"
        )


def open_store(place: str) -> Store:
    """The store at a path or URL.

    Raises:
        BackendError: The package for this store is missing.
        ConfigError: Files cannot be listed or written whole there.
    """
    scheme = scheme_of(place)
    if scheme == "file":
        return LocalStore(place.removeprefix("file://"))
    if not scheme:
        return LocalStore(place)
    if scheme in PACKAGES:
        return ObjectStore(place)
    if scheme in SCHEMES:
        raise ConfigError(
            f"{place}: a web server neither lists its files nor takes new ones: name its pictures in a list, "
            "one URL a line (pixelwise predict MODEL LIST.txt), and give --out a folder or an object store"
        )
    known = ", ".join(f"{name}://" for name, package in PACKAGES.items() if package)
    raise ConfigError(f"{place}: pictures and results can lie in a local folder or at {known}")


def bring(address: str, local: Path) -> None:
    """Copies a file from anywhere to a local one.

    Raises:
        BackendError: The package for its store is missing.
        DataError: It cannot be read, or is larger than `LARGEST`.
    """
    if scheme_of(address) in SCHEMES:
        _from_web(address, local)
        return
    files = _file_system(address)
    try:  # one request: to open a file asks for its size first
        files.get_file(address, str(local), callback=_bound(address))
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{address} cannot be read: {reason(error)}") from error


def _bound(address: str) -> Any:
    """Hears from fsspec how large a file is, and ends it where that is too much."""
    from fsspec.callbacks import Callback

    class Bound(Callback):
        def set_size(self, size: int | None) -> None:
            if size is not None and size > LARGEST:
                raise DataError(f"{address} is larger than {LARGEST:,} bytes and left out")

    return Bound()


def _from_web(url: str, local: Path) -> None:
    def once() -> None:
        with ask(url) as response, local.open("wb") as target:
            read_into(target, response, most=LARGEST)

    try:
        patiently(url, once, tries=WEB_TRIES)
    except RefusedError as error:
        raise DataError(f"{plain_url(url)}: {error}") from None
    except OSError as error:
        raise DataError(f"{local} cannot be written: {error.strerror or error}") from error


def _file_system(address: str) -> Any:
    scheme = scheme_of(address) or "file"
    if scheme not in (*PACKAGES, "file"):
        raise DataError(f"{address}: pictures cannot lie at {scheme}://")
    return file_system(scheme)


def _stamp(info: Any) -> str:
    """The store's own mark of a file's content, with its size."""
    for key in ("ETag", "etag", "md5Hash", "md5"):
        if info.get(key):
            return f"{info[key]} {info.get('size')}"
    return ""
