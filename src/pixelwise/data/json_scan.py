"""Large json files read piece by piece: the elements of their lists, and where each stands in the file.

Knows json at its top level, an object of lists; not what the lists mean. The file is read in windows, so a
file of a gigabyte takes no more memory than its largest element. Text is read as Latin-1, in which a
character is a byte: so places are exact, and elements are right except for letters beyond ASCII;
`read_piece` gives them in UTF-8.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from pixelwise.data.json_file import parse_object
from pixelwise.errors import DataError

WINDOW = 4 << 20
_LARGEST = 64 << 20
"""Bytes of one element; COCO's largest have one hundredth of that."""
_BLANK = " \t\r\n"


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
    def __init__(self, file: IO[bytes], path: Path, window: int) -> None:
        self._file, self._path, self._window = file, path, window
        self._decoder = json.JSONDecoder(parse_constant=self._no_number)
        self._text, self._base, self._at, self._ended = "", 0, 0, False

    def pieces(self) -> Iterator[Piece]:
        self._more()
        if self._text.startswith("\xef\xbb\xbf"):  # a byte order mark, as Latin-1 sees it
            self._at = 3
        self._expect("{", "a json object was expected")
        if self._next() == "}":
            self._at += 1
        else:
            while True:
                yield from self._member()
                if not self._comma("}"):
                    break
        if self._next():
            raise self._fault("something follows the end of the json")

    def _member(self) -> Iterator[Piece]:
        if self._next() != '"':
            raise self._fault("a name in quotes was expected")
        key = self._value()[0]
        self._expect(":", "a colon was expected")
        if self._next() != "[":
            value, start, length = self._value()
            yield Piece(key, value, start, length)
            return
        self._at += 1
        if self._next() == "]":
            self._at += 1
            return
        while True:
            value, start, length = self._value()
            yield Piece(key, value, start, length)
            if not self._comma("]"):
                return

    def _value(self) -> tuple[Any, int, int]:
        """The value that begins here, its place and its length; reads on until it is whole."""
        self._next()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
                if end < len(self._text) or self._ended:  # else a number may go on in the next window
                    break
            except RecursionError as error:
                raise self._fault("it is nested too deeply") from error
            except ValueError as error:
                if self._ended:
                    raise self._fault(str(error)[:80]) from error
            if len(self._text) - self._at > _LARGEST:
                raise self._fault(f"an element has more than {_LARGEST:,} bytes, or the json is damaged")
            self._more()
        start, length = self._base + self._at, end - self._at
        self._at = end
        return value, start, length

    def _next(self) -> str:
        """The next character that is not blank, empty at the end of the file."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _BLANK:
                self._at += 1
            if self._at < len(self._text) or self._ended:
                return self._text[self._at : self._at + 1]
            self._more()

    def _expect(self, character: str, fault: str) -> None:
        if self._next() != character:
            raise self._fault(fault)
        self._at += 1

    def _comma(self, closing: str) -> bool:
        """Whether another element follows; else the closing bracket has been read."""
        character = self._next()
        if character not in (",", closing) or not character:
            raise self._fault(f"a comma or {closing} was expected")
        self._at += 1
        return character == ","

    def _more(self) -> None:
        """Drops what has been read, and reads as much again as is left, at least a window."""
        left = self._text[self._at :]
        content = self._file.read(max(self._window, len(left)))  # doubling, so that long elements stay cheap
        self._ended = not content
        self._base += self._at
        self._text, self._at = left + content.decode("latin-1"), 0

    def _no_number(self, name: str) -> float:
        raise ValueError(f"{name} is no number of json")

    def _fault(self, text: str) -> DataError:
        return DataError(
            f"{self._path}: this is no whole json: {text}, at byte {self._base + self._at:,}; copy or export "
            "it again"
        )
