"""A network's answer at its own stride: each pixel's class and probabilities, enlarging no more than needed.

Most networks answer at a stride of 4 or 8 and enlarge their logits bilinearly. Where the four logits around a
pixel are won by one class it wins the pixel too, since a weighted mean keeps the order; so for labels alone
only the cells along borders are enlarged, and no probability is computed. Pure NumPy.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from pixelwise.inference.bilinear import Taps, interpolated, take_better, taps, winners

UInt8Array = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]

ELEMENTS = 1 << 19
"""Scores that are worked on at once, about: 2 MiB, which stay in a core's cache."""


@dataclass(frozen=True, eq=False)
class CoarseLogits:
    """What a network says of one picture.

    Attributes:
        logits: `(K, rows, columns) float32`, at the stride; those of the network's frame may follow below and
            to the right.
        stride: Of the logits; 1 is at the picture's size.
        size: `(h, w)` of the picture as the network saw it, without its frame.
    """

    logits: FloatArray
    stride: int
    size: tuple[int, int]

    def labels(self) -> UInt8Array:
        """The class of each pixel `(h, w)`, the lowest id where two tie."""
        if self.stride == 1:
            height, width = self.size
            found, best = np.empty(self.size, np.uint8), np.empty(self.size, np.float32)
            winners(self.logits[:, :height, :width], found, best)
            return found
        corners = self._corners()
        named, best = np.empty(corners.shape[1:], np.uint8), np.empty(corners.shape[1:], np.float32)
        winners(corners, named, best)
        own = named[:-1, :-1]
        disputed = (own != named[1:, :-1]) | (own != named[:-1, 1:]) | (own != named[1:, 1:])
        # (cell, row within, cell, column within) is how a picture lies in memory, so no pixel is moved after.
        (rows, columns), step = own.shape, self.stride
        cells = np.empty((rows, step, columns, step), np.uint8)
        cells[...] = own[:, None, :, None]
        self._decide_cells(cells, corners, *np.nonzero(disputed))
        first = step - step // 2  # the first cells lie on the border, half of them outside
        whole = cells.reshape(rows * step, columns * step)
        return np.ascontiguousarray(whole[first : first + self.size[0], first : first + self.size[1]])

    def probabilities(self, out: FloatArray | None = None) -> FloatArray:
        """`(K, h, w) float32`, over K summing to one; written to `out` where that is given."""
        count, (height, width) = len(self.logits), self.size
        result = np.empty((count, height, width), np.float32) if out is None else out
        wide = self._widened()
        at_once = max(1, ELEMENTS // (count * width))
        for phase in range(self.stride):  # rows of one share: the arithmetic is that of whole maps
            rows = np.arange(phase, height, self.stride)
            for start in range(0, len(rows), at_once):
                part = rows[start : start + at_once]
                scores = np.take(wide, self._rows.low[part], axis=1)
                if self.stride > 1:
                    below = np.take(wide, self._rows.high[part], axis=1)
                    scores += (below - scores) * self._rows.share[part][:, None]
                result[:, part[0] : part[-1] + 1 : self.stride] = _softmax(scores)
        return result

    def probabilities_at(self, wanted: npt.NDArray[np.bool_]) -> FloatArray:
        """`(K, n)` at the `n` pixels of `(h, w)` that are wanted, row by row."""
        _, rows, columns = self.logits.shape
        values, places = self.logits.reshape(len(self.logits), -1), np.arange(rows * columns)
        known = places.reshape(rows, columns)
        return _softmax(interpolated(values, known, self._rows, self._columns, np.flatnonzero(wanted)))

    @cached_property
    def _rows(self) -> Taps:
        return taps(self.logits.shape[1], self.size[0], scale=self.stride)

    @cached_property
    def _columns(self) -> Taps:
        return taps(self.logits.shape[2], self.size[1], scale=self.stride)

    def _widened(self) -> FloatArray:
        """Logits `(K, rows, w)` with the picture's columns, and still the stride's rows."""
        if self.stride == 1:
            return self.logits[:, :, : self.size[1]]
        left = np.take(self.logits, self._columns.low, axis=2)
        right = np.take(self.logits, self._columns.high, axis=2)
        right -= left
        right *= self._columns.share
        left += right
        return left

    def _corners(self) -> FloatArray:
        """Logits `(K, rows + 1, columns + 1)` around the cells of the picture, the border repeated."""
        _, rows, columns = self.logits.shape
        y, x = _corner_places(rows, self._rows), _corner_places(columns, self._columns)
        return np.take(np.take(self.logits, y, axis=1), x, axis=2)

    def _decide_cells(
        self, cells: UInt8Array, corners: FloatArray, y: npt.NDArray[np.intp], x: npt.NDArray[np.intp]
    ) -> None:
        """Writes the classes of the pixels of some cells."""
        step = self.stride
        share = ((step // 2 + np.arange(step) + 0.5) / step - 0.5).astype(np.float32)
        at_once = max(1, ELEMENTS // step**2)
        for start in range(0, y.size, at_once):
            rows, columns = y[start : start + at_once], x[start : start + at_once]
            labels = np.zeros((step, step, rows.size), np.uint8)
            best = np.full(labels.shape, -np.inf, np.float32)
            places = rows * corners.shape[2] + columns  # one index is looked up faster than two
            for number, plane in enumerate(corners.reshape(len(corners), -1)):
                sides = []  # columns of (step, n) scores, left and right
                for right in (0, 1):
                    above = plane[places + right]
                    below = plane[places + corners.shape[2] + right]
                    sides.append(above + (below - above) * share[:, None])
                # Not as a product of matrices: BLAS has threads of its own, which wait for the network's.
                scores = (sides[1] - sides[0])[:, None] * share[:, None]
                scores += sides[0][:, None]
                take_better(scores, number, labels, best)
            cells[rows, :, columns] = labels.transpose(2, 0, 1)


def _corner_places(count: int, along: Taps) -> npt.NDArray[np.intp]:
    """Rows at the corners of cells: from before the first to behind the last cell of the picture."""
    return np.clip(np.arange(-1, along.low[-1] + 2), 0, count - 1)


def _softmax(scores: FloatArray) -> FloatArray:
    """Over the first axis, in place; safe for logits of any size."""
    scores -= scores.max(0)
    np.exp(scores, out=scores)
    scores /= scores.sum(0)
    return scores
