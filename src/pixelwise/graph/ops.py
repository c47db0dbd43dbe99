"""The operations that a segmentation network consists of in evaluation. Plain values: they compute nothing.

Maps are `(N, C, H, W)`. Weights lie as PyTorch has them: in float32 like the network's own, or in float64
where they were computed of those, so that rewriting rounds nothing. Nothing here depends on the size of a
picture: an operation that did could not be in a graph for pictures of any size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]
Margins = tuple[int, int, int, int]
"""Rows above, columns left, rows below, columns right."""

NO_MARGINS: Margins = (0, 0, 0, 0)


@dataclass(frozen=True, eq=False, kw_only=True)
class Conv:
    """A convolution.

    Attributes:
        weight: `(out, in / groups, h, w)`.
        bias: `(out,)`.
        stride: Step in both directions.
        padding: Zeros around the map.
        dilation: Distance of the kernel's taps.
        groups: Groups of channels that don't see each other.
    """

    weight: Array
    bias: Array | None = None
    stride: int = 1
    padding: Margins = NO_MARGINS
    dilation: int = 1
    groups: int = 1


@dataclass(frozen=True, eq=False, kw_only=True)
class TransposedConv:
    """A transposed convolution.

    Attributes:
        weight: `(in, out / groups, h, w)`.
        bias: `(out,)`.
        stride: How much larger the map becomes.
        padding: Rows and columns cut off on every side.
        groups: Groups of channels that don't see each other.
    """

    weight: Array
    bias: Array | None = None
    stride: int = 1
    padding: int = 0
    groups: int = 1


@dataclass(frozen=True, eq=False)
class Scale:
    """`factor * x + shift`, both `(C,)`: batch normalisation in evaluation, normalisation of RGB."""

    factor: Array
    shift: Array


@dataclass(frozen=True)
class Clamp:
    """Values below `low` become it, and those above `high`; ReLU is (0, None), ReLU6 (0, 6)."""

    low: float
    high: float | None = None


@dataclass(frozen=True)
class Leaky:
    """Values below zero times `slope`."""

    slope: float


@dataclass(frozen=True)
class Sigmoid:
    """`1 / (1 + exp(-x))`."""


@dataclass(frozen=True)
class Tanh:
    """The hyperbolic tangent."""


@dataclass(frozen=True)
class Silu:
    """`x / (1 + exp(-x))`, called swish too."""


@dataclass(frozen=True, eq=False)
class GroupNorm:
    """Groups of neighbouring channels less their mean over the picture, over their deviation; then a scale.

    Attributes:
        groups: A divisor of C.
        weight: `(C,)`, what the result is multiplied by.
        bias: `(C,)`, what is added then.
        eps: Added to the variance.
    """

    groups: int
    weight: Array
    bias: Array
    eps: float


@dataclass(frozen=True)
class HardSigmoid:
    """`x / 6 + 1 / 2`, cut off at 0 and 1."""


@dataclass(frozen=True)
class HardSwish:
    """`x` times its hard sigmoid."""


@dataclass(frozen=True)
class Add:
    """The sum of two maps of one size."""


@dataclass(frozen=True)
class Multiply:
    """The product of two maps of one size, or of one with fewer: one channel, or one row and one column."""


@dataclass(frozen=True)
class ChannelSum:
    """The sum over each pixel's channels: `(N, 1, H, W)`."""


@dataclass(frozen=True)
class Concat:
    """Maps of one size along the other axes, one after the other: channels, rows (2) or columns (3)."""

    axis: int = 1


@dataclass(frozen=True, kw_only=True)
class MaxPool:
    """The largest value of each window; a padding never wins.

    Attributes:
        kernel: Height and width of the window.
        stride: Step in both directions.
        padding: Rows and columns around the map, on every side.
        ceil: Whether a window that only begins in the map counts.
        places: Whether there is a second output: where in the plane each maximum stood.
    """

    kernel: int
    stride: int
    padding: int = 0
    ceil: bool = False
    places: bool = False


@dataclass(frozen=True, kw_only=True)
class MeanPool:
    """The mean of each window, the zeros of a padding counted.

    Attributes:
        kernel: Height and width of the window.
        stride: Step in both directions.
        padding: Rows and columns of zeros around the map, on every side.
    """

    kernel: int
    stride: int
    padding: int = 0


@dataclass(frozen=True)
class Enlarge:
    """A whole factor more rows and columns: repeated, or bilinear between pixels taken as areas."""

    factor: int
    mode: Literal["nearest", "bilinear"]


