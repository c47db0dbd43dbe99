"""Class probabilities smoothed over time, so that borders and unsure pixels do not flicker.

Arrays in, arrays out. Knows no video and no network.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from pixelwise.errors import ConfigError

UInt8Array = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]

CUT = 30.0
"""Mean change of grey, in 0..255, between two frames beyond which they belong to different scenes."""

_THUMBNAIL = (16, 16)


class Smoother:
    """An exponential moving average: p_t = smooth * p_(t-1) + (1 - smooth) * p_new.

    Counts frames, not seconds. What moves is followed late: a change of class shows once the new class
    outweighs the old mean, for sure probabilities after `ceil(log(1/2) / log(smooth))` frames (2 at 0.6, 7 at
    0.9). At a cut the mean starts anew where the picture as a whole changes (`CUT`); a cut between scenes
    that look alike from afar is not seen and lags like any other change.

    Args:
        smooth: 0 keeps every frame's own probabilities; the closer to 1, the calmer and the later.

    Raises:
        ConfigError: `smooth` is not in 0 <= smooth < 1.
    """

    def __init__(self, smooth: float) -> None:
        if not 0 <= smooth < 1:
            raise ConfigError(f"smooth must be at least 0 and less than 1, got {smooth}")
        self.smooth = smooth
        self._mean: FloatArray | None = None
        self._before: FloatArray | None = None

    def step(self, probabilities: FloatArray, picture: UInt8Array) -> FloatArray:
        """The next frame's probabilities, smoothed.

        Args:
            probabilities: `(K, h, w) float32`; where their shape changes the mean starts anew.
            picture: `(H, W, 3) uint8` RGB of any size, that they are of; it shows cuts.

        Returns:
            `(K, h, w) float32`, over K summing to one as the given ones do; never changed afterwards.
        """
        if self.smooth == 0:
            return probabilities
        grey = thumbnail(picture)
        cut = self._before is None or np.abs(grey - self._before).mean() > CUT
        self._before = grey
        if cut or self._mean is None or self._mean.shape != probabilities.shape:
            self._mean = probabilities
        else:
            mean = probabilities * np.float32(1 - self.smooth)
            mean += self._mean * np.float32(self.smooth)
            self._mean = mean
        return self._mean


def thumbnail(picture: UInt8Array) -> FloatArray:
    """The picture `(H, W, 3) uint8` as 16 by 16 mean greys, `float32` in 0..255."""
    grey = Image.fromarray(picture).convert("L").resize(_THUMBNAIL, Image.Resampling.BOX)
    return np.asarray(grey, np.float32)
