"""The guided filter: within a small window, each class's probability is a linear function of the colour.

Source: K. He, J. Sun, X. Tang, "Guided Image Filtering", ECCV 2010 and PAMI 2013, with a colour guide
(equations 14 to 16 of the latter); K. He, J. Sun, "Fast Guided Filter", 2015 (arXiv:1505.00996): the
functions are found at a small size, and their coefficients brought to the photo's, where the photo itself
gives the edges. Windows shrink at the border.

One thing is added. Where no colour tells a class, as in a thin strip along an outline, the paper's filter
leaves an average and the strip is lost. What the functions leave unexplained of the small map is therefore
brought up as well (`residue`), so that a map is sharpened but not smoothed.

Knows neither networks nor files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from pixelwise.data.resize import resize_picture
from pixelwise.errors import ConfigError
from pixelwise.inference.enlarge import enlarge
from pixelwise.inference.refine.box import box_mean
from pixelwise.inference.refine.refinement import FloatArray, UInt8Array, check, refined, rows_of

DoubleArray = npt.NDArray[np.float64]

MOST_COEFFICIENTS = 1 << 27
"""Four of each class and pixel are held, 512 MiB at most; larger probabilities are made smaller first."""

STRIP_ELEMENTS = 1 << 22
"""Refined probabilities held at once, classes times rows times columns: 16 MiB."""

_LEAST_EPSILON = 1e-8

_PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
"""The entries of a symmetric 3x3 matrix."""


@dataclass(frozen=True, kw_only=True)
class GuidedFilter:
    """Brings borders to the photo's edges, in a time that does not depend on the window.

    Attributes:
        radius: Of the window, in pixels of the small map: it spans `2 * radius + 1` of them.
        epsilon: Variance of colour, of values in 0..1, below which a window counts as flat.
        subsampling: The small map is that of the probabilities, but at most the photo's size through this.
        residue: Share that is kept of what the functions leave unexplained; 0 is the paper's filter.

    Raises:
        ConfigError: The radius or the subsampling is not positive, the residue no share, or epsilon below
            what can be told from rounding.
    """

    radius: int = 4
    epsilon: float = 1e-4
    subsampling: int = 2
    residue: float = 1.0

    def __post_init__(self) -> None:
        if self.radius < 1 or not _LEAST_EPSILON <= self.epsilon < float("inf"):
            raise ConfigError(
                "the guided filter needs a radius of at least one pixel and an epsilon of at least "
                f"{_LEAST_EPSILON}, got {self.radius} and {self.epsilon}"
            )
        if self.subsampling < 1 or not 0 <= self.residue <= 1:
            raise ConfigError(
                "the guided filter's subsampling is a whole number from 1 and its residue a share in 0..1, "
                f"got {self.subsampling} and {self.residue}"
            )

    def refine(self, probabilities: FloatArray, image: UInt8Array) -> FloatArray:
        """All probabilities at the photo's size; see `Refinement.refine`."""
        return refined(self, probabilities, image)

    def strips(self, probabilities: FloatArray, image: UInt8Array) -> Iterator[tuple[int, FloatArray]]:
        """The same strip by strip; see `Refinement.strips`."""
        check(probabilities, image)
        height, width = image.shape[:2]
        small = self._small(probabilities, (height, width))
        planes = self._coefficients(small, resize_picture(image, (small.shape[1], small.shape[2])))
        step = max(1, STRIP_ELEMENTS // (len(planes) * width))
        for top in range(0, height, step):
            rows = slice(top, min(height, top + step))
            colours = np.moveaxis(image[rows].astype(np.float32) / 255, 2, 0)
            strip = np.empty((len(planes), *colours.shape[1:]), np.float32)
            for number, (*slopes, offset) in enumerate(planes):
                strip[number] = rows_of(offset, (height, width), rows)
                for slope, colour in zip(slopes, colours, strict=True):
                    strip[number] += rows_of(slope, (height, width), rows) * colour
            # A sum of linear functions of which none is bounded: they add up to one, but may leave 0..1.
            np.maximum(strip, 0, out=strip)
            strip /= strip.sum(0)
            yield top, strip

    def _small(self, probabilities: FloatArray, photo: tuple[int, int]) -> FloatArray:
        """The map that functions are found on: no larger than wanted, and than can be held."""
        count, h, w = probabilities.shape
        h, w = min(h, -(-photo[0] // self.subsampling)), min(w, -(-photo[1] // self.subsampling))
        excess = max(1.0, 4 * count * h * w / MOST_COEFFICIENTS) ** 0.5
        size = (max(1, int(h / excess)), max(1, int(w / excess)))
        return probabilities if size == probabilities.shape[1:] else enlarge(probabilities, size)

    def _coefficients(self, probabilities: FloatArray, image: UInt8Array) -> list[list[Image.Image]]:
        """Of each class the slopes of red, green and blue and the offset, each a plane `(h, w)`."""
        guide = np.moveaxis(image.astype(np.float64) / 255, 2, 0)
        mean = box_mean(guide, self.radius)
        inverse = self._inverse_covariance(guide, mean)
        planes: list[list[Image.Image]] = []
        for plane in probabilities:
            values = plane.astype(np.float64)
            average = box_mean(values, self.radius)
            together = box_mean(guide * values, self.radius) - mean * average  # covariances, (3, h, w)
            slopes = np.einsum("ijhw,jhw->ihw", inverse, together)
            offset = average - (slopes * mean).sum(0)
            smoothed = box_mean(np.concatenate((slopes, offset[None])), self.radius)
            unexplained = values - (smoothed[:3] * guide).sum(0) - smoothed[3]
            smoothed[3] += self.residue * unexplained
            planes.append([Image.fromarray(part) for part in smoothed.astype(np.float32)])  # mode F
        return planes

    def _inverse_covariance(self, guide: DoubleArray, mean: DoubleArray) -> DoubleArray:
        """Of each window's colours, with epsilon added to the variances: `(3, 3, h, w)`."""
        products = box_mean(np.stack([guide[i] * guide[j] for i, j in _PAIRS]), self.radius)
        covariance = np.empty((3, 3, *guide.shape[1:]))
        for product, (i, j) in zip(products, _PAIRS, strict=True):
            covariance[i, j] = covariance[j, i] = (
                product - mean[i] * mean[j] + (self.epsilon if i == j else 0)
            )
        # The adjugate: rows of cofactors are cross products of the other two rows.
        adjugate = np.stack([np.cross(covariance[i - 2], covariance[i - 1], axis=0) for i in range(3)])
        return adjugate / (covariance[0] * adjugate[0]).sum(0)
