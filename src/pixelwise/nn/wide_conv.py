"""A convolution whose kernel may be larger than its map, as FCN's fc6 is for pictures below 224 pixels.

On a processor the kernel's gradient of such a convolution took oneDNN a minute, where the whole step takes
two seconds with it as one matrix product (7x7 over 5x5, 512 to 4096 channels, 8 pictures, PyTorch 2.13,
AVX2). With a map of the kernel's size and above there is nothing to gain. Knows no network.
"""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.grad import conv2d_input


class WideConv2d(nn.Conv2d):
    """An `nn.Conv2d` of stride 1 that keeps its map's size, for maps of any size.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Height and width of the kernel, odd.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size, padding=kernel_size // 2)

    def forward(self, input: Tensor) -> Tensor:
        """`(N, C, H, W)` to `(N, C', H, W)`."""
        wider = min(input.shape[2:]) < self.weight.shape[-1]
        if wider and self.training and torch.is_grad_enabled() and input.device.type == "cpu":
            return cast("Tensor", _WideConv.apply(input, self.weight, self.bias))
        return super().forward(input)


class _WideConv(torch.autograd.Function):
    """The convolution, with the gradient of its kernel as one matrix product."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """PyTorch's own convolution."""
        ctx.save_for_backward(x, weight, bias)
        return F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of input, kernel and bias, each in its own type."""
        (gradient,) = gradients  # in the type that autocast computed in
        x, weight, bias = cast("tuple[Tensor, Tensor, Tensor]", ctx.saved_tensors)
        size = weight.shape[-1]
        # Patches: (N, C k k, H W) to (N H W, C k k); the gradient: (N, K, H, W) to (K, N H W).
        patches = F.unfold(x.to(gradient.dtype), size, padding=size // 2).transpose(1, 2).flatten(0, 1)
        rows = gradient.transpose(0, 1).flatten(1)
        of_weight = (rows @ patches).view_as(weight).to(weight.dtype)
        of_input = conv2d_input(x.shape, weight.to(gradient.dtype), gradient, padding=size // 2)
        return of_input.to(x.dtype), of_weight, gradient.sum((0, 2, 3)).to(bias.dtype)
