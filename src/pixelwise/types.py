"""What travels between the parts: the classes, a labelled picture, and how large a network takes it.

NumPy only; checked when made, so that whoever receives one need not check again.
Knows no file format, no network and no metric.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from pixelwise import drawing
from pixelwise.drawing import IGNORE, Colour
from pixelwise.errors import ConfigError, DataError

MAX_CLASSES = 255
"""Train ids are uint8 and 255 means ignore, so 0..254 are left for classes."""

UInt8Array = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Classes:
    """The classes of a data set or network: train id `i` has `names[i]` and `colours[i]`; 255 is ignored.

    Attributes:
        names: One to 255 distinct names.
        colours: RGB in 0..255, one per name; drawn from a fixed palette where not given.

    Raises:
        ConfigError: No name, too many, an empty or doubled one, or colours that don't fit.
    """

    names: tuple[str, ...]
    colours: tuple[Colour, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))
        if not 1 <= len(self.names) <= MAX_CLASSES:
            raise ConfigError(f"a network needs 1 to {MAX_CLASSES} classes, got {len(self.names)}")
        if not all(name.strip() for name in self.names):
            raise ConfigError(f"a class name is empty: {list(self.names)}")
        doubled = sorted({name for name in self.names if self.names.count(name) > 1})
        if doubled:
            raise ConfigError(
                f"class names must differ, but {', '.join(doubled)} stands there more than once"
            )
        colours = self.colours or drawing.default_colours(len(self.names))
        if len(colours) != len(self.names):
            raise ConfigError(f"{len(self.names)} classes need as many colours, got {len(colours)}")
        if any(len(c) != 3 or not all(0 <= v <= 255 for v in c) for c in colours):
            raise ConfigError(f"a colour is three numbers in 0..255, got {list(colours)}")
        object.__setattr__(self, "colours", tuple((int(r), int(g), int(b)) for r, g, b in colours))

    def __len__(self) -> int:
        return len(self.names)

    def id_of(self, name: str) -> int:
        """The train id of a class.

        Raises:
            ConfigError: There is none of that name; the message has the names, and the nearest first.
        """
        if name not in self.names:
            near = difflib.get_close_matches(name, self.names, 1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            shown = ", ".join(self.names[:12]) + (", …" if len(self) > 12 else "")
            raise ConfigError(f"there is no class {name!r}: {hint}There are {shown}")
        return self.names.index(name)

    def to_json(self) -> dict[str, object]:
        """A plain dict for a JSON header: `{"names": […], "colours": [[r, g, b], …]}`."""
        return {"names": list(self.names), "colours": [list(colour) for colour in self.colours]}

    @staticmethod
    def from_json(value: object) -> Classes:
        """Reads what `to_json` wrote; raises `ConfigError` for anything else."""
        if not isinstance(value, Mapping):
            raise ConfigError(f"classes must be an object with names and colours, got {type(value).__name__}")
        members = cast("Mapping[str, Any]", value)
        names, colours = members.get("names", ()), members.get("colours", ())
        try:
            return Classes(
                tuple(str(n) for n in names), tuple((int(r), int(g), int(b)) for r, g, b in colours)
            )
        except (TypeError, ValueError) as error:
            raise ConfigError(f"classes must be names with RGB colours, got {value!r:.200}") from error


@dataclass(frozen=True)
class SizePolicy:
    """How a picture of any size meets the network.

    Attributes:
        mode: `resize`: to `size`, and the probabilities back to the photo's size. `native`: as it is.
        size: `(height, width)` of the network's input; the size trained at, for `native`.
        decoding: How pictures were decoded that it was trained on, and so must be: `whole`, or `scaled`,
            JPEGs no larger than needed (`data.io.read_picture_at`). A file that does not say means `whole`.
    """

    mode: Literal["resize", "native"]
    size: tuple[int, int]
    decoding: Literal["whole", "scaled"] = "whole"

    def __post_init__(self) -> None:
        if self.decoding not in ("whole", "scaled"):
            raise ConfigError(f"pictures are decoded whole or scaled, got {self.decoding!r}")
        if self.mode not in ("resize", "native"):
            raise ConfigError(f"a size policy is resize or native, got {self.mode!r}")
        if len(self.size) != 2 or not all(1 <= n <= 16384 for n in self.size):
            raise ConfigError(f"a size is two whole numbers (height, width) in 1..16384, got {self.size!r}")


@dataclass(frozen=True, eq=False)
class Sample:
    """One labelled picture.

    Attributes:
        name: Unique within its data set: the path under the picture folder, without its ending.
        image: `(H, W, 3) uint8` RGB, upright.
        mask: `(H, W) uint8` train ids, 255 = ignore.

    Raises:
        DataError: The arrays don't have these shapes and types, or differ in size.
    """

    name: str
    image: UInt8Array
    mask: UInt8Array

    def __post_init__(self) -> None:
        check_picture(self.image, self.name)
        check_labels(self.mask, self.name)
        if self.image.shape[:2] != self.mask.shape:
            picture, mask = size_text(self.image.shape), size_text(self.mask.shape)
            raise DataError(f"{self.name}: the picture is {picture} but its mask {mask}")


def size_text(shape: Sequence[int]) -> str:
    """`(480, 640, 3)` as `640x480`: width times height, as people and image viewers say it."""
    return f"{shape[1]}x{shape[0]}"


def check_picture(image: UInt8Array, name: str) -> None:
    """Raises `DataError`, which begins with `name`, unless it is `(H, W, 3) uint8` with pixels."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise DataError(f"{name}: a picture must be (H, W, 3) uint8, got {image.shape} {image.dtype}")


def check_labels(labels: UInt8Array, name: str) -> None:
    """Raises `DataError`, which begins with `name`, unless they are `(H, W) uint8` with pixels."""
    if labels.dtype != np.uint8 or labels.ndim != 2 or 0 in labels.shape:
        raise DataError(f"{name}: labels must be (H, W) uint8, got {labels.shape} {labels.dtype}")


__all__ = [
    "IGNORE",
    "MAX_CLASSES",
    "Classes",
    "Sample",
    "SizePolicy",
    "check_labels",
    "check_picture",
    "size_text",
]
