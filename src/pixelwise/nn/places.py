"""Position embeddings, learned for one size of map and brought to any other.

By bicubic interpolation that is antialiased where the map is the smaller one, as timm and PyTorch have it
(Keys 1981 with a = -1/2, the filter as wide as an output pixel): two matrix products, whose sums run in one
order everywhere. Knows no network.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from pixelwise.nn.exact import no_autocast


def add_places(x: Tensor, places: Tensor) -> Tensor:
    """A map and an embedding of its places; a torch function of its own for whoever watches.

    Args:
        x: `(N, C, H, W)`.
        places: `(C, h, w)`.

    Returns:
        `(N, C, H, W)`.
    """
    given = (x, places)
    if has_torch_function(given):
        return cast("Tensor", handle_torch_function(add_places, given, x, places))
    if places.shape[1:] != x.shape[2:]:
        rows, columns = (
            cubic_weights(old, new).to(places.device, places.dtype)
            for old, new in zip(places.shape[1:], x.shape[2:], strict=True)
        )
        # Position embeddings are float32 parameters, whose interpolation autocast would round.
        with no_autocast(x.device):
            places = rows @ places @ columns.t()
    return x + places.to(x.dtype)


def cubic_weights(old: int, new: int) -> Tensor:
    """The weights `(new, old) float64` of `old` places in each of `new`; each row sums to one.

    In units of `1 / (2 * new)` places every centre is a whole number.
    """
    outputs = (2 * torch.arange(new) + 1) * old
    inputs = (2 * torch.arange(old) + 1) * new
    t = (outputs[:, None] - inputs).abs().double() / (2 * max(old, new))
    far = t.clamp(max=2)
    heights = torch.where(t < 1, (1.5 * t - 2.5) * t * t + 1, ((2.5 - 0.5 * far) * far - 4) * far + 2)
    return heights / heights.sum(1, keepdim=True)
