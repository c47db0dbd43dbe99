"""Depthwise convolutions in bfloat16 whose gradients a processor computes in float32.

oneDNN has no fast kernel for some of them. 96 channels, 12 maps of 129x161, stride 2: 115 ms in bfloat16, 27
in float32; 960 channels, 12 maps of 16x20, dilation 2: 60 ms against 19 (PyTorch 2.13, two cores with AMX).
Float32 is also the more exact. Without a stride and a dilation bfloat16 is the faster one. Knows no network.
"""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor


def slow_in_bfloat16(x: Tensor, stride: int, dilation: int, groups: int) -> bool:
    """Whether autocast is about to compute this convolution so that its gradient is slow."""
    return (
        groups == x.shape[1]
        and groups > 1
        and (stride > 1 or dilation > 1)
        and x.device.type == "cpu"
        and torch.is_grad_enabled()
        and torch.is_autocast_enabled("cpu")
        and torch.get_autocast_dtype("cpu") == torch.bfloat16
    )


def depthwise_conv2d(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: tuple[int, int], dilation: int
) -> Tensor:
    """A convolution of each channel by itself, as autocast computes it; gradients in float32.

    Args:
        x: `(N, C, H, W)`.
        weight: `(C m, 1, k, k)`, `m` outputs a channel.
        bias: `(C m,)`.
        stride: Step in both directions.
        padding: Zeros above and below, left and right.
        dilation: Distance of the taps.
    """
    return cast("Tensor", _Depthwise.apply(x, weight, bias, stride, padding, dilation))


class _Depthwise(torch.autograd.Function):
    """The convolution, with its gradients in float32."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: int,
        padding: tuple[int, int],
        dilation: int,
    ) -> Tensor:
        """PyTorch's own convolution."""
        ctx.save_for_backward(x, weight)
        ctx.shape = [stride] * 2, list(padding), [dilation] * 2
        ctx.biased = bias is not None
        return F.conv2d(x, weight, bias, stride, padding, dilation, x.shape[1])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Of input, kernel and bias, each in its own type where it is wanted."""
        (gradient,) = gradients
        x, weight = cast("tuple[Tensor, Tensor]", ctx.saved_tensors)
        stride, padding, dilation = ctx.shape
        wanted = [ctx.needs_input_grad[0], ctx.needs_input_grad[1], False]
        of_x, of_weight, _ = torch.ops.aten.convolution_backward(
            gradient.float(),
            x.float(),
            weight.float(),
            None,
            stride,
            padding,
            dilation,
            False,
            [0, 0],
            x.shape[1],
            wanted,
        )
        return (
            None if of_x is None else of_x.to(x.dtype),
            None if of_weight is None else of_weight.to(weight.dtype),
            gradient.float().sum((0, 2, 3)) if ctx.biased else None,
            None,
            None,
            None,
        )
