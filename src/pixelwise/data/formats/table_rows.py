"""Tables with a picture and a mask in each row, read row by row.

Knows csv, columns and paths; opens no picture. The columns are known by their names, in any order and
case, and others are passed over. What parts them (comma, semicolon or tab) is what makes sense of the header.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from pixelwise.data.inside import SPLITS, within
from pixelwise.data.io import PICTURE_ENDINGS
from pixelwise.errors import DataError

_PICTURES = ("image", "picture", "photo", "file", "filename", "image_path", "img")
_MASKS = ("mask", "label", "labels", "mask_path", "annotation", "segmentation")
_SPLIT = ("split", "set", "fold", "subset")
_DELIMITERS = (",", ";", "\t")
_MAX_LINE = 1 << 20
_MAX_BLANK = 100


@dataclass(frozen=True)
class Columns:
    """Where a table has what.

    Attributes:
        line: That of the header, from 1.
        delimiter: What parts the columns.
        picture: The column of the pictures' paths, from 0.
        mask: That of the masks.
        split: That of the splits, if there is one.
        names: What these are called.
    """

    line: int
    delimiter: str
    picture: int
    mask: int
    split: int | None
    names: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """A row: paths relative to the data set's folder, the split (perhaps empty), and its line."""

    picture: str
    mask: str
    split: str
    line: int


def read_table(path: Path, root: Path) -> tuple[Columns, list[Row]]:
    """The columns and all rows; empty lines don't count.

    Raises:
        DataError: It is no such table, or a row lacks a path, has one that leaves the data set's folder, or
            names a picture again.
    """
    folder = os.path.relpath(path.parent, root).replace(os.sep, "/")
    lines: dict[str, int] = {}
    rows: list[Row] = []
    with _open(path) as file:
        columns = _header(file, path)
        for cells, line in _rows(file, columns, path):
            row = _row(cells, line, columns, f"{path}, line {line}", (folder, root))
            first = lines.setdefault(row.picture.rpartition(".")[0], line)
            if first != line:
                raise DataError(
                    f"{path}, line {line}: the picture {row.picture} stands in line {first} already (perhaps "
                    "with another ending); remove one of them"
                )
            rows.append(row)
    if not rows:
        raise DataError(f"{path}: there is no row below the header; add one for each picture")
    return columns, rows


def _row(cells: Sequence[str], line: int, columns: Columns, where: str, place: tuple[str, Path]) -> Row:
    if len(cells) <= max(columns.picture, columns.mask):
        raise DataError(
            f"{where}: a picture and a mask were expected, but there are {len(cells)} cells; add it"
        )
    paths: list[str] = []
    for kind, cell in (("picture", cells[columns.picture]), ("mask", cells[columns.mask])):
        inner = within(place[0], cell, root=place[1])
        if inner is None and not cell.strip():
            raise DataError(f"{where}: the {kind} is empty; name its file, or remove the row")
        if inner is None:
            raise DataError(
                f"{where}: the {kind} {cell[:80]!r} does not lie in {place[1]}; write it relative to the "
                "table"
            )
        paths.append(inner)
    has_split = columns.split is not None and columns.split < len(cells)
    split = cells[columns.split].strip() if columns.split is not None and has_split else ""
    return Row(paths[0], paths[1], split.lower() if split.lower() in SPLITS else split, line)


def _rows(file: TextIO, columns: Columns, path: Path) -> Iterator[tuple[list[str], int]]:
    """The cells of each row and the line in which it ends."""
    reader = csv.reader(_lines(file, path), delimiter=columns.delimiter, skipinitialspace=True)
    while True:
        try:
            cells = next(reader, None)
        except (csv.Error, UnicodeDecodeError) as error:
            raise DataError(
                f"{path}, line {columns.line + reader.line_num}: the row cannot be read ({error}); save the "
                "table as UTF-8 csv"
            ) from error
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield cells, columns.line + reader.line_num


def _header(file: TextIO, path: Path) -> Columns:
    """Reads the first line that is not empty; what parts the columns is what makes sense of it."""
    try:
        number, line = 1, file.readline(_MAX_LINE)
        while line and not line.strip() and number < _MAX_BLANK:
            number, line = number + 1, file.readline(_MAX_LINE)
        for delimiter in _DELIMITERS:
            cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), list[str]())
            names = [name.strip() for name in cells]
            lower = [name.lower() for name in names]
            picture, mask, split = (_column(lower, known) for known in (_PICTURES, _MASKS, _SPLIT))
            if picture is not None and mask is not None:
                used = tuple(names[place] for place in (picture, mask, split) if place is not None)
                return Columns(number, delimiter, picture, mask, split, used)
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path}: the header cannot be read ({error}); save it as UTF-8 csv") from error
    raise DataError(
        f"{path}: the first line must name a picture and a mask column, such as image,mask, but it is "
        f"{line.strip()[:80]!r}; add a header"
    )


def _column(names: Sequence[str], known: Sequence[str]) -> int | None:
    """The column with the name that stands first among the known ones."""
    return next((names.index(name) for name in known if name in names), None)


def _lines(file: TextIO, path: Path) -> Iterator[str]:
    while line := file.readline(_MAX_LINE):
        if len(line) == _MAX_LINE:
            raise DataError(
                f"{path}: a line is longer than {_MAX_LINE:,} characters; save it with a row a line"
            )
        yield line


def _open(path: Path) -> TextIO:
    try:
        return path.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error


def has_columns(path: Path) -> bool:
    """Whether the header names a picture and a mask column."""
    try:
        with _open(path) as file:
            _header(file, path)
    except DataError:
        return False
    return True


def pairs_files(path: Path) -> bool:
    """Whether its first row names a mask file: a table of pictures and class names has a `label`, too."""
    try:
        with _open(path) as file:
            columns = _header(file, path)
            first = next(_rows(file, columns, path), None)
    except DataError:
        return False
    if first is None or len(first[0]) <= columns.mask:
        return False
    return Path(first[0][columns.mask].strip()).suffix.lower() in PICTURE_ENDINGS
