"""Gaussian sums over points of few dimensions, on the permutohedral lattice.

Source: A. Adams, J. Baek, M. Davis, "Fast High-Dimensional Filtering Using the Permutohedral Lattice",
Eurographics 2010. The lattice cuts the space of `d` features into simplices of `d + 1` corners. What a point
carries is spread over the corners of its simplex, blurred along the lattice's `d + 1` directions with
(1, 2, 1) / 2, and read again at the points: three products with sparse matrices. That approximates
`sum over j of exp(-|f_i - f_j|^2 / 2) v_j` up to a factor, in a time linear in the points.

Needs scipy. Knows neither pictures nor classes.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwise.errors import BackendError, ConfigError

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


def scipy_sparse() -> Any:
    """`scipy.sparse`; raises `BackendError` where scipy is not installed."""
    try:
        import scipy.sparse
    except ImportError as error:
        raise BackendError("the dense CRF needs scipy: pip install 'pixelwise[crf]'") from error
    return scipy.sparse


class Lattice:
    """The simplices that a set of points lies in, to sum what they carry again and again.

    Args:
        features: `(d, N) float32`, in units of the Gaussian's standard deviation.

    Raises:
        BackendError: scipy is not installed.
        ConfigError: The points lie so far apart that corners cannot be counted in 64 bits.
    """

    def __init__(self, features: FloatArray) -> None:
        sparse = scipy_sparse()
        dimensions, points = features.shape
        corner, rank, weights = _simplices(features)
        strides = _strides(corner)
        # Corners are found once a simplex, not once a point: neighbours in a photo share theirs. The ranks
        # are below d + 1 and the corners multiples of it, so that their sum names the simplex.
        names = strides @ (corner + rank)[:-1]
        _, examples, which = np.unique(names, return_index=True, return_inverse=True)
        keys = _corner_keys(corner[:, examples], rank[:, examples], strides)
        vertices, places = np.unique(keys, return_inverse=True)
        columns = places.reshape(keys.shape).astype(np.int32)[:, which.reshape(-1)]
        shape = (points, vertices.size)
        starts = np.arange(0, weights.size + 1, dimensions + 1, dtype=np.int32)
        self._slice = sparse.csr_array((weights.T.ravel(), columns.T.ravel(), starts), shape=shape)
        self._blurs = [_blur(vertices, offset) for offset in _directions(strides)]
        ones = self.sums(np.ones((points, 1), np.float32))
        self._root: FloatArray = (1 / np.sqrt(np.maximum(ones, 1e-20))).astype(np.float32)

    @property
    def vertices(self) -> int:
        """How many corners of the lattice are in use."""
        return self._slice.shape[1]

    def sums(self, values: FloatArray) -> FloatArray:
        """Gaussian sums of `(N, C)` values at the points, up to a factor that is the same for all."""
        spread = self._slice.T @ values
        for blur in self._blurs:
            spread = blur @ spread
        return self._slice @ spread

    def normalised(self, values: FloatArray) -> FloatArray:
        """`D^-1/2 G D^-1/2 values`; `G` gives Gaussian sums and `D` those of ones, so no factor is left."""
        return np.multiply(self._root, self.sums(np.multiply(self._root, values)))


def _simplices(features: FloatArray) -> tuple[IntArray, IntArray, FloatArray]:
    """Each point's simplex: its corner of remainder 0, the order of its coordinates in it, and its weights.

    Returns:
        Corners `(d + 1, N)`, multiples of d + 1 that sum to zero; ranks `(d + 1, N)`, 0 for the coordinate
        that lies farthest from the corner; barycentric weights `(d + 1, N)` of the corners of remainder 0..d.
    """
    side = len(features) + 1
    place = _elevated(features)
    corner = (np.rint(place / side) * side).astype(np.int64)
    beyond = place - corner
    rank = np.zeros(corner.shape, np.int64)
    for i in range(side):
        for j in range(i + 1, side):
            less = beyond[i] < beyond[j]
            rank[i] += less
            rank[j] += ~less
    # Rounding each coordinate by itself may leave the plane of zero sum; the outermost coordinates go back.
    rank += corner.sum(0) // side
    back = side * ((rank < 0).astype(np.int64) - (rank >= side))
    rank += back
    corner += back
    ordered = np.empty_like(place)
    np.put_along_axis(ordered, rank, (place - corner) / side, axis=0)
    weights = np.empty_like(place)
    weights[0] = 1 + ordered[-1] - ordered[0]
    weights[1:] = (ordered[:-1] - ordered[1:])[::-1]
    return corner, rank, weights


def _elevated(features: FloatArray) -> FloatArray:
    """The points in the plane of zero sum of one dimension more, `(d + 1, N)`, where the lattice lies.

    Scaled so that spreading, blurring and reading together have the Gaussian's standard deviation.
    """
    count = len(features)
    place = np.zeros((count + 1, features.shape[1]), np.float32)
    so_far = np.zeros(features.shape[1], np.float32)
    for i in range(count, 0, -1):
        scale = (count + 1) * (2 / 3) ** 0.5 / (i * (i + 1)) ** 0.5
        scaled = features[i - 1] * np.float32(scale)
        place[i] = so_far - i * scaled
        so_far += scaled
    place[0] = so_far
    return place


def _strides(corner: IntArray) -> IntArray:
    """Of the first d coordinates, so that a corner or a neighbour of one is a single number of 64 bits."""
    side = len(corner)
    # A corner of the same simplex differs by less than d + 1 a coordinate, and so does its neighbour again.
    spans = [int(np.ptp(row)) + 4 * side + 1 for row in corner[:-1]]
    if math.prod(spans) >= 1 << 62:
        raise ConfigError(
            "the Gaussian is too narrow for points that differ so much: give its positions or colours a "
            "larger standard deviation"
        )
    return np.array([math.prod(spans[:i]) for i in range(side - 1)], np.int64)


def _corner_keys(corner: IntArray, rank: IntArray, strides: IntArray) -> IntArray:
    """The names of the d + 1 corners of simplices, `(d + 1, n)`, in the order of their remainders."""
    side = len(corner)
    keys = np.empty_like(corner)
    for remainder in range(side):
        coordinates = corner + remainder - side * (rank >= side - remainder)
        keys[remainder] = strides @ coordinates[:-1]
    return keys


def _directions(strides: IntArray) -> IntArray:
    """What is added to a name for the neighbour in each of the d + 1 directions."""
    total = strides.sum()
    return np.append(total - (len(strides) + 1) * strides, total)


def _blur(vertices: IntArray, offset: int) -> Any:
    """The matrix that gives each vertex itself and half of its two neighbours in a direction."""
    sparse = scipy_sparse()
    wanted = vertices + offset
    places = np.minimum(np.searchsorted(vertices, wanted), vertices.size - 1)
    rows = np.flatnonzero(vertices[places] == wanted)
    halves = np.full(rows.size, 0.5, np.float32)
    shape = (vertices.size, vertices.size)
    ahead = sparse.csr_array((halves, (rows, places[rows])), shape=shape)
    return sparse.csr_array(sparse.eye_array(vertices.size, dtype=np.float32) + ahead + ahead.T)
