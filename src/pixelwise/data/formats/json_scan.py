"""Large json files read piece by piece: the elements of their lists, and where each stands in the file.

Knows json at its top level, an object of lists; not what the lists mean. The file is read in windows, so a
file of a gigabyte takes no more memory than its largest element.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple

import orjson

from pixelwise.data.json_file import parse_object
from pixelwise.errors import DataError

WINDOW = 4 << 20
_LARGEST = 64 << 20
"""Bytes of one element; COCO's largest have one hundredth of that."""
_FIRST = 1 << 12
_TRIES = 8
_AFTER = frozenset(" \t\r\n,:]}")
_SOLID = re.compile(rb"[^ \t\r\n]")
_END = re.compile(rb"\}\s*[,\]]")


class Piece(NamedTuple):
    """An element of a list at the top level, or the value of a member that is no list.

    Attributes:
        key: The member that the list belongs to.
        value: The element.
        start: Its first byte in the file.
        length: Its bytes.
    """

    key: str
    value: Any
    start: int
    length: int


def scan(path: Path, *, window: int = WINDOW) -> Iterator[Piece]:
    """Every element of every list at the top level, in the order of the file.

    Raises:
        DataError: The file cannot be read, is no whole json object, or holds an element beyond all measure.
    """
    try:
        with path.open("rb") as file:
            yield from _Scanner(file, path, window).pieces()
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror or error}); restore or remove it"
        ) from error


def read_piece(file: IO[bytes], path: Path, start: int, length: int, where: str) -> dict[str, Any]:
    """An element that is an object, by its place; `where` begins the messages."""
    file.seek(start)
    content = file.read(length)
    if len(content) != length:
        raise DataError(f"{path}: the file was cut while it was in use; restore it and start again")
    return parse_object(content, where)


class _Scanner:
    """A window on the file and a place in it.

    An element that is an object ends at a closing brace behind which a comma or a bracket follows. The bytes
    up to the first of these are given to a fast parser, then up to the next: what it accepts is one whole
    element, since a part of one is no json. After a few refusals (long nested lists, odd numbers) the slow
    way is gone.
    """

    def __init__(self, file: IO[bytes], path: Path, window: int) -> None:
        self._file, self._path, self._window = file, path, window
        self._decoder = json.JSONDecoder(parse_constant=self._no_number)
        self._bytes, self._base, self._at, self._ended = b"", 0, 0, False

    def pieces(self) -> Iterator[Piece]:
        while len(self._bytes) < len(codecs.BOM_UTF8) and not self._ended:
            self._more()
        if self._bytes.startswith(codecs.BOM_UTF8):
            self._at = 3
        self._expect(b"{", "a json object was expected")
        if self._next() == b"}":
            self._at += 1
        else:
            while True:
                yield from self._member()
                if not self._comma(b"}"):
                    break
        if self._next():
            raise self._fault("something follows the end of the json")

    def _member(self) -> Iterator[Piece]:
        if self._next() != b'"':
            raise self._fault("a name in quotes was expected")
        key = self._value()[0]
        self._expect(b":", "a colon was expected")
        if self._next() != b"[":
            yield Piece(key, *self._value())
            return
        self._at += 1
        if self._next() == b"]":
            self._at += 1
            return
        while True:
            yield Piece(key, *self._element())
            if not self._comma(b"]"):
                return

    def _element(self) -> tuple[Any, int, int]:
        """An element of a list: its value, its place and its length."""
        if self._next() == b"{":
            for found in islice(_END.finditer(self._bytes, self._at), _TRIES):
                end = found.start() + 1
                try:
                    value = orjson.loads(self._bytes[self._at : end])
                except orjson.JSONDecodeError:
                    continue
                start, length, self._at = self._base + self._at, end - self._at, end
                return value, start, length
        return self._value()

    def _value(self) -> tuple[Any, int, int]:
        """Any value that begins here; reads on until it is whole."""
        self._next()
        tried = _FIRST
        while True:
            # A byte is a character in Latin-1, so lengths agree.
            text = self._bytes[self._at : self._at + tried].decode("latin-1")
            last = self._ended and self._at + tried >= len(self._bytes)
            try:
                value, length = self._decoder.raw_decode(text)
                if text[length : length + 1] in _AFTER or last:  # else a number may go on behind it
                    break
            except RecursionError as error:
                raise self._fault("it is nested too deeply") from error
            except ValueError as error:
                if last:
                    raise self._fault(str(error)[:80]) from error
            if len(text) > _LARGEST:
                raise self._fault(f"an element has more than {_LARGEST:,} bytes, or the json is damaged")
            tried *= 4
            if self._at + tried > len(self._bytes) and not self._ended:
                self._more()
        content = self._bytes[self._at : self._at + length]
        if not content.isascii():
            value = _in_utf8(content, self._fault)
        start = self._base + self._at
        self._at += length
        return value, start, length

    def _next(self) -> bytes:
        """The next byte that is not blank, empty at the end of the file."""
        while True:
            found = _SOLID.search(self._bytes, self._at)
            if found is not None:
                self._at = found.start()
                return found.group()
            self._at = len(self._bytes)
            if self._ended:
                return b""
            self._more()

    def _expect(self, byte: bytes, fault: str) -> None:
        if self._next() != byte:
            raise self._fault(fault)
        self._at += 1

    def _comma(self, closing: bytes) -> bool:
        """Whether another element follows; else the closing bracket has been read."""
        byte = self._next()
        if byte not in (b",", closing):
            raise self._fault(f"a comma or {closing.decode()} was expected")
        self._at += 1
        return byte == b","

    def _more(self) -> None:
        """Drops what has been read, and reads as much again as is left, at least a window."""
        left = self._bytes[self._at :]
        content = self._file.read(max(self._window, len(left)))  # doubling, so that long elements stay cheap
        self._ended = not content
        self._base += self._at
        self._bytes, self._at = left + content, 0

    def _no_number(self, name: str) -> float:
        raise ValueError(f"{name} is no number of json")

    def _fault(self, text: str) -> DataError:
        place = f"at byte {self._base + self._at:,}"
        return DataError(f"{self._path}: this is no whole json: {text}, {place}; copy or export it again")


def _in_utf8(content: bytes, fault: Callable[[str], DataError]) -> Any:
    try:
        return json.loads(content.decode("utf-8"))
    except ValueError as error:
        raise fault(str(error)[:80]) from error
