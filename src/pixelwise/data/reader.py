"""A labelled data set as a sequence of samples: what every reader offers, and how one is put together.

Knows how a picture and its labels become a sample. How a format lays out its folders, names its classes and
writes its labels is the business of that format's file, which builds a `LabelledPictures`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pixelwise.data.entries import Entries, Entry, Unpaired
from pixelwise.data.io import RawMask, read_mask_values, read_picture, read_picture_at
from pixelwise.data.mapping import LabelTable
from pixelwise.data.sizes import SizesDifferError, fit_mask, sizes_differ
from pixelwise.types import Classes, Sample

Picture = npt.NDArray[np.uint8]
Pair = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]


class Reader(Protocol):
    """A data set on disk; `reader[i]` decodes sample `i` at full size."""

    @property
    def format(self) -> str:
        """The name of the format, as in `READERS`."""
        ...

    @property
    def root(self) -> Path:
        """The folder that was opened."""
        ...

    @property
    def classes(self) -> Classes:
        """Names and colours of the train ids."""
        ...

    @property
    def table(self) -> LabelTable:
        """What a raw value means."""
        ...

    @property
    def splits(self) -> Mapping[str, tuple[int, ...]]:
        """The data set's own, official splits by name; perhaps none."""
        ...

    @property
    def entries(self) -> Entries:
        """The samples' files, in the order of the data set."""
        ...

    @property
    def shared(self) -> tuple[Path, ...]:
        """Files that labels depend on besides those of the entries."""
        ...

    @property
    def known(self) -> Mapping[Path, str]:
        """SHA-256 of files, as a data set states it that checks whatever it reads of them."""
        ...

    @property
    def unpaired(self) -> Unpaired:
        """Pictures without labels and labels without a picture, which were left out."""
        ...

    @property
    def fit_masks(self) -> bool:
        """Whether masks are brought to their picture's size where a turn or a scale does it."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the user: what was recognised and passed over, where the class names come from."""
        ...

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Sample: ...

    def for_network(self, index: int, size: tuple[int, int]) -> Pair:
        """Picture `(h, w, 3) uint8` at `size` = (height, width), and mask `(H, W) uint8` at its own size.

        What training, evaluation and prediction give the network: JPEGs are decoded small where they are much
        larger than `size`, see `io.read_picture_at`.
        """
        ...

    def at(self, index: int, size: tuple[int, int]) -> Pair:
        """As `for_network`, with the mask `(h, w) uint8` at `size` too."""
        ...

    def stored(self, index: int) -> Stored | None:
        """The picture's file as it is; None where it is packed into its labels."""
        ...


@dataclass(frozen=True, eq=False)
class Stored:
    """A picture as it is stored.

    Attributes:
        path: What it is called: its file, or its place in an archive.
        content: Its bytes, where they don't stand in a file of their own.
    """

    path: Path
    content: bytes | None = None


class Pictures(Protocol):
    """How the picture of an entry is read."""

    def full(self, entry: Entry) -> Picture:
        """`(H, W, 3) uint8` RGB at its own size."""
        ...

    def at(self, entry: Entry, size: tuple[int, int]) -> tuple[Picture, tuple[int, int]]:
        """The picture at `size`, and the size that it has of its own."""
        ...

    def stored(self, entry: Entry) -> Stored | None:
        """As `Reader.stored`."""
        ...


class Labels(Protocol):
    """How the labels of an entry become raw values.

    Attributes:
        drawn: Whether they are shapes that are drawn at the picture's size; a mask brings a size of its own.
    """

    drawn: bool

    def raw(self, index: int, entry: Entry, size: tuple[int, int]) -> RawMask:
        """Raw values `(H, W)`, or colours `(H, W, 3)`, for a picture of `size` = (height, width).

        Raises:
            DataError: They cannot be read, or don't belong to a picture of that size; `SizesDifferError`
                where they are a mask that may be fitted: asked for at its own size, it is given.
        """
        ...


class PictureFiles:
    """Each picture is a file of its own."""

    def full(self, entry: Entry) -> Picture:
        """Decodes the file."""
        return read_picture(entry.image)

    def at(self, entry: Entry, size: tuple[int, int]) -> tuple[Picture, tuple[int, int]]:
        """Decodes the file no larger than it needs to be."""
        return read_picture_at(entry.image, size)

    def stored(self, entry: Entry) -> Stored | None:
        """The file."""
        return Stored(entry.image)


class MaskFiles:
    """Each picture has a mask file, whose values or colours are the raw ones."""

    drawn = False

    def raw(self, index: int, entry: Entry, size: tuple[int, int]) -> RawMask:
        """Decodes the mask, which must have the picture's size."""
        raw = read_mask_values(entry.labels)
        if raw.shape[:2] != tuple(size):
            raise sizes_differ(entry.image, entry.labels)
        return raw


@dataclass(frozen=True, eq=False)
class LabelledPictures:
    """The reader that every format builds.

    Attributes:
        format: See `Reader`, here and below.
        fit_masks: Turn or resize masks that differ from their picture by that alone.

    Raises:
        DataError: On indexing: a file is missing or damaged, the sizes differ, or there is a value that the
            table lacks.
    """

    format: str
    root: Path
    classes: Classes
    table: LabelTable
    entries: Entries
    splits: Mapping[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])
    notes: tuple[str, ...] = ()
    labels: Labels = field(default_factory=MaskFiles)
    pictures: Pictures = field(default_factory=PictureFiles)
    shared: tuple[Path, ...] = ()
    fit_masks: bool = False
    known: Mapping[Path, str] = field(default_factory=dict[Path, str])

    @property
    def unpaired(self) -> Unpaired:
        """What was left out while the files were paired; see `Reader.unpaired`."""
        return self.entries.unpaired

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> Sample:
        entry = self.entries[index]
        image = self.pictures.full(entry)
        return Sample(entry.name, image, self._ids(index, entry, (image.shape[0], image.shape[1])))

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))

    def for_network(self, index: int, size: tuple[int, int]) -> Pair:
        """Picture at `size`, mask at its own; see `Reader.for_network`."""
        entry = self.entries[index]
        image, own = self.pictures.at(entry, size)
        return image, self._ids(index, entry, own)

    def at(self, index: int, size: tuple[int, int]) -> Pair:
        """Picture and mask at `size`; see `Reader.at`."""
        entry = self.entries[index]
        image, own = self.pictures.at(entry, size)
        return image, self.table.apply_at(self._raw(index, entry, own), size, entry.said)

    def stored(self, index: int) -> Stored | None:
        """The picture's file as it is; see `Reader.stored`."""
        return self.pictures.stored(self.entries[index])

    def _ids(self, index: int, entry: Entry, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
        return self.table.apply(self._raw(index, entry, size), entry.said)

    def _raw(self, index: int, entry: Entry, size: tuple[int, int]) -> RawMask:
        """The labels for a picture of `size`; where they may be fitted, a misfit is decoded a second time."""
        try:
            return self.labels.raw(index, entry, size)
        except SizesDifferError as error:
            if not self.fit_masks or error.kind == "other":
                raise
            return fit_mask(self.labels.raw(index, entry, error.mask.size), error)


__all__ = [
    "Entries",
    "Entry",
    "LabelledPictures",
    "Labels",
    "MaskFiles",
    "Pair",
    "Picture",
    "PictureFiles",
    "Pictures",
    "Reader",
    "Stored",
]
