"""Nearest upsampling by two, and what a convolution on either side of it can save: exact to rounding.

Three identities, with `up` for nearest upsampling by two:

1. A 1x1 convolution and `up` commute: `conv(up(x)) = up(conv(x))`, at a quarter of the work.
2. A 3x3 convolution after `up` sees each input pixel up to four times. Sorted by the parity of the output
   position it is four 2x2 convolutions of the small map ("phases"), interleaved: one transposed convolution
   with a 4x4 kernel, stride 2 and padding 1, whose weights are sums of the 3x3 ones. 2.25 times less work.
3. A transposed convolution of stride 1 is a convolution with the kernel turned by 180 degrees.

The derivation of (2) along one axis, with w[-1], w[0], w[1] the kernel and up(x)[i] = x[i // 2]:

    y[2m]     = w[-1] x[m-1] + (w[0] + w[1]) x[m]
    y[2m + 1] = (w[-1] + w[0]) x[m] + w[1] x[m+1]

and a transposed convolution y[i] = sum over m of x[m] k[i - 2m + 1] is the same for
k = (w[1], w[0] + w[1], w[-1] + w[0], w[-1]).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.nn.same import SameConv2d, glorot_uniform_

# Rows: k[0..3]; columns: w[-1], w[0], w[1].
_PHASES = ((0.0, 0.0, 1.0), (0.0, 1.0, 1.0), (1.0, 1.0, 0.0), (1.0, 0.0, 0.0))


def phase_kernel(kernel: Tensor) -> Tensor:
    """The 4x4 kernel of a stride-2 transposed convolution that equals a 3x3 convolution after `up`.

    Args:
        kernel: `(out, in, 3, 3)`, as `conv2d` takes it.

    Returns:
        `(in, out, 4, 4)`, as `conv_transpose2d` takes it with stride 2 and padding 1. Linear in `kernel`, so
        gradients reach it.
    """
    phases = torch.tensor(_PHASES, dtype=kernel.dtype, device=kernel.device)
    return phases @ kernel.transpose(0, 1) @ phases.T


def upsample_conv(x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    """`conv2d(up(x), kernel, bias, padding=1)` without the large map: `(N, C, H, W)` to `(N, C', 2H, 2W)`."""
    return F.conv_transpose2d(x, phase_kernel(kernel), bias, stride=2, padding=1)


def add_upsampled(large: Tensor, small: Tensor) -> Tensor:
    """`large + up(small)`.

    Adding by broadcasting, without the upsampled map, saves 2 ms of the way forward and costs 20 times as
    much backward: PyTorch's sum over the blocks is slow where its upsampling's gradient is not.

    Args:
        large: `(N, C, 2H, 2W)`.
        small: `(N, C, H, W)`.

    Returns:
        `(N, C, 2H, 2W)`.
    """
    return large + F.interpolate(small, scale_factor=2, mode="nearest")


class Conv2dTranspose(nn.Module):
    """A transposed 3x3 convolution of stride 1 with bias and `same` padding.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(in_channels, out_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        # Keras reads the fans off its (3, 3, out, in) kernel: in * 9 and out * 9, whichever way round.
        glorot_uniform_(self.weight, fan_in=in_channels * 9, fan_out=out_channels * 9)

    def kernel(self) -> Tensor:
        """The `(out, in, 3, 3)` kernel of the plain convolution that computes the same."""
        return self.weight.flip(2, 3).transpose(0, 1)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to `(N, C', H, W)`, as published."""
        return F.conv_transpose2d(x, self.weight, self.bias, padding=1)

    def as_convolution(self, x: Tensor) -> Tensor:
        """The same by a plain convolution, for which runtimes have better code."""
        return F.conv2d(x, self.kernel(), self.bias, padding=1)

    def after_upsampling(self, x: Tensor) -> Tensor:
        """The same as `forward(up(x))`: `(N, C, H, W)` to `(N, C', 2H, 2W)`."""
        return upsample_conv(x, self.kernel(), self.bias)


class UpsampledConv2d(SameConv2d):
    """A 3x3 convolution that follows an upsampling: a `SameConv2d` that can take both in one."""

    def after_upsampling(self, x: Tensor) -> Tensor:
        """The same as `forward(up(x))`: `(N, C, H, W)` to `(N, C', 2H, 2W)`."""
        return upsample_conv(x, self.weight, self.bias)


class Add(nn.Module):
    """The sum of two maps, as a layer, so that it has a row in the layer table."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Two `(N, C, H, W)` to one."""
        return a + b
