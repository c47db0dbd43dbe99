"""MobileNetV3, large and small, the encoder of LR-ASPP.

Source: A. Howard et al., "Searching for MobileNetV3", ICCV 2019 (arXiv:1905.02244), tables 1 and 2, up to the
1x1 convolution before the pooling: what follows serves classification. In torchvision's arithmetic: zeros on
both sides of a stride, 1e-3 added to the variance, an hard sigmoid in the squeezes. Its dilated form dilates
the block that gives up its stride as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Literal, NamedTuple, cast

from torch import Tensor, nn

from pixelwise.encoders.width import check_width, divisible_by_8
from pixelwise.errors import ConfigError
from pixelwise.nn.activation import Activation
from pixelwise.nn.conv import Arithmetic, ConvNorm
from pixelwise.nn.inverted_residual import InvertedResidual

_ARITHMETIC = Arithmetic("symmetric", 1e-3, 0.01)

_STEM = 16
_LAST = 6
"""How many times wider than the last block the convolution after it is."""

_HS: Activation = "hard-swish"


class _Row(NamedTuple):
    """A row of the paper's table: a block."""

    kernel: int
    wide: int
    channels: int
    squeeze: bool
    activation: Activation
    stride: int


_LARGE = (
    _Row(3, 16, 16, False, "relu", 1),
    _Row(3, 64, 24, False, "relu", 2),
    _Row(3, 72, 24, False, "relu", 1),
    _Row(5, 72, 40, True, "relu", 2),
    _Row(5, 120, 40, True, "relu", 1),
    _Row(5, 120, 40, True, "relu", 1),
    _Row(3, 240, 80, False, _HS, 2),
    _Row(3, 200, 80, False, _HS, 1),
    _Row(3, 184, 80, False, _HS, 1),
    _Row(3, 184, 80, False, _HS, 1),
    _Row(3, 480, 112, True, _HS, 1),
    _Row(3, 672, 112, True, _HS, 1),
    _Row(5, 672, 160, True, _HS, 2),
    _Row(5, 960, 160, True, _HS, 1),
    _Row(5, 960, 160, True, _HS, 1),
)
_SMALL = (
    _Row(3, 16, 16, True, "relu", 2),
    _Row(3, 72, 24, False, "relu", 2),
    _Row(3, 88, 24, False, "relu", 1),
    _Row(5, 96, 40, True, _HS, 2),
    _Row(5, 240, 40, True, _HS, 1),
    _Row(5, 240, 40, True, _HS, 1),
    _Row(5, 120, 48, True, _HS, 1),
    _Row(5, 144, 48, True, _HS, 1),
    _Row(5, 288, 96, True, _HS, 2),
    _Row(5, 576, 96, True, _HS, 1),
    _Row(5, 576, 96, True, _HS, 1),
)


