"""Samples at the network's size, by position: what the batch loader draws from.

Knows arrays and indices; whether a sample is read from the cache or decoded each time is its source's
business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pixelwise.data.reader import Pair, Reader


class Source(Protocol):
    """Where prepared samples come from."""

    def pair(self, index: int) -> Pair:
        """Picture `(H, W, 3) uint8` and mask `(H, W) uint8` of the reader's sample `index`."""
        ...


@dataclass(frozen=True, eq=False)
class CachedSource:
    """Samples in memory-mapped arrays; `places` turns a reader's index into a row, -1 where there is none."""

    image_rows: npt.NDArray[np.uint8]
    mask_rows: npt.NDArray[np.uint8]
    places: npt.NDArray[np.int64]

    def pair(self, index: int) -> Pair:
        """Two views of the map; nothing is decoded or copied."""
        place = self.places[index]
        return self.image_rows[place], self.mask_rows[place]


@dataclass(frozen=True, eq=False)
class DecodingSource:
    """Samples decoded and resized at each access."""

    reader: Reader
    size: tuple[int, int]

    def pair(self, index: int) -> Pair:
        """Raises `DataError` if the files changed for the worse since they were checked."""
        return self.reader.at(index, self.size)


@dataclass(frozen=True, eq=False)
class Prepared:
    """One side of a split at the network's size, by position 0..n-1.

    Attributes:
        indices: `(n,) int64`, each position's index in the data set's reader.
        size: `(height, width)` of every sample.
        cached: Whether samples come from the cache; else each access decodes.
        class_counts: `(K,) int64` pixels of each class over this side, at this size; ignored ones left out.
        source: Where the samples come from.
    """

    indices: npt.NDArray[np.int64]
    size: tuple[int, int]
    cached: bool
    class_counts: npt.NDArray[np.int64]
    source: Source

    def __len__(self) -> int:
        return len(self.indices)

    def pair(self, position: int) -> Pair:
        """Picture `(H, W, 3) uint8` and mask `(H, W) uint8`; read-only where they come from the cache."""
        return self.source.pair(int(self.indices[position]))

    def pixels_where_present(self) -> npt.NDArray[np.int64]:
        """`(K,)`: for each class, the labelled pixels of all pictures that have it; reads every mask."""
        totals = np.zeros_like(self.class_counts)
        for position in range(len(self)):
            pixels = np.bincount(self.masks(position).ravel(), minlength=256)[: len(totals)]
            totals[pixels > 0] += pixels.sum()
        return totals

    def images(self, position: int) -> npt.NDArray[np.uint8]:
        """The picture of `pair`."""
        return self.pair(position)[0]

    def masks(self, position: int) -> npt.NDArray[np.uint8]:
        """The mask of `pair`."""
        return self.pair(position)[1]


@dataclass(frozen=True, eq=False)
class PreparedDataset:
    """Both sides of a split.

    Attributes:
        train: To train on.
        val: To validate on.
        data_hash: SHA-256 over names and bytes of all files of both sides, for provenance.
        notes: Sentences to say aloud: where the cache is or why there is none, what was skipped.
        skipped: One sentence for each sample that was left out.
    """

    train: Prepared
    val: Prepared
    data_hash: str
    notes: tuple[str, ...]
    skipped: tuple[str, ...]
