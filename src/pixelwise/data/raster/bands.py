"""Which bands of a raster are its red, green and blue, and which pixels are valid.

Knows rasterio's datasets; reads no pixel.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwise.errors import ConfigError, DataError

_RGB = ("red", "green", "blue")
_GREYS = ("gray", "undefined", "palette")


@dataclass(frozen=True, eq=False)
class Bands:
    """What is read of a raster.

    Attributes:
        chosen: The bands that are red, green and blue, 1-based; one band where it is grey, or
            an index into the palette.
        masks: The bands whose masks say which pixels are valid: a pixel is where one of them says so. Empty
            where all pixels are.
        palette: `(256, 4) uint8`, the colour and alpha of each index; None for what is no palette.
    """

    chosen: tuple[int, ...]
    masks: tuple[int, ...]
    palette: npt.NDArray[np.uint8] | None


def choose_bands(dataset: Any, path: Path, wanted: tuple[int, int, int] | None) -> Bands:
    """Finds the bands by what the file says of their colours.

    Args:
        dataset: rasterio's.
        path: For messages.
        wanted: Bands for red, green and blue, 1-based, where the user chose them.

    Raises:
        ConfigError: The raster lacks a wanted band.
        DataError: It does not say which bands are red, green and blue, or these hold different types of
            values.
    """
    if wanted is not None:
        if len(wanted) != 3 or not all(1 <= band <= dataset.count for band in wanted):
            raise ConfigError(
                f"bands must be three numbers in 1..{dataset.count}, which {path} has, got {wanted}"
            )
        chosen = tuple(wanted)
    else:
        chosen = _by_colour([kind.name for kind in dataset.colorinterp], path)
    types = {dataset.dtypes[band - 1] for band in chosen}
    if len(types) > 1:
        raise DataError(
            f"{path}: its colours must hold one type of values, but hold {', '.join(sorted(types))}; "
            "choose others with bands"
        )
    palette = _palette(dataset, chosen[0], path) if len(chosen) == 1 else None
    return Bands(chosen, _masks(dataset, chosen), palette)


def _by_colour(colours: Sequence[str], path: Path) -> tuple[int, ...]:
    if all(colours.count(name) == 1 for name in _RGB):
        return tuple(colours.index(name) + 1 for name in _RGB)
    data = [band for band, name in enumerate(colours, 1) if name != "alpha"]
    if len(data) == 1 and colours[data[0] - 1] in _GREYS:
        return (data[0],)
    if len(colours) == 3 and all(name in _GREYS for name in colours):
        return (1, 2, 3)
    counted = ", ".join(f"{count} {name}" for name, count in Counter(colours).items())
    raise DataError(
        f"{path}: the raster has {len(colours)} band{'s' * (len(colours) != 1)} ({counted}) and does not say "
        "which are red, green and blue; say so with --bands 1 2 3 (bands=(1, 2, 3) in Python), or 3 2 1 for "
        "blue-green-red"
    )


def _masks(dataset: Any, chosen: Sequence[int]) -> tuple[int, ...]:
    """One band is enough where all have the same mask; none, where one of them has no invalid pixel."""
    flags = [{flag.name for flag in dataset.mask_flag_enums[band - 1]} for band in chosen]
    if any("all_valid" in each for each in flags):
        return ()
    return tuple(chosen[:1]) if all("per_dataset" in each for each in flags) else tuple(dict.fromkeys(chosen))


def _palette(dataset: Any, band: int, path: Path) -> npt.NDArray[np.uint8] | None:
    if dataset.colorinterp[band - 1].name != "palette":
        return None
    try:
        colours: dict[int, tuple[int, int, int, int]] = dataset.colormap(band)
    except ValueError as error:
        raise DataError(f"{path}: its palette is missing; save it as RGB") from error
    if dataset.dtypes[band - 1] != "uint8":
        raise DataError(
            f"{path}: a palette for values of {dataset.dtypes[band - 1]} is not read; save it as RGB"
        )
    table = np.zeros((256, 4), np.uint8)
    table[:, 3] = 255
    for index, colour in colours.items():
        if 0 <= index < 256:
            table[index] = colour
    return table
