"""A runtime for tests of everything around the network: each pixel's class is the nearest of a few colours.

Pointwise on purpose, so that a whole picture, its tiles and its resized copies can be compared exactly.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pixelwise.drawing import Colour


class FakeBackend:
    """Answers minus the squared distance to each class colour, in units of 255."""

    stride = 1

    def __init__(self, colours: Sequence[Colour]) -> None:
        self.colours = np.asarray(colours, np.float32)  # (K, 3)
        self.batch_sizes: list[int] = []

    def logits(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """`(N, H, W, 3) uint8` RGB in, `(N, K, H, W) float32` logits out."""
        self.batch_sizes.append(len(images))
        difference = images[:, None].astype(np.float32) - self.colours[None, :, None, None]  # (N, K, H, W, 3)
        return -np.square(difference / 255).sum(-1)
