"""The size at which a network answers: an output stride, at the picture's own size or at an input size.

Knows sizes only. Sizes are (height, width).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pixelwise.ceiling.axis import Axis
from pixelwise.errors import ConfigError
from pixelwise.types import size_text

Policy = Literal["native", "resize", "letterbox"]

STRIDES = (2, 4, 8, 16, 32)
"""Those at which networks answer, or would without a decoder."""

MOST_GRIDS = 32
"""Of one run: more is a slip, and no table shows them."""

_LARGEST = 16384


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Where a network answers for a picture.

    Attributes:
        stride: One answer for so many pixels of the input, each way. The input is padded below and right to
            a multiple, by its last row and column, and the answer is cropped back.
        size: `(height, width)` of the input; None for the picture's own.
        policy: `native`: the picture as it is. `resize`: squashed to `size`. `letterbox`: its aspect kept,
            as large as `size` has room for, in its upper left.

    Raises:
        ConfigError: A number out of range, or a size without a policy that uses it.
    """

    stride: int
    size: tuple[int, int] | None = None
    policy: Policy = "native"

    def __post_init__(self) -> None:
        if not 1 <= self.stride <= _LARGEST:
            raise ConfigError(f"a stride is a whole number in 1..{_LARGEST}, got {self.stride}")
        if self.policy not in ("native", "resize", "letterbox"):
            raise ConfigError(f"a policy is native, resize or letterbox, got {self.policy!r}")
        if (self.size is None) != (self.policy == "native"):
            raise ConfigError("resize and letterbox need a size, and native has none")
        if self.size is not None and not all(1 <= side <= _LARGEST for side in self.size):
            raise ConfigError(
                f"a size is two whole numbers (height, width) in 1..{_LARGEST}, got {self.size}"
            )

    @property
    def name(self) -> str:
        """For people, e.g. `stride 4` or `320x240 / 4`, width times height."""
        if self.size is None:
            return f"stride {self.stride}"
        return size_text(self.size) + (f" / {self.stride}" if self.stride > 1 else "")

    def axes(self, size: tuple[int, int]) -> tuple[Axis, Axis]:
        """Rows and columns of a picture of `size` on this grid."""
        taken = size
        if self.size is not None:
            taken = _fitted(size, self.size) if self.policy == "letterbox" else self.size
        return Axis.of(size[0], taken[0], self.stride), Axis.of(size[1], taken[1], self.stride)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        size = None if self.size is None else list(self.size)
        return {"name": self.name, "stride": self.stride, "size": size, "policy": self.policy}


def make_grids(
    strides: Sequence[int] = (),
    sizes: Sequence[tuple[int, int]] = (),
    policy: Literal["resize", "letterbox"] = "resize",
) -> tuple[Grid, ...]:
    """Every stride at every size.

    Args:
        strides: Where not given: those of `STRIDES`, or 1 where there are sizes.
        sizes: Input sizes; none for each picture's own.
        policy: How a picture gets such a size.

    Raises:
        ConfigError: A number out of range, one that stands there twice, or too many.
    """
    chosen = tuple(strides) or ((1,) if sizes else STRIDES)
    grids = (
        tuple(Grid(stride=stride, size=size, policy=policy) for size in sizes for stride in chosen)
        if sizes
        else tuple(Grid(stride=stride) for stride in chosen)
    )
    if len(set(grids)) < len(grids):
        raise ConfigError(f"strides and sizes must differ, got {list(chosen)} and {list(sizes)}")
    if len(grids) > MOST_GRIDS:
        raise ConfigError(f"{len(grids)} strides times sizes are more than the {MOST_GRIDS} that go in a run")
    return grids


def _fitted(size: tuple[int, int], room: tuple[int, int]) -> tuple[int, int]:
    """The largest size of the same aspect that fits; each side rounded, and at least one pixel."""
    height, width = size
    if room[0] * width <= room[1] * height:  # the height decides
        return room[0], max(1, (2 * width * room[0] + height) // (2 * height))
    return max(1, (2 * height * room[1] + width) // (2 * width)), room[1]
