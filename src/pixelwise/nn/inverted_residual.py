"""The inverted residual of MobileNetV2 (Sandler 2018) and V3 (Howard 2019): wide inside, narrow outside."""

from __future__ import annotations

from torch import Tensor, nn

from pixelwise.nn.activation import Activation
from pixelwise.nn.conv import Arithmetic, ConvNorm
from pixelwise.nn.squeeze import SqueezeExcitation


class InvertedResidual(nn.Module):
    """1x1 expansion, depthwise convolution, linear 1x1 projection; added to the input where shapes allow it.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        wide: Channels of the middle; as many as the input has leave the expansion out.
        kernel_size: Of the depthwise convolution.
        stride: Of the depthwise convolution.
        dilation: Of the depthwise convolution.
        squeezed: Channels inside a squeeze-and-excitation after the depthwise convolution; 0 for none.
        arithmetic: Padding, eps and momentum.
        activation: After expansion and depthwise convolution; the projection has none.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        wide: int,
        kernel_size: int = 3,
        stride: int = 1,
        dilation: int = 1,
        squeezed: int = 0,
        arithmetic: Arithmetic,
        activation: Activation = "relu6",
    ) -> None:
        super().__init__()
        self.residual = stride == 1 and in_channels == out_channels
        self.expand = (
            nn.Identity()
            if wide == in_channels
            else ConvNorm(in_channels, wide, kernel_size=1, arithmetic=arithmetic, activation=activation)
        )
        self.depthwise = ConvNorm(
            wide,
            wide,
            kernel_size=kernel_size,
            stride=stride,
            dilation=dilation,
            groups=wide,
            arithmetic=arithmetic,
            activation=activation,
        )
        self.squeeze = SqueezeExcitation(wide, squeezed) if squeezed else nn.Identity()
        self.project = ConvNorm(wide, out_channels, kernel_size=1, arithmetic=arithmetic, activation=None)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to `(N, C', ceil(H / stride), ceil(W / stride))`."""
        y = self.project(self.squeeze(self.depthwise(self.expand(x))))
        return x + y if self.residual else y
