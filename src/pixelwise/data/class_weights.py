"""Class weights from pixel counts, against imbalance. NumPy only; knows no network.

A class without a pixel gets weight 0: nothing of it can be learnt, and any other number would shift the
others. The weights are scaled to a mean of 1 over the pixels, so that the size of the loss stays what it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from pixelwise.errors import DataError

Balance = Literal["inverse", "median", "enet"]


def balanced_weights(
    rule: Balance,
    pixels: npt.NDArray[np.int64] | Sequence[int],
    pixels_where_present: npt.NDArray[np.int64] | Sequence[int],
) -> npt.NDArray[np.float64]:
    """The weight of each class.

    `inverse` is 1 / share. `median` is median frequency balancing (D. Eigen, R. Fergus, ICCV 2015): the
    frequency of a class is its pixels over the labelled pixels of the pictures that have it, and its weight
    the median frequency over its own. `enet` is 1 / ln(1.02 + share) (A. Paszke et al., ENet, 2016), which
    bounds the ratio between two classes to 35.

    Args:
        rule: One of the three.
        pixels: `(K,)` pixels of each class.
        pixels_where_present: `(K,)` labelled pixels of all pictures that have the class; for `median`.

    Returns:
        `(K,) float64`, their mean over the counted pixels being 1.

    Raises:
        DataError: No pixel is labelled.
    """
    counts = np.asarray(pixels, np.float64)
    present = counts > 0
    if not present.any():
        raise DataError("no training pixel is labelled, so classes cannot be balanced: check the masks")
    shares = counts[present] / counts.sum()
    weights = np.zeros(len(counts))
    if rule == "inverse":
        weights[present] = 1 / shares
    elif rule == "enet":
        weights[present] = 1 / np.log(1.02 + shares)
    else:
        frequencies = counts[present] / np.asarray(pixels_where_present, np.float64)[present]
        weights[present] = np.median(frequencies) / frequencies
    return weights * counts.sum() / (weights * counts).sum()
