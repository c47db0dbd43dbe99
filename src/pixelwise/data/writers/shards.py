"""A data set written as shards: tar files of pictures and masks, and an index of where each of them is.

The tars are WebDataset's: `KEY.jpg` and `KEY.mask.png` beside each other, keys without a dot. Each split has
tars of its own; order, names and splits of the data set stand in the index, whatever they are. The same
samples give the same bytes. Knows this layout; the samples come from `convert`.
"""

from __future__ import annotations

import hashlib
import io
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from pixelwise.data.dataset import Dataset
from pixelwise.data.reader import Reader
from pixelwise.data.shards.index import INDEX_FILE, Row, end_line, head_line, shard_line
from pixelwise.data.shards.table import Member, Shard
from pixelwise.data.shards.tar import BLOCK, END, LARGEST, header_block, padding
from pixelwise.data.writers.samples import broken_note, good_samples, picture_bytes
from pixelwise.drawing import palette_image
from pixelwise.errors import DataError
from pixelwise.progress import Progress

DEFAULT_SHARD_MIB = 256
_LONGEST_KEY = 80
_NO_SPLIT = "data"
_UNIONS = ("trainval",)
"""Splits that others make up: a sample's tar is called after one of the others."""


def write_shards(
    dataset: Dataset,
    root: Path,
    *,
    limit: int,
    progress: Progress | None,
    on_tar: Callable[[Path], None] = lambda path: None,
) -> tuple[int, tuple[str, ...]]:
    """Writes the tars and the index into an empty folder.

    Args:
        dataset: What `open_dataset` gave.
        root: The folder.
        limit: Bytes; a tar ends with the sample before the one that would make it larger.
        progress: Told how far the work is.
        on_tar: Gets each tar when it is whole, and may take it away.

    Returns:
        The number of samples written, and notes.

    Raises:
        DataError: A sample is at fault.
        OSError: The disk is full.
    """
    reader = dataset.reader
    names, splits_of = list(reader.splits), _Splits(reader)
    taken: set[str] = set()
    open_tars: dict[str, _Tar] = {}
    numbers: dict[str, int] = {}
    broken: list[str] = []
    written = 0
    with (root / INDEX_FILE).open("wb") as index:
        index.write(head_line(reader.classes, names))
        for place, sample in good_samples(dataset, broken):
            ending, picture = picture_bytes(reader, place, sample)
            mask = _mask_bytes(sample.mask, reader)
            _check_size(sample.name, picture, mask)
            chosen = splits_of[place]
            prefix = _prefix(names, chosen)
            tar = open_tars.get(prefix)
            if tar is not None and not tar.has_room(len(picture), len(mask), limit):
                index.write(_finished(open_tars.pop(prefix), on_tar))
                tar = None
            if tar is None:
                numbers[prefix] = numbers.get(prefix, -1) + 1
                tar = open_tars[prefix] = _Tar(root / f"{prefix}-{numbers[prefix]:05d}.tar")
            key = _key(sample.name, taken)
            tar.add(place, sample.name, chosen, {f"{key}{ending}": picture, f"{key}.mask.png": mask})
            written += 1
            if progress is not None:
                progress("converting", place + 1, len(reader))
        for tar in open_tars.values():
            index.write(_finished(tar, on_tar))
        index.write(end_line(written, sum(number + 1 for number in numbers.values())))
    return written, broken_note(broken)


def _finished(tar: _Tar, on_tar: Callable[[Path], None]) -> bytes:
    line = tar.finish()
    on_tar(tar.path)
    return line


class _Tar:
    """A tar under way; the file is opened for each sample, so that no number of splits is too many."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._digest = hashlib.sha256()
        self._rows: list[Row] = []
        self._size = 0

    def has_room(self, picture: int, mask: int, limit: int) -> bool:
        """Whether a sample keeps it below the limit."""
        return self._size + picture + mask + 4 * BLOCK + len(END) <= limit

    def add(self, place: int, name: str, splits: tuple[int, ...], parts: Mapping[str, bytes]) -> None:
        """Appends the two members of a sample."""
        members: list[Member] = []
        with self.path.open("ab") as file:
            for member, content in parts.items():
                self._write(file, header_block(member, len(content)))
                members.append(Member(member, self._size, len(content), zlib.crc32(content)))
                self._write(file, content)
                self._write(file, padding(len(content)))
        self._rows.append(Row(place, name, splits, *members))

    def finish(self) -> bytes:
        """Ends the tar; its line of the index."""
        with self.path.open("ab") as file:
            self._write(file, END)
        return shard_line(Shard(self.path.name, self._size, self._digest.hexdigest()), self._rows)

    def _write(self, file: IO[bytes], content: bytes) -> None:
        file.write(content)
        self._digest.update(content)
        self._size += len(content)


class _Splits:
    """The numbers of the splits that a sample is in."""

    def __init__(self, reader: Reader) -> None:
        self._inside: list[npt.NDArray[np.bool_]] = []
        for indices in reader.splits.values():
            inside = np.zeros(len(reader), np.bool_)
            inside[list(indices)] = True
            self._inside.append(inside)

    def __getitem__(self, place: int) -> tuple[int, ...]:
        return tuple(number for number, inside in enumerate(self._inside) if inside[place])


def _prefix(names: Sequence[str], chosen: tuple[int, ...]) -> str:
    """What a sample's tar is called: its split, as far as a file can be called so."""
    found = sorted((names[number] for number in chosen), key=lambda name: name in _UNIONS)
    return re.sub(r"[^A-Za-z0-9_-]+", "_", found[0])[:_LONGEST_KEY] if found else _NO_SPLIT


def _key(name: str, taken: set[str]) -> str:
    """A member's name without ending: letters, digits, `_`, `-` and folders, so that every tool pairs it."""
    parts = [re.sub(r"[^A-Za-z0-9_-]+", "_", part) for part in name.split("/") if part]
    base = "/".join(parts)[:_LONGEST_KEY].strip("/") or "_"
    chosen, number = base, 1
    while chosen.lower() in taken:  # unpacked, some disks don't tell capitals apart
        number += 1
        chosen = f"{base}_{number}"
    taken.add(chosen.lower())
    return chosen


def _mask_bytes(mask: npt.NDArray[np.uint8], reader: Reader) -> bytes:
    target = io.BytesIO()
    palette_image(mask, reader.classes.colours).save(target, format="PNG")
    return target.getvalue()


def _check_size(name: str, picture: bytes, mask: bytes) -> None:
    if max(len(picture), len(mask)) > LARGEST:
        raise DataError(f"{name}: its file has more than {LARGEST:,} bytes; cut the picture into tiles first")


__all__ = ["DEFAULT_SHARD_MIB", "write_shards"]
