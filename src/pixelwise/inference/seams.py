"""What cutting a picture into tiles costs: where the labels differ from those of the untiled picture.

Near its border a tile sees less of the picture than the network would use. That is measured: windows of the
picture go through the network in one piece, with a margin around them as wide as half a tile, and are
compared with what the tiles said. Knows a predictor, and where the labels are; no file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pixelwise.config.predict import TILE_STEP, PredictConfig
from pixelwise.data.raster import RowSource
from pixelwise.drawing import IGNORE
from pixelwise.inference.enlarge import decide
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.sizing import NATIVE_PIXELS

UInt8Array = npt.NDArray[np.uint8]

WINDOWS = 8
"""Compared, where the picture is too large to go through the network in one piece.

Each is as large as a tile, so that none lies between two seams; with the margin around it the network sees
four times a tile at once, which bounds the memory that measuring takes.
"""


class Window(NamedTuple):
    """A part of a picture, its last row and column excluded."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Its rows and columns."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


Labels = Callable[[Window], UInt8Array]
"""The labels of a window; 255 where the picture has no data."""


@dataclass(frozen=True)
class SeamError:
    """How far tiles disagree with the untiled picture.

    Attributes:
        differing: Pixels that got another class.
        compared: Pixels that were compared.
        whole: Whether those are all of the picture's.
    """

    differing: int
    compared: int
    whole: bool

    @property
    def share(self) -> float:
        """Of the compared pixels, in 0..1."""
        return self.differing / self.compared if self.compared else 0.0

    def __str__(self) -> str:
        if not self.compared:
            return "seam error not measured: nothing was left to compare"
        where = "the whole picture" if self.whole else f"{self.compared / 1e6:.1f} megapixels of it"
        what = "pixels whose class differs from the untiled answer"
        return f"seam error {100 * self.share:.3f}%: {what}, over {where}"


def seam_windows(
    size: tuple[int, int], config: PredictConfig, *, from_row: int = 0, seed: int = 0
) -> list[Window]:
    """Where to compare: the whole of a picture that fits into one piece, else a few places drawn at random.

    Args:
        size: `(height, width)` of the picture.
        config: How it was cut.
        from_row: The first row that is of interest.
        seed: Of the places.
    """
    height, width = size
    if height * width <= NATIVE_PIXELS:
        return [Window(from_row, 0, height, width)] if from_row < height else []
    side = config.tile
    random = np.random.default_rng(seed)
    first = -(-from_row // TILE_STEP) * TILE_STEP
    if first >= height:
        return []
    corners = [
        (first + _place(random, height - first, side), _place(random, width, side)) for _ in range(WINDOWS)
    ]
    return [Window(t, le, min(t + side, height), min(le + side, width)) for t, le in corners]


def _place(random: np.random.Generator, length: int, side: int) -> int:
    """The first pixel of a window, on the grid of tiles."""
    return int(random.integers(max(length - side, 0) // TILE_STEP + 1)) * TILE_STEP


def measure_seams(
    predictor: Predictor, source: RowSource, windows: Sequence[Window], labels: Labels
) -> SeamError:
    """Compares the tiles' labels with those of a network that sees more than a tile.

    Args:
        predictor: That made the labels.
        source: The picture.
        windows: Where to compare.
        labels: What the tiles said.
    """
    differing = compared = 0
    for window in windows:
        tiled = labels(window)
        counted = tiled != IGNORE
        differing += int(((tiled != _untiled(predictor, source, window)) & counted).sum())
        compared += int(counted.sum())
    height, width = source.size
    return SeamError(differing, compared, whole=list(windows) == [Window(0, 0, height, width)])


def _untiled(predictor: Predictor, source: RowSource, window: Window) -> UInt8Array:
    """The labels of a window that the network saw in one piece, with what lies around it."""
    margin = predictor.config.tile // 2 // TILE_STEP * TILE_STEP
    first, start = max(window.top - margin, 0), max(window.left - margin, 0)
    last = min(window.bottom + margin, source.size[0])
    end = min(window.right + margin, source.size[1])
    picture, _ = source.window(first, start, last, end)
    (scores,) = predictor.refined_probabilities([picture])
    rows = slice(window.top - first, window.bottom - first)
    inner = np.ascontiguousarray(scores[:, rows, window.left - start : window.right - start])
    labels, _ = decide(inner, (inner.shape[1], inner.shape[2]), confidence=False)
    return labels
