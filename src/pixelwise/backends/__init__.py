"""Runtimes behind one method: `logits(images) -> array`. Knows neither classes nor sizes nor files.

A backend gets pictures as they are at the edge, `(N, H, W, 3) uint8` RGB, and answers `(N, K, h, w) float32`
logits at its stride: 1 is at the pictures' size. Normalisation and padding are inside the network, so there
is nothing else to agree on. It may be called from several threads; what it answered is the caller's.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt


class Backend(Protocol):
    """What prediction needs of a runtime."""

    @property
    def stride(self) -> int:
        """How much coarser than the pictures the logits are.

        At 1 they have the pictures' size. Otherwise they are those of the pictures with the frame that the
        network needs: enlarged bilinearly by the stride, pixels taken as areas, their upper left is the
        pictures'.
        """
        ...

    def logits(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """`(N, H, W, 3) uint8` RGB in, `(N, K, h, w) float32` logits out, see `stride`."""
        ...
