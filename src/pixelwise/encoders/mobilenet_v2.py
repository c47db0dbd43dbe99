"""MobileNetV2, the encoder of DeepLabv3+.

Source: M. Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018, table 2, up to
its last bottleneck: the 1280 channels after it serve classification. Smaller output strides by dilation as in
L.-C. Chen et al., "Rethinking Atrous Convolution", 2017.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, cast

from torch import Tensor, nn

from pixelwise.encoders.width import check_width, divisible_by_8
from pixelwise.errors import ConfigError
from pixelwise.nn.activation import Activation
from pixelwise.nn.conv import ARITHMETICS, ConvNorm, Framework
from pixelwise.nn.inverted_residual import InvertedResidual

# (expansion, channels, blocks, stride of the first) of each stage.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
_TAPS = (0, 2, 5, 12, 16)
"""Blocks, from 0, after which the map is handed out."""


class MobileNetV2(nn.Module):
    """Features of 16, 24, 32, 96 and 320 channels (at alpha 1) at strides 2, 4, 8, 16, 32.

    Args:
        in_channels: Channels of the input.
        alpha: Factor of all channels, which are then rounded to multiples of 8.
        output_stride: 8 or 16 keep the deeper maps larger and dilate their convolutions instead: at 8 by 2
            from block 7 and by 4 from block 14.
        arithmetic: `keras` or `torch`: the framework whose padding and constants the weights were trained
            with.
        activation: After expansions and depthwise convolutions.

    Raises:
        ConfigError: An argument out of its range.
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        alpha: float = 1.0,
        output_stride: Literal[8, 16, 32] = 32,
        arithmetic: Framework = "keras",
        activation: Activation = "relu6",
    ) -> None:
        super().__init__()
        check_width(in_channels=in_channels, alpha=alpha)
        if output_stride not in (8, 16, 32):
            raise ConfigError(f"output_stride must be 8, 16 or 32, got {output_stride}")
        numbers = ARITHMETICS[arithmetic]
        channels = divisible_by_8(32 * alpha)
        self.stem = ConvNorm(in_channels, channels, stride=2, arithmetic=numbers, activation=activation)
        blocks: list[InvertedResidual] = []
        taps: list[tuple[int, int]] = []  # (channels, stride) of the features
        stride, dilation = 2, 1
        for expansion, width, count, stage_stride in _STAGES:
            out = divisible_by_8(width * alpha)
            for place in range(count):
                step, own_dilation = (stage_stride if place == 0 else 1), dilation
                if step == 2 and stride == output_stride:
                    # The stride is given up here; what follows looks twice as far instead.
                    step, dilation = 1, 2 * dilation
                blocks.append(
                    InvertedResidual(
                        channels,
                        out,
                        stride=step,
                        dilation=own_dilation,
                        wide=channels * expansion,
                        arithmetic=numbers,
                        activation=activation,
                    )
                )
                channels, stride = out, stride * step
                if len(blocks) - 1 in _TAPS:
                    taps.append((channels, stride))
        self.blocks = nn.ModuleList(blocks)
        self.channels = tuple(width for width, _ in taps)
        self.strides = tuple(step for _, step in taps)

    def forward(self, x: Tensor) -> list[Tensor]:
        """`(N, C, H, W)` normalised to five maps, `(N, channels[i], H / strides[i], W / strides[i])`."""
        x = self.stem(x)
        features: list[Tensor] = []
        for number, block in enumerate(cast("Iterable[nn.Module]", self.blocks)):
            x = block(x)
            if number in _TAPS:
                features.append(x)
        return features

    def stages(self) -> list[list[nn.Module]]:
        """The layers by the feature that they lead to, finest first."""
        blocks, starts = list(self.blocks), (0, *(tap + 1 for tap in _TAPS))
        parts = [blocks[start : tap + 1] for start, tap in zip(starts, _TAPS, strict=False)]
        return [[self.stem, *parts[0]], *parts[1:]]


def torchvision_name(key: str) -> str | None:
    """Our name of a tensor in torchvision's MobileNetV2; None for its classifier."""
    top, *rest = key.split(".")
    if top != "features":
        return None
    number = int(rest[0])
    if number == 0:
        return f"stem.{'conv' if rest[1] == '0' else 'bn'}.{rest[2]}"
    if number == 18:
        return None
    # Block 1 has no expansion, so its parts are counted from the depthwise convolution.
    parts = ("depthwise", "project") if number == 1 else ("expand", "depthwise", "project")
    place = int(rest[2])
    last = len(parts) - 1
    if place < last:
        return f"blocks.{number - 1}.{parts[place]}.{'conv' if rest[3] == '0' else 'bn'}.{rest[4]}"
    return f"blocks.{number - 1}.project.{'conv' if place == last else 'bn'}.{rest[3]}"
