"""Attention between the pixels of maps (Vaswani 2017): each of one looks at all of another, in several heads.

PyTorch's fused kernel computes it, so that the weights of all pairs, `H W h w` of them for each head, are
never in memory. Other runtimes may keep them. Knows no network.
"""

from __future__ import annotations

from typing import cast

import torch.nn.functional as F
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function


def attend(
    query: Tensor, key: Tensor, value: Tensor, heads: int, scale: float, seen: Tensor | None = None
) -> Tensor:
    """For each pixel of `query` the mean of `value`, weighted by how much its `key` is like the query.

    The weights are `softmax(scale * query · key)` over the pixels of `key`, for each head, which is a group
    of neighbouring channels. A torch function of its own for whoever watches (`graph.capture`).

    Args:
        query: `(N, C, H, W)`.
        key: `(N, C, h, w)`.
        value: `(N, C, h, w)`.
        heads: A divisor of C.
        scale: Usually one over the root of a head's channels.
        seen: `(N, 1, H W, h w) bool`: which pixels of `key` each of `query` looks at; all where not given.

    Returns:
        `(N, C, H, W)`.
    """
    given = (query, key, value)
    if has_torch_function(given):
        return cast("Tensor", handle_torch_function(attend, given, query, key, value, heads, scale, seen))
    n, c, h, w = query.shape
    # Each (N, heads, pixels, channels of a head).
    q, k, v = (x.permute(0, 2, 3, 1).reshape(n, -1, heads, c // heads).transpose(1, 2) for x in given)
    y = F.scaled_dot_product_attention(q, k, v, attn_mask=seen, scale=scale)
    return y.transpose(1, 2).reshape(n, h, w, c).permute(0, 3, 1, 2)