class MobileNetV3(nn.Module):
    """Features at strides 2, 4, 8, 16 and 32; the last one after the 1x1 convolution.

    Args:
        rows: The blocks.
        in_channels: Channels of the input.
        alpha: Factor of all channels, which are then rounded to multiples of 8.
        output_stride: 16 keeps the deepest maps larger and dilates their convolutions by 2 instead.
        tap: Which block of those that share a stride hands out its map: the `last`, or the `first`, as in
            torchvision's segmentation networks.

    Raises:
        ConfigError: An argument out of its range.
    """

    def __init__(
        self,
        *,
        rows: tuple[_Row, ...],
        in_channels: int,
        alpha: float,
        output_stride: Literal[16, 32],
        tap: Literal["first", "last"],
    ) -> None:
        super().__init__()
        check_width(in_channels=in_channels, alpha=alpha)
        if output_stride not in (16, 32):
            raise ConfigError(f"output_stride must be 16 or 32, got {output_stride}")
        if tap not in ("first", "last"):
            raise ConfigError(f"tap must be first or last, got {tap!r}")
        channels = divisible_by_8(_STEM * alpha)
        self.stem = ConvNorm(in_channels, channels, stride=2, arithmetic=_ARITHMETIC, activation=_HS)
        blocks: list[InvertedResidual] = []
        reached, widths = [2], [channels]  # nominal stride and channels after stem and blocks
        for row in rows:
            reached.append(reached[-1] * row.stride)
            dilated = reached[-1] > output_stride
            wide, width = (divisible_by_8(count * alpha) for count in (row.wide, row.channels))
            blocks.append(
                InvertedResidual(
                    widths[-1],
                    width,
                    wide=wide,
                    kernel_size=row.kernel,
                    stride=1 if dilated else row.stride,
                    dilation=2 if dilated else 1,
                    squeezed=divisible_by_8(wide // 4) if row.squeeze else 0,
                    arithmetic=_ARITHMETIC,
                    activation=row.activation,
                )
            )
            widths.append(width)
        self.blocks = nn.ModuleList(blocks)
        last = widths[-1] * _LAST
        self.last = ConvNorm(widths[-1], last, kernel_size=1, arithmetic=_ARITHMETIC, activation=_HS)
        groups = [list(group) for _, group in groupby(range(len(reached)), key=lambda place: reached[place])]
        end = 0 if tap == "first" else -1
        # 0 is the stem; the deepest feature is what comes after the blocks.
        self.taps = tuple(group[end] for group in groups[:-1])
        self.channels = (*(widths[place] for place in self.taps), last)
        self.strides = (*(reached[place] for place in self.taps), min(output_stride, reached[-1]))

    def forward(self, x: Tensor) -> list[Tensor]:
        """`(N, C, H, W)` normalised to five maps, `(N, channels[i], H / strides[i], W / strides[i])`."""
        x = self.stem(x)
        features = [x] if 0 in self.taps else []
        for number, block in enumerate(cast("Iterable[nn.Module]", self.blocks), start=1):
            x = block(x)
            if number in self.taps:
                features.append(x)
        return [*features, self.last(x)]

    def stages(self) -> list[list[nn.Module]]:
        """The layers by the feature that they lead to, finest first."""
        layers = [self.stem, *self.blocks, self.last]
        ends = (*(place + 1 for place in self.taps), len(layers))
        return [layers[start:end] for start, end in zip((0, *ends), ends, strict=False)]


def mobilenet_v3_large(
    *,
    in_channels: int = 3,
    alpha: float = 1.0,
    output_stride: Literal[16, 32] = 32,
    tap: Literal["first", "last"] = "last",
) -> nn.Module:
    """MobileNetV3-Large: features of 16, 24, 40, 112 and 960 channels at alpha 1."""
    return MobileNetV3(
        rows=_LARGE, in_channels=in_channels, alpha=alpha, output_stride=output_stride, tap=tap
    )


def mobilenet_v3_small(
    *,
    in_channels: int = 3,
    alpha: float = 1.0,
    output_stride: Literal[16, 32] = 32,
    tap: Literal["first", "last"] = "last",
) -> nn.Module:
    """MobileNetV3-Small: features of 16, 16, 24, 48 and 576 channels at alpha 1."""
    return MobileNetV3(
        rows=_SMALL, in_channels=in_channels, alpha=alpha, output_stride=output_stride, tap=tap
    )


def torchvision_name(key: str, *, blocks: int) -> str | None:
    """Our name of a tensor in torchvision's MobileNetV3; None for its classifier.

    Args:
        key: Its name there.
        blocks: Of the network: 15 of the large one, 11 of the small one.
    """
    top, *rest = key.split(".")
    if top != "features":
        return None
    number, *rest = int(rest[0]), *rest[1:]
    if number in (0, blocks + 1):
        return f"{'last' if number else 'stem'}.{_layer(rest[0])}.{rest[1]}"
    place, *rest = int(rest[1]), *rest[2:]
    # Which parts a block has: without an expansion the first is missing, and without a squeeze the third.
    rows = _LARGE if blocks == len(_LARGE) else _SMALL
    row, before = rows[number - 1], rows[number - 2].channels if number > 1 else _STEM
    parts = [
        *(["expand"] if row.wide != before else []),
        "depthwise",
        *(["squeeze"] if row.squeeze else []),
        "project",
    ]
    part = parts[place]
    name = {"fc1": "reduce", "fc2": "expand"}[rest[0]] if part == "squeeze" else _layer(rest[0])
    return f"blocks.{number - 1}.{part}.{name}.{rest[1]}"


def large_name(key: str) -> str | None:
    """`torchvision_name` of the large network."""
    return torchvision_name(key, blocks=len(_LARGE))


def small_name(key: str) -> str | None:
    """`torchvision_name` of the small network."""
    return torchvision_name(key, blocks=len(_SMALL))


def _layer(place: str) -> str:
    """Convolution and batch normalisation by their places in torchvision's triple."""
    return {"0": "conv", "1": "bn"}[place]
