"""A fully connected CRF: pixels that lie near each other and look alike should be of one class.

Source: P. Krähenbühl, V. Koltun, "Efficient Inference in Fully Connected CRFs with Gaussian Edge
Potentials", NIPS 2011. Every pair of pixels has an energy where their classes differ (Potts): a Gaussian of
their distance (smoothness) and one of their distance and their colours' (appearance). Mean field, in which
each pixel's class becomes independent of the others', needs Gaussian sums alone. The smoothness kernel's are
exact, as it is separable; the appearance kernel's are those of the permutohedral lattice. Both are normalised
symmetrically, as in the authors' code. As there, a pixel also hears itself.

Knows neither networks nor files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pixelwise.data.resize import resize_picture
from pixelwise.errors import ConfigError
from pixelwise.inference.enlarge import enlarge
from pixelwise.inference.refine.guided import GuidedFilter
from pixelwise.inference.refine.lattice import Lattice, scipy_sparse
from pixelwise.inference.refine.refinement import FloatArray, UInt8Array, check, refined

MOST_VALUES = 1 << 25
"""Classes times pixels that a CRF computes with, 128 MiB an array; of which it holds about six."""

_LEAST = 1e-6
"""Probabilities below this are as good as none; the logarithm of 0 could not be outweighed by anything."""


@dataclass(frozen=True, kw_only=True)
class DenseCrf:
    """Mean-field inference, started at the network's probabilities.

    A photo of more than `most_pixels` is refined at a smaller size, and the answer brought to the photo's by
    a guided filter: time and memory are bounded, and lengths below are in pixels of that size.

    Attributes:
        smoothness: Weight of the kernel of positions.
        smoothness_pixels: Its standard deviation.
        appearance: Weight of the kernel of positions and colours.
        appearance_pixels: Its standard deviation in positions.
        appearance_levels: And in each of red, green and blue, of values in 0..255.
        iterations: Of the mean field.
        most_pixels: Of the size that is computed at.

    Raises:
        ConfigError: A weight is negative, or another of these is not positive.
        BackendError: scipy is not installed.
    """

    smoothness: float = 0.0
    smoothness_pixels: float = 3.0
    appearance: float = 2.0
    appearance_pixels: float = 20.0
    appearance_levels: float = 1.5
    iterations: int = 3
    most_pixels: int = 1 << 18

    def __post_init__(self) -> None:
        if min(self.smoothness, self.appearance) < 0:
            raise ConfigError("the weights of a CRF's kernels cannot be negative")
        widths = self.smoothness_pixels, self.appearance_pixels, self.appearance_levels
        if min(*widths, self.iterations, self.most_pixels) <= 0:
            raise ConfigError("a CRF's standard deviations, iterations and pixels must be positive")
        scipy_sparse()  # says at once what is missing, not at the first photo

    def refine(self, probabilities: FloatArray, image: UInt8Array) -> FloatArray:
        """All probabilities at the photo's size; see `Refinement.refine`."""
        return refined(self, probabilities, image)

    def strips(self, probabilities: FloatArray, image: UInt8Array) -> Iterator[tuple[int, FloatArray]]:
        """The same strip by strip; see `Refinement.strips`."""
        check(probabilities, image)
        whole = (image.shape[0], image.shape[1])
        size = self._size(whole, len(probabilities))
        answer = self._mean_field(enlarge(probabilities, size), resize_picture(image, size))
        if size == whole:
            yield 0, answer
        else:
            yield from _UPWARDS.strips(answer, image)

    def _size(self, size: tuple[int, int], classes: int) -> tuple[int, int]:
        """The size to compute at: that of the photo, where it is not too large."""
        excess = size[0] * size[1] / max(1, min(self.most_pixels, MOST_VALUES // classes))
        if excess <= 1:
            return size
        return max(1, int(size[0] / excess**0.5)), max(1, int(size[1] / excess**0.5))

    def _mean_field(self, start: FloatArray, image: UInt8Array) -> FloatArray:
        """`(K, h, w)` after the last iteration."""
        count, h, w = start.shape
        evidence = np.log(np.maximum(start, np.float32(_LEAST)))
        rows, columns = _line(h, self.smoothness_pixels), _line(w, self.smoothness_pixels)
        lattice = Lattice(self._features(image)) if self.appearance else None
        current = start
        for _ in range(self.iterations):
            # Potts: the energy of all other classes is, up to a constant, minus that of one's own.
            scores = evidence.copy()
            if self.smoothness:
                near = np.matmul(rows, np.matmul(current.reshape(-1, w), columns.T).reshape(count, h, w))
                scores += np.float32(self.smoothness) * near
            if lattice:
                alike = lattice.normalised(np.ascontiguousarray(current.reshape(count, -1).T)).T
                scores += np.float32(self.appearance) * alike.reshape(count, h, w)
            current = _softmax(scores)
        return current

    def _features(self, image: UInt8Array) -> FloatArray:
        """Positions and colours in units of the appearance kernel's standard deviations: `(5, h * w)`."""
        h, w, _ = image.shape
        y, x = np.mgrid[:h, :w].astype(np.float32) / np.float32(self.appearance_pixels)
        colours = np.moveaxis(image, 2, 0).astype(np.float32) / np.float32(self.appearance_levels)
        # In the authors' order: the lattice's error depends on it, and so masks are theirs to the pixel.
        return np.concatenate((x[None], y[None], colours)).reshape(5, -1).astype(np.float32, copy=False)


_UPWARDS = GuidedFilter(radius=2, epsilon=1e-4)


def _line(length: int, deviation: float) -> FloatArray:
    """A Gaussian along one side as a matrix, normalised symmetrically: `D^-1/2 G D^-1/2`."""
    places = np.arange(length) / deviation
    gaussian = np.exp(-0.5 * (places[:, None] - places) ** 2)
    root = 1 / np.sqrt(gaussian.sum(1))
    return (root[:, None] * gaussian * root).astype(np.float32)


def _softmax(scores: FloatArray) -> FloatArray:
    """Over the first axis, in place."""
    scores -= scores.max(0)
    np.exp(scores, out=scores)
    scores /= scores.sum(0)
    return scores
