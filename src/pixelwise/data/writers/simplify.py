"""Closed outlines with fewer points, by the rule of Douglas and Peucker. Knows points only.

Source: D. Douglas, T. Peucker, "Algorithms for the reduction of the number of points required to represent a
digitized line or its caricature", 1973. A closed outline is taken as three lines, between its first point,
the one farthest from that, and the one farthest from the line between the two.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Number = TypeVar("Number", bound=np.number)


def simplify(points: npt.NDArray[Number], tolerance: float) -> tuple[npt.NDArray[Number], float]:
    """Leaves out points of a closed outline that lie near enough to the lines between the others.

    Three points are always left, where there are as many. Lines that come close to each other may cross
    afterwards.

    Args:
        points: `(n, 2)` x, y in order.
        tolerance: The greatest distance in pixels of a point that is left out; 0 changes nothing.

    Returns:
        The points that are left, in their order, and the greatest distance of another.
    """
    if len(points) < 4 or tolerance <= 0:
        return points, 0.0
    chain = np.concatenate((points, points[:1])).astype(np.float64)
    last = len(points)
    far = int(np.argmax(_distances(chain, chain[0], chain[0])))
    third = int(np.argmax(_distances(chain, chain[0], chain[far])))
    anchors = sorted({0, far, third, last})
    kept = np.zeros(last + 1, np.bool_)
    kept[anchors] = True
    deviation = 0.0
    spans = list(pairwise(anchors))
    while spans:
        start, end = spans.pop()
        if end - start < 2:
            continue
        distances = _distances(chain[start + 1 : end], chain[start], chain[end])
        middle = int(np.argmax(distances))
        if distances[middle] > tolerance:
            middle += start + 1
            kept[middle] = True
            spans += [(start, middle), (middle, end)]
        else:
            deviation = max(deviation, float(distances[middle]))
    return points[kept[:-1]], deviation


def _distances(
    points: npt.NDArray[np.float64], start: npt.NDArray[np.float64], end: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """How far points `(n, 2)` are from the line between two points, ends included."""
    along = end - start
    offset = points - start
    length = float(along @ along)
    if length > 0:
        place = np.minimum(np.maximum(offset @ along / length, 0), 1)
        offset = offset - place[:, None] * along
    return np.hypot(offset[:, 0], offset[:, 1])
