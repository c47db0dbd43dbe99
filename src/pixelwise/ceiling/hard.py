"""The methods that give each cell one class: nearest and majority.

That is what a network can reach that is trained on label maps resized so, and whose answer is enlarged by
nearest neighbour. Knows no file and no score.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pixelwise.ceiling.areas import Axes, Part
from pixelwise.ceiling.errors import Errors
from pixelwise.types import IGNORE

Labels = npt.NDArray[np.uint8]


def majority(axes: Axes, parts: Sequence[Part], rows: tuple[int, int]) -> Labels:
    """The class that covers most of each cell, the lowest id of several.

    Args:
        axes: Of the mask.
        parts: Of the cells' rows `rows`, and perhaps more.
        rows: First and end of the cells' rows.

    Returns:
        `(rows, cells) uint8`; 0 where a cell is ignored as a whole.
    """
    shape = rows[1] - rows[0], axes[1].cells
    labels, best = np.zeros(shape, np.uint8), np.zeros(shape, np.int64)
    for part in parts:
        first, end = max(part.top, rows[0]), min(part.top + part.areas.shape[0], rows[1])
        if first >= end:
            continue
        window = slice(first - rows[0], end - rows[0]), slice(part.left, part.left + part.areas.shape[1])
        areas = part.areas[first - part.top : end - part.top]
        better = areas > best[window]
        labels[window][better] = part.label
        best[window][better] = areas[better]
    return labels


def nearest(mask: Labels, axes: Axes, rows: tuple[int, int], otherwise: Labels) -> Labels:
    """The class of the pixel at each cell's centre, as label maps are resized for training.

    Args:
        mask: `(H, W) uint8`.
        axes: Of the mask.
        rows: First and end of the cells' rows.
        otherwise: `(rows, cells) uint8`: what a cell answers whose centre is ignored. It is not trained to
            answer anything, so the best that it can is its most frequent class.

    Returns:
        `(rows, cells) uint8`.
    """
    labels = np.take(np.take(mask, axes[0].centres()[slice(*rows)], axis=0), axes[1].centres(), axis=1)
    return np.where(labels == IGNORE, otherwise, labels)


def add_hard(errors: Errors, mask: Labels, axes: Axes, labels: Labels, rows: tuple[int, int]) -> None:
    """Counts the errors of the pixels whose centres lie in some rows of cells, enlarged by nearest neighbour.

    Args:
        errors: Counted into.
        mask: `(H, W) uint8`.
        axes: Of the mask.
        labels: `(rows, cells) uint8`.
        rows: First and end of the cells' rows.
    """
    holders = axes[0].holders()
    first, end = (int(place) for place in np.searchsorted(holders, rows))
    enlarged = np.take(np.take(labels, axes[1].holders(), axis=1), holders[first:end] - rows[0], axis=0)
    errors.add(mask[first:end], enlarged)
