"""A convolution as the matrix that it is, to see why its transpose is called transposed convolution.

For study and for tests: the matrix of a picture of useful size does not fit in memory. Knows no network.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pixelwise.errors import ConfigError


def conv_matrix(kernel: Tensor, size: tuple[int, int]) -> Tensor:
    """The matrix C of a convolution without padding, of stride 1, over one plane.

    `C @ x.flatten()` is the convolution of `x`, and `C.T @ y.flatten()` the transposed convolution of `y`:
    back to the larger plane's shape, though not to its values (Dumoulin and Visin 2016, chapter 4).

    Args:
        kernel: `(h, w)`. As everywhere in deep learning, it is not turned: a cross-correlation.
        size: `(H, W)` of the plane.

    Returns:
        `((H - h + 1) (W - w + 1), H W)`: a row for each output, a column for each input.

    Raises:
        ConfigError: The kernel is larger than the plane.
    """
    (h, w), (height, width) = kernel.shape, size
    if h > height or w > width:
        raise ConfigError(f"a {h}x{w} kernel does not fit into a {height}x{width} plane")
    rows: list[Tensor] = []
    for top in range(height - h + 1):
        for left in range(width - w + 1):
            plane = torch.zeros(height, width, dtype=kernel.dtype)
            plane[top : top + h, left : left + w] = kernel
            rows.append(plane.flatten())
    return torch.stack(rows)
