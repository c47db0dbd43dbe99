"""Masks of vertical stripes, whose pixels can be counted in the head."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def ids(*values: int, size: tuple[int, int] = (6, 8)) -> npt.NDArray[np.uint8]:
    """A mask that holds the values in vertical stripes."""
    columns = np.array(values, np.uint8)[np.arange(size[1]) * len(values) // size[1]]
    return np.broadcast_to(columns, size).copy()
