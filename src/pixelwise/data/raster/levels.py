"""How a raster's values become 0..255.

Knows arrays and types of values; no file.

8 bits stay as they are, and of 16 bits the upper 8 are kept (`value >> 8`), as `data.io` has it for pictures
that fit into memory. Other types have no known white: they need a `value_range`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwise.errors import ConfigError, DataError

ValueRange = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Levels:
    """The rule from values to 0..255.

    Attributes:
        table: uint8 for each 8- or 16-bit value, of signed ones by their bits; None where there is none.
        value_range: What becomes 0 and 255; None where values stay as they are, or where there is a table.
    """

    table: npt.NDArray[np.uint8] | None
    value_range: ValueRange | None

    @property
    def unchanged(self) -> bool:
        """Whether the values are 0..255 as they are."""
        return self.table is None and self.value_range is None

    def apply(self, values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """The values, of any shape, as uint8. They are finite: see `first_not_finite`."""
        if self.table is not None:
            return self.table[values.astype(np.dtype(f"u{values.dtype.itemsize}"), copy=False)]
        if self.value_range is None:
            return values
        return _linear(values, self.value_range)


def levels_of(
    dtype: str, *, bits: int | None, inverted: bool, value_range: ValueRange | None, path: Path
) -> Levels:
    """The rule for a raster.

    Args:
        dtype: NumPy's name of the type of its values.
        bits: How many bits of it are used; None for all.
        inverted: Whether 0 is white.
        value_range: What becomes 0 and 255, where the user said so.
        path: For messages.

    Raises:
        ConfigError: The range is not two numbers, the smaller one first.
        DataError: The values need a range and there is none, or are complex.
    """
    if value_range is not None and not _is_range(value_range):
        raise ConfigError(f"value_range must be two numbers, the smaller one first, got {value_range}")
    kind = np.dtype(dtype)
    if kind.kind not in "uif":
        raise DataError(f"{path}: a picture of {dtype} values has no colours; save it as 8-bit RGB")
    if value_range is None and dtype not in ("uint8", "uint16"):
        raise DataError(
            f"{path}: {dtype} values don't say what is black and what is white; "
            "say so with --value-range 0 1 (value_range=(0, 1) in Python)"
        )
    if kind.itemsize > 2 or kind.kind == "f":
        return Levels(None, value_range)
    table = _table(kind, bits or 8 * kind.itemsize, value_range)
    table = 255 - table if inverted else table
    same = kind == np.uint8 and np.array_equal(table, np.arange(256))
    return Levels(None if same else table, None)


def first_not_finite(values: npt.NDArray[Any], valid: npt.NDArray[np.bool_] | None) -> tuple[int, ...] | None:
    """The place of the first NaN or infinity in `(h, w, bands)` where `(h, w)` is valid; None for none."""
    if values.dtype.kind != "f":
        return None
    wrong = ~np.isfinite(values)
    if valid is not None:
        wrong &= valid[..., None]
    return tuple(int(n) for n in np.argwhere(wrong)[0]) if wrong.any() else None


def _table(kind: np.dtype[Any], bits: int, value_range: ValueRange | None) -> npt.NDArray[np.uint8]:
    values = np.arange(1 << 8 * kind.itemsize, dtype=f"u{kind.itemsize}").astype(kind)
    if value_range is not None:
        return _linear(values, value_range)
    if bits >= 8:
        return np.minimum(values >> (bits - 8), 255).astype(np.uint8)
    white = (1 << bits) - 1
    return np.round(np.minimum(values, white) * (255 / white)).astype(np.uint8)


def _linear(values: npt.NDArray[Any], value_range: ValueRange) -> npt.NDArray[np.uint8]:
    low, high = value_range
    exact = np.float64 if values.dtype.itemsize > 2 and values.dtype != np.float32 else np.float32
    scaled = values.astype(exact)
    scaled -= exact(low)
    scaled *= exact(255 / (high - low))
    np.maximum(scaled, 0, out=scaled)
    np.minimum(scaled, 255, out=scaled)
    return np.rint(scaled, out=scaled).astype(np.uint8)


def _is_range(value: ValueRange) -> bool:
    return len(value) == 2 and all(map(math.isfinite, value)) and value[0] < value[1]
