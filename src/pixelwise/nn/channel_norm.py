"""Layer normalisation over the channels of each pixel (Ba 2016): a transformer's, on maps instead of tokens.

Knows no network.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import handle_torch_function, has_torch_function


def channel_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Each pixel less the mean of its channels, over their deviation; then `weight * x + bias`.

    A torch function of its own for whoever watches (`graph.capture`).

    Args:
        x: `(N, C, H, W)`.
        weight: `(C,)`.
        bias: `(C,)`.
        eps: Added to the variance, which is the biased one.
    """
    given = (x, weight, bias)
    if has_torch_function(given):
        return cast("Tensor", handle_torch_function(channel_norm, given, x, weight, bias, eps))
    return F.layer_norm(x.permute(0, 2, 3, 1), weight.shape, weight, bias, eps).permute(0, 3, 1, 2)


class ChannelNorm(nn.Module):
    """`channel_norm` with its weights, which begin as the identity.

    Args:
        channels: Of the map.
        eps: Added to the variance.
    """

    def __init__(self, channels: int, *, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to the same."""
        return channel_norm(x, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """For printing."""
        return f"{len(self.weight)}, eps={self.eps}"
