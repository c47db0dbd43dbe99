"""Maps as lists of tokens that further tokens join: a ViT's class token, registers, queries.

A list of L tokens is a map `(N, C, 1, L)`, so linear layers, norms and attention of maps work on it as they
are. What depends on a picture's size is here, in functions of our own that whoever watches sees as one call
(`graph.capture`). Knows no network.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function


def join(tokens: Tensor, x: Tensor) -> Tensor:
    """Learned tokens in front of a map's pixels, row by row, or of a list of tokens.

    Args:
        tokens: `(T, C)`, the same for all pictures.
        x: `(N, C, H, W)`.

    Returns:
        `(N, C, 1, T + H W)`.
    """
    given = (tokens, x)
    if has_torch_function(given):
        return cast("Tensor", handle_torch_function(join, given, tokens, x))
    n, c, h, w = x.shape
    pixels = x.permute(0, 2, 3, 1).reshape(n, h * w, c)
    listed = torch.cat([tokens.to(x.dtype).expand(n, *tokens.shape), pixels], dim=1)  # (N, T + H W, C)
    return listed[:, None].permute(0, 3, 1, 2)


def leading(x: Tensor, count: int) -> Tensor:
    """The first tokens of a list `(N, C, 1, L)`: `(N, C, 1, count)`."""
    if has_torch_function((x,)):
        return cast("Tensor", handle_torch_function(leading, (x,), x, count))
    return x[:, :, :, :count]


def as_map(x: Tensor, like: Tensor, skip: int) -> Tensor:
    """The tokens of a list behind the first ones as the map that they were.

    Args:
        x: `(N, C, 1, skip + H W)`.
        like: `(N, C', H, W)`.
        skip: How many tokens stand before the map's.

    Returns:
        `(N, C, H, W)`.
    """
    given = (x, like)
    if has_torch_function(given):
        return cast("Tensor", handle_torch_function(as_map, given, x, like, skip))
    n, c = x.shape[:2]
    h, w = like.shape[2:]
    return x[:, :, 0, skip:].permute(0, 2, 1).reshape(n, h, w, c).permute(0, 3, 1, 2)
