"""The ceiling by its definition: a loop over every pixel, in fractions. The fast way is compared with it."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import numpy as np
import numpy.typing as npt

from pixelwise.ceiling.tally import Method

Mask = npt.NDArray[np.uint8]
Size = tuple[int, int]


def overlap(low: Fraction, high: Fraction, other_low: Fraction, other_high: Fraction) -> Fraction:
    return max(Fraction(0), min(high, other_high) - max(low, other_low))


def shares(mask: Mask, taken: Size, stride: int, classes: int) -> list[list[list[Fraction]]]:
    """`[row][column][class]`: the area of each class in each cell, in pixels of the network's input.

    The picture is taken at the size `taken`; beyond its last row and column these go on.
    """
    height, width = mask.shape
    cells = ceil(Fraction(taken[0], stride)), ceil(Fraction(taken[1], stride))

    def pieces(length: int, side: int, cell: int, last_cell: int) -> dict[int, Fraction]:
        """Pixel -> how much of it lies in the cell."""
        pixel = Fraction(side, length)
        low, high = Fraction(cell * stride), Fraction((cell + 1) * stride)
        found: dict[int, Fraction] = {}
        for p in range(length):
            end = (p + 1) * pixel if p < length - 1 else Fraction((last_cell + 1) * stride)
            size = overlap(low, high, p * pixel, end)
            if size:
                found[p] = size
        return found

    rows = [pieces(height, taken[0], i, cells[0] - 1) for i in range(cells[0])]
    columns = [pieces(width, taken[1], j, cells[1] - 1) for j in range(cells[1])]
    result: list[list[list[Fraction]]] = []
    for row in rows:
        line: list[list[Fraction]] = []
        for column in columns:
            cell = [Fraction(0)] * classes
            for y, tall in row.items():
                for x, broad in column.items():
                    if mask[y, x] != 255:
                        cell[mask[y, x]] += tall * broad
            line.append(cell)
        result.append(line)
    return result


def first_largest(values: list[Fraction]) -> int:
    return values.index(max(values))


def predict(mask: Mask, taken: Size, stride: int, classes: int, method: Method) -> Mask:
    """The prediction at the mask's size."""
    area = shares(mask, taken, stride, classes)
    cells = len(area), len(area[0])
    labels = np.empty_like(mask)
    for y in range(mask.shape[0]):
        for x in range(mask.shape[1]):
            # The pixel's centre, in cells from the first cell's upper left corner.
            v = (y + Fraction(1, 2)) * Fraction(taken[0], mask.shape[0]) / stride
            u = (x + Fraction(1, 2)) * Fraction(taken[1], mask.shape[1]) / stride
            if method == "soft":
                labels[y, x] = first_largest(_bilinear(area, v - Fraction(1, 2), u - Fraction(1, 2), classes))
                continue
            i, j = floor(v), floor(u)
            answer = first_largest(area[i][j])
            if method == "nearest":
                centre = _at_centre(mask, taken, stride, i, j)
                answer = answer if centre == 255 else centre
            labels[y, x] = answer
    assert cells == (-(-taken[0] // stride), -(-taken[1] // stride))
    return labels


def _bilinear(area: list[list[list[Fraction]]], v: Fraction, u: Fraction, classes: int) -> list[Fraction]:
    def taps(place: Fraction, count: int) -> list[tuple[int, Fraction]]:
        low = floor(place)
        part = place - low
        return [(min(max(low, 0), count - 1), 1 - part), (min(max(low + 1, 0), count - 1), part)]

    scores = [Fraction(0)] * classes
    for i, down in taps(v, len(area)):
        for j, along in taps(u, len(area[0])):
            for label in range(classes):
                scores[label] += down * along * area[i][j][label]
    return scores


def _at_centre(mask: Mask, taken: Size, stride: int, i: int, j: int) -> int:
    y = floor((i + Fraction(1, 2)) * stride * Fraction(mask.shape[0], taken[0]))
    x = floor((j + Fraction(1, 2)) * stride * Fraction(mask.shape[1], taken[1]))
    return int(mask[min(y, mask.shape[0] - 1), min(x, mask.shape[1] - 1)])


def errors(mask: Mask, labels: Mask, classes: int) -> tuple[list[int], list[int]]:
    """Missed and added pixels of each class."""
    missed, added = [0] * classes, [0] * classes
    for true, predicted in zip(mask.ravel().tolist(), labels.ravel().tolist(), strict=True):
        if true not in (255, predicted):
            missed[true] += 1
            added[predicted] += 1
    return missed, added
