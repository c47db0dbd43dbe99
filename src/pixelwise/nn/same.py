"""Convolution and max-pooling with Keras' `same` padding, and the separable convolution.

`same` makes the output `ceil(n / stride)` long. Of the padding that this takes, the smaller half comes first:
a 3x3 kernel with stride 2 on an even size gets nothing above and left, and one row and column below and
right. PyTorch's symmetric `padding=1` samples other pixels; with it, weights trained in Keras give other
answers.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.nn.depthwise import depthwise_conv2d, slow_in_bfloat16

Padding = Literal["same", "symmetric"]


def same_padding(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Zeros before and after one axis of length `size`, so that the output is `ceil(size / stride)` long."""
    reach = dilation * (kernel - 1) + 1
    total = max((-(-size // stride) - 1) * stride + reach - size, 0)
    return total // 2, total - total // 2


def glorot_uniform_(weight: Tensor, *, fan_in: int, fan_out: int) -> None:
    """Fills a kernel evenly from ±sqrt(6 / (fan_in + fan_out)), Keras' default (Glorot and Bengio, 2010)."""
    limit = (6 / (fan_in + fan_out)) ** 0.5
    with torch.no_grad():
        weight.uniform_(-limit, limit)


class SameConv2d(nn.Module):
    """A convolution whose output is as large as its input, but for the stride.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Height and width of the kernel, odd.
        stride: Step in both directions.
        dilation: Distance of the kernel's taps.
        groups: As many as channels make a depthwise convolution.
        bias: Whether one is added.
        padding: Where the zeros of a strided convolution go: as Keras' `same` has it, or as many on either
            side. Without a stride both are the same.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel_size: int,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = True,
        padding: Padding = "same",
    ) -> None:
        super().__init__()
        self.stride, self.dilation, self.groups, self.padding = stride, dilation, groups, padding
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels // groups, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        area = kernel_size**2
        # A depthwise kernel is (h, w, channels, multiplier) in Keras, whose fans are read off that.
        outputs = out_channels // groups if groups > 1 else out_channels
        glorot_uniform_(self.weight, fan_in=in_channels * area, fan_out=outputs * area)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to `(N, C', ceil(H / stride), ceil(W / stride))`."""
        kernel = self.weight.shape[-1]
        if self.stride == 1 or self.padding == "symmetric":
            padding = (self.dilation * (kernel // 2), self.dilation * (kernel // 2))
        else:
            top, bottom = same_padding(x.shape[2], kernel, self.stride, self.dilation)
            left, right = same_padding(x.shape[3], kernel, self.stride, self.dilation)
            padding = (top, left)
            if padding != (bottom, right):
                x, padding = F.pad(x, (left, right, top, bottom)), (0, 0)
        if slow_in_bfloat16(x, self.stride, self.dilation, self.groups):
            return depthwise_conv2d(x, self.weight, self.bias, self.stride, padding, self.dilation)
        return F.conv2d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class SeparableConv2d(nn.Module):
    """A 3x3 convolution of each channel by itself, then a 1x1 one with bias across them (Keras' form).

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Parameter(torch.empty(in_channels, 1, 3, 3))
        self.pointwise = nn.Parameter(torch.empty(out_channels, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        # Keras sees the depthwise kernel as (3, 3, channels, 1): channels * 9 in, 9 out.
        glorot_uniform_(self.depthwise, fan_in=in_channels * 9, fan_out=9)
        glorot_uniform_(self.pointwise, fan_in=in_channels, fan_out=out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to `(N, C', H, W)`."""
        x = F.conv2d(x, self.depthwise, padding=1, groups=x.shape[1])
        return F.conv2d(x, self.pointwise, self.bias)


class SameMaxPool2d(nn.Module):
    """3x3 max-pooling with stride 2 and `same` padding; the padding never wins.

    On an even axis `same` pads only behind, and rounding the output size up visits the same windows without a
    padding of minus infinity, which costs a copy and ruins the calibration of int8 runtimes.
    """

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to `(N, C, ceil(H / 2), ceil(W / 2))`."""
        padding = (x.shape[2] % 2, x.shape[3] % 2)
        return F.max_pool2d(x, 3, 2, padding, ceil_mode=True)