@dataclass(frozen=True)
class Pad:
    """Zeros around the map."""

    margins: Margins


@dataclass(frozen=True)
class Trim:
    """Rows and columns cut off."""

    margins: Margins


@dataclass(frozen=True)
class Part:
    """The first rows and columns of a map; the last ones where a number is negative, all where it is zero."""

    rows: int
    columns: int


@dataclass(frozen=True)
class Shuffle:
    """Channels dealt out to the places within each pixel: `(N, C * f * f, H, W)` to `(N, C, f * H, f * W)`.

    Source: W. Shi et al., "Real-Time Single Image and Video Super-Resolution", CVPR 2016 (pixel shuffle).
    """

    factor: int


@dataclass(frozen=True)
class Mean:
    """The mean of each channel's plane: `(N, C, 1, 1)`."""


@dataclass(frozen=True)
class Spread:
    """A `(N, C, 1, 1)` map, repeated to the height and width of a second one."""


@dataclass(frozen=True)
class WindowMean:
    """The means of `count` x `count` windows that cover the map, `(N, C, count, count)`.

    Window i of H rows begins at row `i H / count`, rounded down, and ends before row `(i + 1) H / count`,
    rounded up; so windows overlap where H is no multiple.
    """

    count: int


@dataclass(frozen=True)
class Fit:
    """A map at the height and width of a second one, bilinear between pixels taken as areas."""


@dataclass(frozen=True)
class UnpoolCorner:
    """Each value in the upper left of a block of zeros, `factor` high and wide."""

    factor: int


@dataclass(frozen=True)
class UnpoolPlaces:
    """Values put back where a max-pooling of 2x2 windows found them, zeros around; the places come second."""


@dataclass(frozen=True)
class Gelu:
    """`x` times the share of a standard normal distribution below `x` (Hendrycks 2016); exact, by erf."""


@dataclass(frozen=True)
class GeluTanh:
    """GELU's approximation, `x (1 + tanh(√(2 / π) (x + 0.044715 x³))) / 2`."""


@dataclass(frozen=True, eq=False)
class ChannelNorm:
    """Layer normalisation over the channels of each pixel.

    Attributes:
        weight: `(C,)`.
        bias: `(C,)`.
        eps: Added to the variance.
    """

    weight: Array
    bias: Array
    eps: float


@dataclass(frozen=True)
class Attention:
    """Query, key and value maps to the mean of values, weighted by `softmax(scale * query · key)`.

    The pixels of the query's map look at those of the others', which are as large as each other. Channels
    are those of one head after the other. A ViT's tokens are a map of one row, see `Join`.
    """

    heads: int
    scale: float


@dataclass(frozen=True, eq=False)
class AddPlaces:
    """The sum of a map and an embedding of places at the map's size; see `nn.places`.

    Attributes:
        places: `(C, h, w)`.
    """

    places: Array


@dataclass(frozen=True, eq=False)
class Join:
    """Tokens in front of a map's pixels, row by row: `(N, C, 1, T + H W)`.

    Attributes:
        tokens: `(T, C)`.
    """

    tokens: Array


@dataclass(frozen=True)
class AsMap:
    """The tokens behind the first `skip` of a list `(N, C, 1, L)` as a map of the sides of a second one."""

    skip: int


@dataclass(frozen=True)
class QueryMasks:
    """How much each pixel of the second map is like each of `count` queries, the pixels of the first one."""

    count: int


@dataclass(frozen=True)
class QueryVotes:
    """Classes of queries `(N, K + 1, 1, Q)` and their masks `(N, Q, H, W)` to `(N, K, H, W)`.

    The logarithm of the sum over queries of p(class) times p(mask), the last class left out.

    Attributes:
        classes: K.
        least: Added before the logarithm.
    """

    classes: int
    least: float


Op = (
    Conv
    | TransposedConv
    | Scale
    | Clamp
    | Leaky
    | Sigmoid
    | Tanh
    | HardSigmoid
    | HardSwish
    | Silu
    | GroupNorm
    | Add
    | Multiply
    | ChannelSum
    | Concat
    | MaxPool
    | MeanPool
    | Enlarge
    | Pad
    | Trim
    | Part
    | Shuffle
    | Mean
    | Spread
    | WindowMean
    | Fit
    | UnpoolCorner
    | UnpoolPlaces
    | Gelu
    | GeluTanh
    | ChannelNorm
    | Attention
    | AddPlaces
    | Join
    | AsMap
    | QueryMasks
    | QueryVotes
)
