"""A labelled data set as a sequence of samples: what every reader offers, and the one that pairs files.

Knows how a picture and its mask become a sample. How a format lays out its folders and names its classes is
the business of that format's file, which builds a `PairedReader`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pixelwise.data.io import Header, read_header, read_mask_values, read_picture
from pixelwise.data.mapping import LabelTable
from pixelwise.errors import DataError
from pixelwise.types import Classes, Sample, size_text


@dataclass(frozen=True)
class Entry:
    """The two files of a sample.

    Attributes:
        name: Unique within the data set: the path under the picture folder, without its ending.
        image: The picture.
        mask: Its mask.
    """

    name: str
    image: Path
    mask: Path


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
        """What a mask's raw values mean."""
        ...

    @property
    def splits(self) -> Mapping[str, tuple[int, ...]]:
        """The data set's own, official splits by name; perhaps none."""
        ...

    @property
    def entries(self) -> Sequence[Entry]:
        """The samples' files, sorted by the picture's path."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the user: what was recognised and passed over, where the class names come from."""
        ...

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Sample: ...


@dataclass(frozen=True, eq=False)
class PairedReader:
    """The reader of every format in which each picture has one mask file.

    Raises:
        DataError: On indexing: a file is missing or damaged, the sizes differ, or a mask holds a value that
            the table lacks.
    """

    format: str
    root: Path
    classes: Classes
    table: LabelTable
    entries: Sequence[Entry]
    splits: Mapping[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> Sample:
        entry = self.entries[index]
        image = read_picture(entry.image)
        raw = read_mask_values(entry.mask)
        if image.shape[:2] != raw.shape[:2]:
            raise DataError(_sizes_differ(entry, read_header(entry.image), read_header(entry.mask)))
        return Sample(entry.name, image, self.table.apply(raw, entry.mask))

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))


def _sizes_differ(entry: Entry, picture: Header, mask: Header) -> str:
    text = (
        f"{entry.image} is {size_text(picture.size)} but its mask {entry.mask} is {size_text(mask.size)}; "
        "a mask must have its picture's size"
    )
    if mask.size == picture.size[::-1] and picture.sideways != mask.sideways:
        turned, other = ("picture", "mask") if picture.sideways else ("mask", "picture")
        return (
            f"{text}: the {turned}'s EXIF tag turns it by 90 degrees, but the {other} was saved without "
            f"that turn; turn the {other} upright, or remove the orientation tag from the {turned}"
        )
    return f"{text}: resize the mask without smoothing, or pair the right files"
