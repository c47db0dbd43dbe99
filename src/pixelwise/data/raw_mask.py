"""Masks as they stand in their files: counted, and colours as numbers.

Knows arrays only; what a value or a colour means is the table's business.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from pixelwise.data.io import RawMask
from pixelwise.drawing import Colour


def count_values(raw: RawMask) -> Counter[int | Colour]:
    """How many pixels each raw value, or each colour of `(H, W, 3)`, has."""
    if raw.ndim == 2:
        counts = np.bincount(raw.ravel())
        return Counter({int(v): int(counts[v]) for v in np.flatnonzero(counts)})
    codes, numbers = np.unique(colour_codes(raw), return_counts=True)
    return Counter(
        {(int(c) & 255, int(c) >> 8 & 255, int(c) >> 16): int(n) for c, n in zip(codes, numbers, strict=True)}
    )


def colour_codes(raw: RawMask) -> npt.NDArray[np.uint32]:
    """RGB `(H, W, 3) uint8` as one number per pixel, `(H, W)`: red + 256 green + 65536 blue."""
    if raw.base is not None and raw.strides == (4 * raw.shape[1], 4, 1):  # three of four bytes, as `io` gives
        wide = np.ndarray(raw.shape[:2], np.dtype("<u4"), raw.base)
        if wide.ctypes.data == raw.ctypes.data:
            return np.bitwise_and(wide, np.uint32(0xFFFFFF), dtype=np.uint32)
    four = np.zeros((*raw.shape[:2], 4), np.uint8)
    four[..., :3] = raw
    return np.ndarray(raw.shape[:2], np.dtype("<u4"), four)


def grey_only(raw: RawMask) -> bool:
    """Whether the three channels of `(H, W, 3)` are equal everywhere."""
    return bool((raw[..., :1] == raw[..., 1:]).all())


def codes_of(colours: Iterable[Colour]) -> npt.NDArray[np.uint32]:
    """Single colours as such numbers, `(n,)`."""
    rgb = np.reshape(np.array(list(colours), np.uint32), (-1, 3))
    return rgb[:, 0] | rgb[:, 1] << np.uint32(8) | rgb[:, 2] << np.uint32(16)
