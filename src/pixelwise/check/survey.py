"""All facts of a data set added up, or kept in a few bytes for each sample: what the rules look at.

Some seventy bytes a sample are in memory, and a kilobyte on disk: what it looks like. Knows the split, and no
rule.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from dataclasses import astuple, dataclass, fields, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from pixelwise.check.facts import Facts, Fault, Value
from pixelwise.check.finding import MOST_EXAMPLES
from pixelwise.check.fit import Fit
from pixelwise.check.frames import Film, find_films
from pixelwise.check.likeness import SIDE, Likeness
from pixelwise.check.rows import DiskRows
from pixelwise.data.breadths import BINS
from pixelwise.data.dataset import Dataset
from pixelwise.types import IGNORE

TRAIN, VAL, NEITHER = 0, 1, 2
SIDES = ("train", "val", "neither")

SEVERAL, NOTHING = -1, -2
"""In place of a sample's only class: it has more than one, or no labelled pixel."""

_MOST_VALUES = 4096
"""Different unknown values that are counted over the set."""


@dataclass(frozen=True)
class Faulty:
    """A sample that cannot be used."""

    index: int
    fault: Fault


class Survey:
    """What a pass found.

    Attributes:
        dataset: What was looked at.
        folder: For what does not stay in memory.
        sides: `(n,) int8` which side of the split each sample is on: `TRAIN`, `VAL` or `NEITHER`.
        sound: `(n,) bool` whether it can be used; what follows is 0 where not.
        sizes: `(n, 2) int32` height and width.
        brightness: `(n,) float32` in 0..255.
        contrast: `(n,) float32`.
        labelled: `(n,) float32` the share of the pixels that have a class, in 0..1.
        only: `(n,) int16` the only class of the mask, or `SEVERAL`, or `NOTHING`.
        masks: `(n,) uint64` digests of the masks.
        pictured: `(n,) bool` whether it is known what the picture looks like.
        digests: `(n, 2) uint64` the same for pictures that are the same to the bit.
        thumbnails: `(n, 32, 32) uint8`, on disk.
        fitted: `(n,) bool` whether it is known how the mask lies on its picture.
        fits: `(n, 11)` the numbers of `Fit`, in their order, on disk.
        present: `(n, K / 8) uint8` a bit for each class, whether the mask has it.
        pixels: `(3, 256) int64` pixels of each train id, by side.
        pictures: `(3, K) int64` pictures that have the class, by side.
        beside: `(K,) int64` labelled pixels of the training pictures that have the class.
        breadths: `(K, BINS) int64` training pixels by class and breadth, see `data.breadths`.
        borders: `(n,) uint32` and
        between: `(n,) uint32`, see `look.count_between`.
        faults: The first samples that cannot be used, of each kind; without the values.
        faulty: All of them, by kind.
        seen: Values of the masks that have unknown ones, with pixels.

    Args:
        dataset: What is looked at.
        folder: For what does not stay in memory.

    Raises:
        DataError: The folder cannot be written.
    """

    def __init__(self, dataset: Dataset, folder: Path) -> None:
        count, classes = len(dataset.reader), len(dataset.reader.classes)
        self.dataset, self.folder = dataset, folder
        self.sides = np.full(count, NEITHER, np.int8)
        self.sides[list(dataset.split.train)] = TRAIN
        self.sides[list(dataset.split.val)] = VAL
        self.sound = np.zeros(count, np.bool_)
        self.sizes = np.zeros((count, 2), np.int32)
        self.brightness = np.zeros(count, np.float32)
        self.contrast = np.zeros(count, np.float32)
        self.labelled = np.zeros(count, np.float32)
        self.only = np.full(count, SEVERAL, np.int16)
        self.masks = np.zeros(count, np.uint64)
        self.pictured = np.zeros(count, np.bool_)
        self.digests = np.zeros((count, 2), np.uint64)
        self.thumbnails = DiskRows((SIDE, SIDE), np.uint8, folder, count=count)
        self.fitted = np.zeros(count, np.bool_)
        self.fits = DiskRows((len(fields(Fit)),), np.float64, folder, count=count)
        self.present = np.zeros((count, -(-classes // 8)), np.uint8)
        self.pixels = np.zeros((3, 256), np.int64)
        self.pictures = np.zeros((3, classes), np.int64)
        self.beside = np.zeros(classes, np.int64)
        self.breadths = np.zeros((classes, BINS), np.int64)
        self.borders = np.zeros(count, np.uint32)
        self.between = np.zeros(count, np.uint32)
        self.faults: list[Faulty] = []
        self.faulty: dict[str, array[int]] = defaultdict(lambda: array("q"))
        self.seen: Counter[Value] = Counter()

    def __len__(self) -> int:
        return len(self.sides)

    def add(self, index: int, facts: Facts) -> None:
        """Adds the facts of a sample."""
        if facts.fault is not None:
            self._add_fault(index, facts.fault)
            return
        side = int(self.sides[index])
        height, width = facts.size
        self.sound[index] = True
        self.sizes[index] = facts.size
        self.brightness[index], self.contrast[index] = facts.brightness, facts.contrast
        self.masks[index] = int(facts.labels, 16)
        if facts.likeness is not None:
            self._add_likeness(index, facts.likeness)
        if facts.fit is not None:
            self.fitted[index], self.fits[index] = True, np.array(astuple(facts.fit))
        self.borders[index], self.between[index] = facts.borders, facts.between
        there = {label: count for label, count in facts.pixels.items() if label != IGNORE}
        labelled = sum(there.values())
        self.labelled[index] = labelled / (height * width)
        self.only[index] = NOTHING if not there else next(iter(there)) if len(there) == 1 else SEVERAL
        for label, count in facts.pixels.items():
            self.pixels[side, label] += count
        for label in there:
            self.present[index, label // 8] |= np.uint8(1 << label % 8)
            self.pictures[side, label] += 1
            if side == TRAIN:
                self.beside[label] += labelled
        if side == TRAIN:
            for (label, bin_), count in facts.breadths.items():
                self.breadths[label, bin_] += count

    def _add_likeness(self, index: int, likeness: Likeness) -> None:
        self.pictured[index] = True
        self.digests[index] = int(likeness.digest[:16], 16), int(likeness.digest[16:], 16)
        self.thumbnails[index] = np.frombuffer(likeness.thumbnail, np.uint8)

    def _add_fault(self, index: int, fault: Fault) -> None:
        self.faulty[fault.kind].append(index)
        if len(self.faulty[fault.kind]) <= MOST_EXAMPLES:
            self.faults.append(Faulty(index, replace(fault, seen={})))
        for value, count in fault.seen.items():
            if value in self.seen or len(self.seen) < _MOST_VALUES:
                self.seen[value] += count

    @cached_property
    def films(self) -> list[Film]:
        """Those among the pictures; to be asked for when all facts are in."""
        return find_films(self.dataset.reader.entries.names, self.thumbnails, self.pictured)

    @property
    def middle_size(self) -> tuple[int, int]:
        """Median height and width of the sound pictures; (0, 0) where there is none."""
        if not self.sound.any():
            return 0, 0
        height, width = np.median(self.sizes[self.sound], axis=0).astype(int).tolist()
        return height, width
