"""Which samples a data set has, packed: names and files of a hundred thousand of them in a few megabytes.

Knows names and paths only. A list of `Path` objects would take ten times as much; the names stand here one
behind the other, and an `Entry` is made when it is asked for.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

_ERRORS = "surrogateescape"  # a file name need not be valid UTF-8


@dataclass(frozen=True)
class Entry:
    """The two files of a sample.

    Attributes:
        name: Unique within the data set: the path under the picture folder, without its ending.
        image: The file that holds the picture.
        labels: The file that says what its pixels are: a mask, or the shapes drawn on it.
        member: The mask's name within that file, where the file is an archive of many.
    """

    name: str
    image: Path
    labels: Path
    member: str = ""

    @property
    def said(self) -> Path:
        """What the labels are called in messages."""
        return self.labels / self.member if self.member else self.labels


class Texts(Sequence[str]):
    """A sequence of short texts in one block of bytes."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._bytes = bytearray()
        self._ends = array("q")
        for text in texts:
            self.append(text)

    def append(self, text: str) -> None:
        """Adds one at the end."""
        self._bytes += text.encode("utf-8", _ERRORS)
        self._ends.append(len(self._bytes))

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        place = range(len(self))[index]  # turns -1 into the last, and raises IndexError beyond the ends
        start = self._ends[place - 1] if place else 0
        return self._bytes[start : self._ends[place]].decode("utf-8", _ERRORS)


class Paths(Sequence[Path]):
    """A sequence of paths in one block of bytes.

    Args:
        root: The folder that those which are not absolute are relative to.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._texts = Texts()

    def append(self, path: Path | str) -> None:
        """Adds one at the end: relative to the root, or absolute."""
        self._texts.append(str(path))

    def __len__(self) -> int:
        return len(self._texts)

    @overload
    def __getitem__(self, index: int) -> Path: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Path]: ...
    def __getitem__(self, index: int | slice) -> Path | Sequence[Path]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self._root / self._texts[index]


@dataclass(frozen=True, eq=False)
class Unpaired:
    """Halves of samples that were left out, since the other half is not there.

    Where it belongs to a format that not every picture has labels (most of PASCAL VOC's have none), such
    pictures are not among them; labels without a picture always are.

    Attributes:
        pictures: Picture files without labels.
        labels: Label files without a picture. Where one file holds the labels of many pictures (COCO's json,
            a table), it is the picture that is missing, as it is called there.
    """

    pictures: Paths
    labels: Paths

    def __len__(self) -> int:
        return len(self.pictures) + len(self.labels)


class Entries(Sequence[Entry]):
    """The samples of a data set in their order; filled once by `add`, then only read.

    Args:
        root: The folder that the files' paths are relative to.

    Attributes:
        names: Those of the samples.
        unpaired: What makes no sample; filled by whoever pairs the files.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.names = Texts()
        self.unpaired = Unpaired(Paths(root), Paths(root))
        self._images = Paths(root)
        self._labels = Paths(root)
        self._members = Texts()

    def add(self, name: str, image: Path | str, labels: Path | str, *, member: str = "") -> None:
        """Appends a sample; a path is relative to the root, or absolute. All have a `member`, or none."""
        self.names.append(name)
        self._images.append(image)
        self._labels.append(labels)
        if member:
            self._members.append(member)

    def places(self) -> dict[str, int]:
        """Name -> index."""
        return {name: index for index, name in enumerate(self.names)}

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Entry]: ...
    def __getitem__(self, index: int | slice) -> Entry | Sequence[Entry]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        member = self._members[index] if self._members else ""
        return Entry(self.names[index], self._images[index], self._labels[index], member)

    def __iter__(self) -> Iterator[Entry]:
        return (self[index] for index in range(len(self)))
