"""What a network does to raw RGB before its first layer.

It belongs to the network, so that no caller can forget it. Knows no network and no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from pixelwise.errors import ConfigError

Convention = Literal["identity", "unit", "symmetric", "imagenet", "clip", "dpn"]

# (subtracted, divided by) per RGB channel, in units of 0..255.
_CONVENTIONS: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "identity": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "unit": ((0.0, 0.0, 0.0), (255.0, 255.0, 255.0)),
    "symmetric": ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
    "imagenet": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    "clip": ((122.7709383, 116.7460125, 104.09373615), (68.5005327, 66.6321579, 70.32316305)),
    "dpn": ((124.0, 117.0, 104.0), (1 / 0.0167, 1 / 0.0167, 1 / 0.0167)),
}


_SAME = 0.01
"""Of 255: how far numbers of one convention are apart that different people rounded."""


def convention_of(mean: Sequence[float], deviation: Sequence[float]) -> Convention | None:
    """The convention of a mean and a standard deviation in units of 0..1; None where there is none such."""
    found = tuple(255 * value for value in (*mean, *deviation))
    for name in get_args(Convention):
        known = tuple(value for numbers in _CONVENTIONS[name] for value in numbers)
        if len(found) == len(known) and all(abs(a - b) <= _SAME for a, b in zip(found, known, strict=True)):
            return name
    return None


class Normalise(nn.Module):
    """Brings raw RGB in 0..255 to the range that the weights were trained with.

    Args:
        convention: `identity` (0..255 as it is), `unit` (0..1), `symmetric` (-1..1), `imagenet` (mean and
            standard deviation of ImageNet, as torchvision's weights want it), `clip` (those of the pictures
            that CLIP was trained on, Radford 2021), or `dpn` (those of Dual Path Networks, Chen 2017).

    Raises:
        ConfigError: Another convention.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, convention: Convention) -> None:
        super().__init__()
        if convention not in _CONVENTIONS:
            raise ConfigError(f"normalisation must be one of {', '.join(_CONVENTIONS)}, got {convention!r}")
        self.convention = convention
        mean, deviation = _CONVENTIONS[convention]
        # Constants that the convention's name restores, so they stay out of the state dict.
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", 1 / torch.tensor(deviation).view(1, 3, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, 3, H, W)` raw RGB, any number type, to floating point in the convention's range."""
        if not x.is_floating_point():
            x = x.to(self.mean.dtype)
        return x if self.convention == "identity" else (x - self.mean) * self.scale
