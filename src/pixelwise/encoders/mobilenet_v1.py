"""MobileNet, the encoder of the Keras tutorials' SegNet.

Source: A. Howard et al., "MobileNets", 2017, arXiv:1704.04861, table 1, as the tutorials' layer table has it:
zeros on both sides at every stride of 2, ReLU6, Keras' batch normalisation.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from torch import Tensor, nn

from pixelwise.encoders.width import check_width
from pixelwise.nn.activation import Activation
from pixelwise.nn.conv import Arithmetic, ConvNorm, SeparableConvNorm

_ARITHMETIC = Arithmetic("symmetric", 1e-3, 0.01)

# (channels at alpha 1, stride) of blocks 1 to 13.
_BLOCKS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *(((512, 1),) * 5),
    *((1024, 2), (1024, 1)),
)
_TAPS = (1, 3, 5, 11, 13)
"""Blocks after which the map is handed out: the last ones before each stride."""


class MobileNetV1(nn.Module):
    """Features f1 to f5 at strides 2, 4, 8, 16, 32.

    Args:
        in_channels: Channels of the input.
        alpha: Factor of all channels.
        depth_multiplier: Outputs of each depthwise convolution per channel.
        activation: After every batch normalisation.

    Raises:
        ConfigError: `alpha` or `depth_multiplier` leave no channel, or are huge.
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        alpha: float = 1.0,
        depth_multiplier: int = 1,
        activation: Activation = "relu6",
    ) -> None:
        super().__init__()
        check_width(in_channels=in_channels, alpha=alpha, depth_multiplier=depth_multiplier)
        widths = [max(1, int(channels * alpha)) for channels, _ in _BLOCKS]
        first = max(1, int(32 * alpha))
        self.channels = tuple(widths[tap - 1] for tap in _TAPS)
        self.strides = (2, 4, 8, 16, 32)
        self.stem = ConvNorm(in_channels, first, stride=2, arithmetic=_ARITHMETIC, activation=activation)
        self.blocks = nn.ModuleList(
            SeparableConvNorm(
                before,
                after,
                stride=stride,
                depth_multiplier=depth_multiplier,
                arithmetic=_ARITHMETIC,
                activation=activation,
            )
            for before, after, (_, stride) in zip([first, *widths], widths, _BLOCKS, strict=False)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """`(N, C, H, W)` normalised to f1 to f5, `(N, channels[i], H / strides[i], W / strides[i])`."""
        x = self.stem(x)
        features: list[Tensor] = []
        for number, block in enumerate(cast("Iterable[nn.Module]", self.blocks), start=1):
            x = block(x)
            if number in _TAPS:
                features.append(x)
        return features

    def stages(self) -> list[list[nn.Module]]:
        """The layers by the feature that they lead to, finest first."""
        blocks, taps = list(self.blocks), _TAPS[: len(self.channels)]
        parts = [blocks[start:tap] for start, tap in zip((0, *taps), taps, strict=False)]
        return [[self.stem, *parts[0]], *parts[1:]]

    def keep(self, level: int) -> None:
        """Drops the blocks after feature `level` (1 to 5), for networks that read no deeper one."""
        self.blocks = self.blocks[: _TAPS[level - 1]]
        self.channels, self.strides = self.channels[:level], self.strides[:level]
