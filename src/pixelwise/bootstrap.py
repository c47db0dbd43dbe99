"""How far a figure would move if other pictures had been measured: 95% intervals over pictures.

Source: B. Efron, "Bootstrap Methods: Another Look at the Jackknife", 1979, in the Poisson form that needs one
pass (N. Chamandy et al., "Estimating Uncertainty for Massive Data Streams", 2012): in each of many replicas a
picture stands as often as a Poisson draw of mean 1 says, instead of drawing whole sets with replacement.
Pixels of one picture go together, because they are no independent evidence.

Knows confusion matrices, no data set and no network.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

REPLICAS = 2000
"""Sets that are drawn; the ends of an interval are then known to about a twentieth of its width."""

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """The middle 95% of a figure over the replicas, in the figure's own unit."""

    low: float
    high: float


class Bootstrap:
    """Takes one picture's confusion matrix after the other and holds as much memory for any number of them.

    Args:
        num_classes: K.
        seed: Of the draws; a picture's are a function of (seed, its number), so that the order and the number
            of workers change nothing.
    """

    def __init__(self, num_classes: int, *, seed: int = 0) -> None:
        self._seed = seed
        self._pictures = 0
        # Of each replica and class: true positives, true pixels, predicted pixels. float64 counts to 2^53.
        self._sums = np.zeros((3, REPLICAS, num_classes))

    def add(self, counts: npt.NDArray[np.int64], *, number: int) -> None:
        """Takes in a picture.

        Args:
            counts: `(K, K)`, row = truth, column = prediction.
            number: The picture's, unique within the set.
        """
        generator = np.random.Generator(np.random.Philox(np.random.SeedSequence((self._seed, number))))
        times = generator.poisson(1.0, REPLICAS).astype(np.float64)
        for sums, values in zip(self._sums, (np.diagonal(counts), counts.sum(1), counts.sum(0)), strict=True):
            sums += times[:, None] * values
        self._pictures += 1

    def iou(self) -> list[Interval | None]:
        """The interval of each class's IoU; None where it is absent, and for fewer than two pictures."""
        return [_interval(values) for values in self._ious().T]

    def miou(self) -> Interval | None:
        """The interval of the mean IoU over a replica's classes; None for fewer than two pictures."""
        ious = self._ious()
        present = ~np.isnan(ious)
        with np.errstate(invalid="ignore"):
            means = np.where(present, ious, 0).sum(1) / present.sum(1)
        return _interval(means)

    def _ious(self) -> npt.NDArray[np.float64]:
        """`(replicas, K)`; nan for a class with neither truth nor prediction in a replica."""
        if self._pictures < 2:
            return np.full(self._sums.shape[1:], np.nan)
        hit, true, predicted = self._sums
        with np.errstate(invalid="ignore"):
            return hit / (true + predicted - hit)


def _interval(values: npt.NDArray[np.float64]) -> Interval | None:
    known = values[~np.isnan(values)]
    if len(known) < len(values) / 2:
        return None
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(known, (tail, 100 - tail))
    return Interval(float(low), float(high))
