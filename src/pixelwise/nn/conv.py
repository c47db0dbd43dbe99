"""Convolution, batch normalisation, activation, in the arithmetic of Keras or of PyTorch.

Both frameworks call the layers alike and compute different numbers: Keras pads stride 2 behind only and adds
1e-3 to the variance, PyTorch pads both sides and adds 1e-5. Weights answer rightly in the arithmetic that
they were trained in, so it is an argument. Knows no network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.nn.activation import Activation, make_activation
from pixelwise.nn.same import Padding, SameConv2d

Framework = Literal["keras", "torch"]


@dataclass(frozen=True)
class Arithmetic:
    """What frameworks do differently under the same layer names.

    Attributes:
        padding: Where a strided convolution's zeros go.
        eps: What batch normalisation adds to the variance.
        momentum: Share of a batch in its running statistics, as PyTorch counts it (1 - Keras' momentum).
    """

    padding: Padding
    eps: float
    momentum: float


ARITHMETICS: dict[str, Arithmetic] = {
    "keras": Arithmetic("same", 1e-3, 0.01),
    "torch": Arithmetic("symmetric", 1e-5, 0.1),
}


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation that also takes a batch with one value per channel while training.

    One value has no variance. That happens to a pooled feature of a single picture; it is then normalised by
    the running statistics, which stay as they are, where PyTorch's own layer raises an error and Keras'
    answers with the bias alone.
    """

    def __init__(self, channels: int, arithmetic: Arithmetic) -> None:
        super().__init__(channels, eps=arithmetic.eps, momentum=arithmetic.momentum)

    def forward(self, input: Tensor) -> Tensor:
        """`(N, C, H, W)` to the same."""
        if self.training and input.shape[0] * input.shape[2] * input.shape[3] == 1:
            return F.batch_norm(
                input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(input)


class ConvNorm(nn.Module):
    """A convolution that keeps its input's size (but for the stride), batch normalisation, activation.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Height and width of the kernel.
        stride: Step in both directions.
        dilation: Distance of the kernel's taps; 2 and more is an atrous convolution.
        groups: As many as channels make a depthwise convolution.
        bias: Whether the convolution has one; batch normalisation brings its own.
        arithmetic: Padding, eps and momentum.
        activation: None for none.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel_size: int = 3,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = False,
        arithmetic: Arithmetic,
        activation: Activation | None = "relu",
    ) -> None:
        super().__init__()
        self.conv = SameConv2d(
            in_channels,
            out_channels,
            kernel_size=kernel_size,
            stride=stride,
            dilation=dilation,
            groups=groups,
            bias=bias,
            padding=arithmetic.padding,
        )
        self.bn = BatchNorm(out_channels, arithmetic)
        self.act = nn.Identity() if activation is None else make_activation(activation)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to `(N, C', ceil(H / stride), ceil(W / stride))`."""
        return self.act(self.bn(self.conv(x)))


class SeparableConvNorm(nn.Module):
    """A depthwise convolution and a 1x1 one, each with batch normalisation and activation (Chollet 2017).

    The form of MobileNet (Howard 2017) and of DeepLabv3+'s decoder (Chen 2018).

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        stride: Step of the depthwise convolution.
        dilation: Distance of its taps.
        depth_multiplier: Outputs of the depthwise convolution per channel.
        arithmetic: Padding, eps and momentum.
        activation: After each of the two.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        depth_multiplier: int = 1,
        arithmetic: Arithmetic,
        activation: Activation = "relu",
    ) -> None:
        super().__init__()
        middle = in_channels * depth_multiplier
        self.depthwise = ConvNorm(
            in_channels,
            middle,
            stride=stride,
            dilation=dilation,
            groups=in_channels,
            arithmetic=arithmetic,
            activation=activation,
        )
        self.pointwise = ConvNorm(
            middle, out_channels, kernel_size=1, arithmetic=arithmetic, activation=activation
        )

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to `(N, C', ceil(H / stride), ceil(W / stride))`."""
        return self.pointwise(self.depthwise(x))
