"""Weights that need no file: drawn from the layer's name, so that Keras and PyTorch draw the same ones.

Knows NumPy only. Kernels are drawn in PyTorch's layout; whoever fills a Keras layer transposes them.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


def draw(layer: str, part: str, shape: tuple[int, ...]) -> Array:
    """One tensor: `part` is the last piece of its name in the state dict (`weight`, `running_var`, ...).

    Variances and scales are positive and biases are not zero, so that a forgotten or swapped one shows;
    kernels are sized so that activations neither vanish nor blow up.
    """
    random = np.random.default_rng(zlib.crc32(f"{layer}.{part}".encode()))
    if part in ("running_var", "gamma"):
        values = random.uniform(0.5, 1.5, shape)
    elif len(shape) == 1:
        values = random.normal(0.0, 0.1, shape)
    else:
        # Elements that one output sums over; a depthwise kernel (C, 1, 3, 3) sums over nine.
        values = random.normal(0.0, (1 / np.prod(shape[1:])) ** 0.5, shape)
        if layer.startswith("stem."):
            values /= 100  # raw 0..255 arrives there
    return values.astype(np.float32)


def draw_published(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, npt.NDArray[Any]]:
    """A PyTorch state dict by the names that its authors gave; a weight with one axis scales."""
    drawn: dict[str, npt.NDArray[Any]] = {}
    for key, shape in shapes.items():
        layer, _, part = key.rpartition(".")
        if part == "num_batches_tracked":
            drawn[key] = np.asarray(7)
            continue
        scale = part == "weight" and len(shape) == 1
        drawn[key] = draw(layer, "gamma" if scale else part, shape)
    return drawn


def draw_pictures(count: int, height: int, width: int) -> Array:
    """`(N, H, W, 3)` whole numbers 0..255: waves, so that neighbouring pixels are alike, as in photos."""
    n, y, x, c = np.ogrid[0:count, 0:height, 0:width, 0:3]
    wave = np.sin(0.13 * y * (1 + n) + 0.7 * c) * np.cos(0.09 * x + 0.5 * n) + 0.3 * np.sin(
        0.9 * x + 1.1 * y + c
    )
    return np.round(127.5 + 90 * wave).clip(0, 255).astype(np.float32)


def draw_masks(count: int, height: int, width: int, classes: int) -> npt.NDArray[np.uint8]:
    """`(N, H, W)` train ids in blocks of a few pixels."""
    n, y, x = np.ogrid[0:count, 0:height, 0:width]
    return ((y // 7 + x // 9 + n) % classes).astype(np.uint8)
