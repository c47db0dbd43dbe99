"""The inverted residual of MobileNetV2 (Sandler 2018): wide inside, narrow and linear at both ends."""

from __future__ import annotations

from torch import Tensor, nn

from pixelwise.nn.activation import Activation
from pixelwise.nn.conv import Arithmetic, ConvNorm


class InvertedResidual(nn.Module):
    """1x1 expansion, depthwise 3x3, linear 1x1 projection; added to the input where the shapes allow it.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        stride: Of the depthwise convolution.
        dilation: Of the depthwise convolution.
        expansion: How many times wider the middle is; 1 leaves the expansion out.
        arithmetic: Padding, eps and momentum.
        activation: After expansion and depthwise convolution; the projection has none.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        expansion: int = 6,
        arithmetic: Arithmetic,
        activation: Activation = "relu6",
    ) -> None:
        super().__init__()
        wide = in_channels * expansion
        self.residual = stride == 1 and in_channels == out_channels
        self.expand = (
            nn.Identity()
            if expansion == 1
            else ConvNorm(in_channels, wide, kernel_size=1, arithmetic=arithmetic, activation=activation)
        )
        self.depthwise = ConvNorm(
            wide,
            wide,
            stride=stride,
            dilation=dilation,
            groups=wide,
            arithmetic=arithmetic,
            activation=activation,
        )
        self.project = ConvNorm(wide, out_channels, kernel_size=1, arithmetic=arithmetic, activation=None)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to `(N, C', ceil(H / stride), ceil(W / stride))`."""
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y
