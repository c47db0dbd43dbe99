"""Which samples of a batch, or of a set, are one rank's: no sample twice, none left out.

A function of counts alone, so that the order of an epoch and what a batch holds do not depend on how many
ranks there are. Knows no process group.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Share:
    """One rank's part.

    Attributes:
        rank: From 0.
        ranks: How many there are.
        unit: Batches are cut at multiples of it only: 2 keeps pairs of neighbours together.
    """

    rank: int = 0
    ranks: int = 1
    unit: int = 1

    def span(self, count: int) -> range:
        """Places of this rank in a batch of `count`, one after the other; empty where there are too few."""
        return self._span(count, self.rank)

    def largest(self, count: int) -> int:
        """Samples of the largest part of a batch of `count`."""
        return max(len(self._span(count, rank)) for rank in range(self.ranks))

    def strided(self, count: int) -> range:
        """Positions of this rank in a set of `count`, every `ranks`-th one."""
        return range(self.rank, count, self.ranks)

    def _span(self, count: int, rank: int) -> range:
        units = -(-count // self.unit)
        first, stop = (self.unit * (number * units // self.ranks) for number in (rank, rank + 1))
        return range(min(first, count), min(stop, count))


ALL = Share()
"""The whole of everything."""
