"""All facts of a data set added up, or kept in a few bytes for each sample: what the rules look at.

A hundred thousand samples take 140 megabytes. Knows the split, and no rule.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pixelwise.check.facts import Facts, Fault, Value
from pixelwise.check.fit import Fit
from pixelwise.check.frames import Film, find_films
from pixelwise.check.likeness import Likeness
from pixelwise.data.breadths import BINS
from pixelwise.data.dataset import Dataset
from pixelwise.types import IGNORE

TRAIN, VAL, NEITHER = 0, 1, 2
SIDES = ("train", "val", "neither")

SEVERAL, NOTHING = -1, -2
"""In place of a sample's only class: it has more than one, or no labelled pixel."""

_MOST_VALUES = 4096
"""Different unknown values that are counted over the set."""

_KEPT_FAULTS = 1000
"""Faulty samples of a kind whose errors are kept word for word."""


@dataclass(frozen=True)
class Faulty:
    """A sample that cannot be used."""

    index: int
    fault: Fault


class Survey:
    """What a pass found.

    Attributes:
        dataset: What was looked at.
        sides: `(n,) int8` which side of the split each sample is on: `TRAIN`, `VAL` or `NEITHER`.
        sound: `(n,) bool` whether it can be used; what follows is 0 where not.
        sizes: `(n, 2) int32` height and width.
        brightness: `(n,) float32` in 0..255.
        contrast: `(n,) float32`.
        labelled: `(n,) float32` the share of the pixels that have a class, in 0..1.
        only: `(n,) int16` the only class of the mask, or `SEVERAL`, or `NOTHING`.
        masks: `(n,) uint64` digests of the masks.
        likenesses: What each picture looks like; None where it cannot be used.
        fits: How each mask lies on its picture; None where nothing can be said.
        present: `(n, K) bool` whether the mask has the class.
        pixels: `(3, 256) int64` pixels of each train id, by side.
        pictures: `(3, K) int64` pictures that have the class, by side.
        beside: `(K,) int64` labelled pixels of the training pictures that have the class.
        breadths: `(K, BINS) int64` training pixels by class and breadth, see `data.breadths`.
        borders: `(n,) int64` and
        between: `(n,) int64`, see `look.count_between`.
        faults: The first samples that cannot be used, of each kind.
        faulty: All of them, by kind.
        seen: Values of the masks that have unknown ones, with pixels.
    """

    def __init__(self, dataset: Dataset) -> None:
        count, classes = len(dataset.reader), len(dataset.reader.classes)
        self.dataset = dataset
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
        self.likenesses: list[Likeness | None] = [None] * count
        self.fits: list[Fit | None] = [None] * count
        self.present = np.zeros((count, classes), np.bool_)
        self.pixels = np.zeros((3, 256), np.int64)
        self.pictures = np.zeros((3, classes), np.int64)
        self.beside = np.zeros(classes, np.int64)
        self.breadths = np.zeros((classes, BINS), np.int64)
        self.borders = np.zeros(count, np.int64)
        self.between = np.zeros(count, np.int64)
        self.faults: list[Faulty] = []
        self.faulty: dict[str, list[int]] = defaultdict(list)
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
        self.likenesses[index], self.fits[index] = facts.likeness, facts.fit
        self.borders[index], self.between[index] = facts.borders, facts.between
        there = {label: count for label, count in facts.pixels.items() if label != IGNORE}
        labelled = sum(there.values())
        self.labelled[index] = labelled / (height * width)
        self.only[index] = NOTHING if not there else next(iter(there)) if len(there) == 1 else SEVERAL
        for label, count in facts.pixels.items():
            self.pixels[side, label] += count
        for label in there:
            self.present[index, label] = True
            self.pictures[side, label] += 1
            if side == TRAIN:
                self.beside[label] += labelled
        if side == TRAIN:
            for (label, bin_), count in facts.breadths.items():
                self.breadths[label, bin_] += count

    def _add_fault(self, index: int, fault: Fault) -> None:
        self.faulty[fault.kind].append(index)
        if len(self.faulty[fault.kind]) <= _KEPT_FAULTS:
            self.faults.append(Faulty(index, fault))
        for value, count in fault.seen.items():
            if value in self.seen or len(self.seen) < _MOST_VALUES:
                self.seen[value] += count

    @cached_property
    def films(self) -> list[Film]:
        """Those among the pictures; to be asked for when all facts are in."""
        return find_films(self.dataset.reader.entries.names, self.likenesses)

    @property
    def middle_size(self) -> tuple[int, int]:
        """Median height and width of the sound pictures; (0, 0) where there is none."""
        if not self.sound.any():
            return 0, 0
        height, width = np.median(self.sizes[self.sound], axis=0).astype(int).tolist()
        return height, width
