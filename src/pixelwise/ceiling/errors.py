"""Wrong pixels, counted by class. Knows no grid and no method."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pixelwise.types import IGNORE


class Errors:
    """What is wrong in predictions.

    Attributes:
        missed: `(256,) int64`: labelled pixels that are predicted as another class, by their true class.
        added: `(256,) int64`: the same pixels by the class that is predicted.
    """

    def __init__(self) -> None:
        self.missed = np.zeros(256, np.int64)
        self.added = np.zeros(256, np.int64)

    def add(self, truth: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]) -> None:
        """Counts the pixels whose truth is not 255 and whose label differs from it.

        Args:
            truth: Ids of any shape; 255 = ignore.
            labels: Ids of the same shape.
        """
        wrong = truth != labels
        wrong &= truth != IGNORE
        places = np.flatnonzero(wrong)
        self.missed += np.bincount(truth.ravel()[places], minlength=256)
        self.added += np.bincount(labels.ravel()[places], minlength=256)
