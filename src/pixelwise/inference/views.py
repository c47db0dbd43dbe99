"""Test-time augmentation: several views of a picture, and their answers put back on top of each other.

Pure NumPy and Pillow over a callback; knows no network. Flips and turns are the symmetries of the square:
a turn by a multiple of 90 degrees, of the picture or of its mirror image. Two that come to the same are one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from pixelwise.config.predict import Change
from pixelwise.data.resize import resize_picture
from pixelwise.inference.enlarge import enlarge

UInt8Array = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class View:
    """One look at a picture: scaled, then mirrored, then turned.

    Attributes:
        scale: Of its sides.
        mirrored: Left and right swapped.
        turns: By 90 degrees, counter-clockwise.
    """

    scale: float = 1.0
    mirrored: bool = False
    turns: int = 0

    def of(self, images: UInt8Array) -> UInt8Array:
        """`(N, h, w, 3)` seen so."""
        _, h, w, _ = images.shape
        size = (max(1, round(h * self.scale)), max(1, round(w * self.scale)))
        if size != (h, w):
            images = np.stack([resize_picture(image, size) for image in images])
        if self.mirrored:
            images = images[:, :, ::-1]
        # A copy: what is one pixel wide passes for contiguous whatever its strides, and torch refuses those.
        return np.array(np.rot90(images, self.turns, axes=(1, 2)), order="C")

    def back(self, probabilities: FloatArray, size: tuple[int, int]) -> FloatArray:
        """The answer `(N, K, …)` for what `of` gave, as one `(N, K, h, w)` for the picture itself."""
        probabilities = np.rot90(probabilities, -self.turns, axes=(2, 3))
        if self.mirrored:
            probabilities = probabilities[..., ::-1]
        if probabilities.shape[2:] == size:
            return probabilities
        return np.stack([enlarge(one, size) for one in probabilities])


@dataclass(frozen=True)
class Views:
    """The views whose answers are averaged.

    Attributes:
        changes: Which kinds; none is the picture itself alone.
        scales: With `scales`.
    """

    changes: Sequence[Change] = ()
    scales: Sequence[float] = (1.0,)

    @cached_property
    def views(self) -> tuple[View, ...]:
        """All of them, each once."""
        scales = self.scales if "scales" in self.changes else (1.0,)
        return tuple(View(s, m, t) for s in dict.fromkeys(scales) for m, t in sorted(self._symmetries()))

    def _symmetries(self) -> set[tuple[bool, int]]:
        """`(mirrored, turns)` that the kinds make together."""
        found = {(False, 0)}
        if "hflip" in self.changes:
            found |= {(True, 0)}
        if "vflip" in self.changes:  # upside down is mirrored and turned by half
            found |= {(not mirrored, (turns + 2) % 4) for mirrored, turns in found}
        if "rot90" in self.changes:
            found = {(mirrored, (turns + more) % 4) for mirrored, turns in found for more in range(4)}
        return found

    @property
    def single(self) -> bool:
        """Whether the picture itself is the only one."""
        return self.views == (View(),)

    @property
    def work(self) -> float:
        """The pixels that the network sees for each of a picture's."""
        return sum(view.scale**2 for view in self.views)

    def cost(self) -> str:
        """What it costs, in words."""
        count = len(self.views)
        return f"{count} passes of the network for each picture, {self.work:.1f} times the work"

    def mean(self, answer: Callable[[UInt8Array], FloatArray], images: UInt8Array) -> FloatArray:
        """The mean of the answers for all views, in probability space.

        Args:
            answer: `(N, h, w, 3) uint8` to probabilities `(N, K, h, w) float32`, of any size.
            images: `(N, h, w, 3) uint8` RGB.

        Returns:
            `(N, K, h, w) float32`, summing to one over K.
        """
        size = (images.shape[1], images.shape[2])
        first, *others = self.views
        total = first.back(answer(first.of(images)), size)
        if not others:
            return total
        total = np.array(total)
        for view in others:
            total += view.back(answer(view.of(images)), size)
        total /= np.float32(len(self.views))
        return total
