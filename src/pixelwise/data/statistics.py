"""What a labelled data set is like: sizes, pixels and pictures of each class, the breadth of its objects.

Masks stream through at their own size and none is kept. Of a large data set an evenly spread part is looked
at, and the numbers say how many that are. Knows no network and decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pixelwise.data.ahead import in_order
from pixelwise.data.breadths import BINS, count_breadths, narrowest
from pixelwise.data.codec import UnreadableError
from pixelwise.data.dataset import Dataset
from pixelwise.data.reader import Reader
from pixelwise.data.verify import Checked, refuse
from pixelwise.errors import DataError
from pixelwise.progress import Progress
from pixelwise.types import IGNORE

MOST_MASKS = 500
"""Masks of a side that are looked at: a share of 1% of the pictures is then known to some half a per cent."""

_MOST_PIXELS = 400_000_000
"""Pixels of a side that are looked at: half a minute of labelling; but always a dozen masks."""

_FEWEST_MASKS = 12
_NEARLY_EMPTY = 0.01
_TINY = (16, 16)
"""To have a mask read is to have its picture read too; so small, a JPEG is hardly decoded."""


@dataclass(frozen=True, kw_only=True)
class SideStatistics:
    """One side of a split.

    Attributes:
        pictures: How many it has.
        looked_at: How many of them the other numbers are of.
        class_pixels: Pixels of each class.
        class_pictures: Pictures that have the class.
        only_class: Pictures that have no other class than this.
        ignored_pixels: Pixels that count for nothing.
        nearly_empty: Pictures less than 1% of which is labelled.
    """

    pictures: int
    looked_at: int
    class_pixels: tuple[int, ...]
    class_pictures: tuple[int, ...]
    only_class: tuple[int, ...]
    ignored_pixels: int
    nearly_empty: int

    @property
    def shares(self) -> tuple[float, ...]:
        """The share of each class in the labelled pixels, in 0..1."""
        total = sum(self.class_pixels)
        return tuple(count / total if total else 0.0 for count in self.class_pixels)


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """A data set that is to be trained on.

    Attributes:
        classes: Their names.
        train: The side that is trained on.
        val: The side that validates.
        size: Median height and width of the pictures, each for itself.
        smallest: Least height and least width.
        largest: Greatest height and greatest width.
        aspects: Width over height at the 10th, 50th and 90th percentile.
        breadths: How narrow each class's objects are: a tenth of its training pixels lie in objects
            narrower than this share of their picture's size, sqrt(height * width). None for a class without
            pixels. The breadth of an object is 4 area / boundary (`components.Components.breadths`).
    """

    classes: tuple[str, ...]
    train: SideStatistics
    val: SideStatistics
    size: tuple[int, int]
    smallest: tuple[int, int]
    largest: tuple[int, int]
    aspects: tuple[float, float, float]
    breadths: tuple[float | None, ...]


@dataclass(frozen=True)
class _Look:
    """What one mask has; `size` is (height, width) and `narrow` counts pixels by class and breadth."""

    size: tuple[int, int]
    counts: npt.NDArray[np.int64]
    narrow: npt.NDArray[np.int64]


@dataclass
class _Side:
    """Adds up the looks at one side."""

    classes: int
    pictures: int
    pixels: npt.NDArray[np.int64] = field(init=False)
    present: npt.NDArray[np.int64] = field(init=False)
    alone: npt.NDArray[np.int64] = field(init=False)
    sizes: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    empty: int = 0

    def __post_init__(self) -> None:
        self.pixels = np.zeros(256, np.int64)
        self.present = np.zeros(self.classes, np.int64)
        self.alone = np.zeros(self.classes, np.int64)

    def add(self, look: _Look) -> None:
        self.sizes.append(look.size)
        self.pixels += look.counts
        present = look.counts[: self.classes] > 0
        self.present += present
        if present.sum() == 1:
            self.alone += present
        self.empty += int(look.counts[:IGNORE].sum()) < _NEARLY_EMPTY * look.size[0] * look.size[1]

    def result(self) -> SideStatistics:
        return SideStatistics(
            pictures=self.pictures,
            looked_at=len(self.sizes),
            class_pixels=tuple(self.pixels[: self.classes].tolist()),
            class_pictures=tuple(self.present.tolist()),
            only_class=tuple(self.alone.tolist()),
            ignored_pixels=int(self.pixels[IGNORE]),
            nearly_empty=self.empty,
        )


def measure(
    dataset: Dataset, *, most: int = MOST_MASKS, workers: int = 2, progress: Progress | None = None
) -> Statistics:
    """Looks at up to `most` masks of each side of the split.

    Raises:
        DataError: A sample that was looked at cannot be used (unreadable ones are left out under
            `skip_broken`), or a side has no picture.
    """
    reader, split = dataset.reader, dataset.split
    names = reader.classes.names
    narrow = np.zeros((len(names), BINS), np.int64)
    sides: list[_Side] = []
    for indices, name in ((split.train, "training"), (split.val, "validation")):
        side = _Side(len(names), len(indices))
        for look in _looks(dataset, spread(indices, most), f"looking at {name} masks", workers, progress):
            side.add(look)
            if name == "training":
                narrow += look.narrow
        if not side.sizes:
            raise DataError(f"{reader.root}: no {name} picture is left; choose another split")
        sides.append(side)
    sizes = np.array([size for side in sides for size in side.sizes])
    middle = np.median(sizes, axis=0).astype(int).tolist()
    aspects = np.percentile(sizes[:, 1] / sizes[:, 0], (10, 50, 90)).tolist()
    return Statistics(
        classes=names,
        train=sides[0].result(),
        val=sides[1].result(),
        size=(middle[0], middle[1]),
        smallest=(int(sizes[:, 0].min()), int(sizes[:, 1].min())),
        largest=(int(sizes[:, 0].max()), int(sizes[:, 1].max())),
        aspects=(aspects[0], aspects[1], aspects[2]),
        breadths=tuple(narrowest(narrow[number]) for number in range(len(names))),
    )


def spread(items: Sequence[int], most: int) -> list[int]:
    """At most `most` of the items, evenly spread, in an order whose every beginning is spread as well.

    Places are taken by their number with its bits reversed: the first, the middle, the quarters, …
    """
    wanted = min(len(items), most)
    bits = max(1, (wanted - 1).bit_length())
    order = (int(format(place, f"0{bits}b")[::-1], 2) for place in range(1 << bits))
    return [items[(2 * place + 1) * len(items) // (2 * wanted)] for place in order if place < wanted]


def _looks(
    dataset: Dataset, indices: Sequence[int], text: str, workers: int, progress: Progress | None
) -> Iterator[_Look]:
    """The looks at the samples; ends early where the masks are so large that it would take too long."""
    reader, pixels, done = dataset.reader, 0, 0
    faults: list[Checked] = []

    def look(index: int) -> _Look | Checked:
        try:
            return _look(reader, index)
        except DataError as error:
            return Checked(index, error, _NOTHING, _NOTHING, np.zeros(256, np.int64))

    for found in in_order(look, indices, workers=workers):
        done += 1
        if progress is not None:
            progress(text, done, len(indices))
        if isinstance(found, Checked):
            if not (dataset.config.skip_broken and isinstance(found.error, UnreadableError)):
                faults.append(found)
            continue
        yield found
        pixels += found.size[0] * found.size[1]
        if pixels >= _MOST_PIXELS and done >= _FEWEST_MASKS:
            break
    refuse(faults, reader, done)


def _look(reader: Reader, index: int) -> _Look:
    mask = reader.for_network(index, _TINY)[1]
    height, width = mask.shape
    counts = np.bincount(mask.ravel(), minlength=256).astype(np.int64)
    return _Look((height, width), counts, count_breadths(mask, len(reader.classes)))


_NOTHING = np.zeros((0, 0), np.uint8)
