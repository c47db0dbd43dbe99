"""A linear layer of every pixel by itself, with a linear layer's weight: `(out, in)`, not `(out, in, 1, 1)`.

The same as a 1x1 convolution. Transformers have linear layers over tokens; here tokens stay the pixels of a
map, and where its channels lie last in memory (channels_last) no byte is moved for that. Knows no network.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import handle_torch_function, has_torch_function


def pointwise(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """`(N, C, H, W)` to `(N, C', H, W)`; a torch function of its own for whoever watches (`graph.capture`).

    Args:
        x: A map.
        weight: `(C', C)`.
        bias: `(C',)`.
    """
    given = (x, weight) if bias is None else (x, weight, bias)
    if has_torch_function(given):
        return cast("Tensor", handle_torch_function(pointwise, given, x, weight, bias))
    return F.linear(x.permute(0, 2, 3, 1), weight, bias).permute(0, 3, 1, 2)


class Pointwise(nn.Module):
    """A linear layer from channels to channels, its weights as `nn.Linear` begins with them.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        layer = nn.Linear(in_channels, out_channels)
        self.weight, self.bias = layer.weight, layer.bias

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to `(N, C', H, W)`."""
        return pointwise(x, self.weight, self.bias)

    def parts(self, count: int) -> list[tuple[Tensor, Tensor]]:
        """Weight and bias of the layers that it can be cut into, each with its share of the outputs."""
        return list(zip(self.weight.chunk(count), self.bias.chunk(count), strict=True))

    def extra_repr(self) -> str:
        """For printing."""
        outputs, inputs = self.weight.shape
        return f"{inputs}, {outputs}"


def trunc_normal_(layer: Pointwise) -> None:
    """Begins with small weights, as transformers do: a deviation of 0.02, biases zero (Dosovitskiy 2021)."""
    nn.init.trunc_normal_(layer.weight, std=0.02)
    with torch.no_grad():
        layer.bias.zero_()
