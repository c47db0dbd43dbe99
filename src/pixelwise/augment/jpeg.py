"""What JPEG compression does to a picture, without writing one: the losses of its quantised 8x8 cosines.

Source: ITU-T T.81 (1992), annexes A and K, tables K.1 and K.2, with the quality scale of the Independent JPEG
Group's encoder and its usual halving of the colour planes (4:2:0).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.augment.draw import Draw

_BLOCK = 8

# fmt: off
_LUMINANCE = np.array([
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17,
    22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78,
    87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
])
_CHROMINANCE = np.array([
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
])
# fmt: on

_TO_YCC = torch.tensor([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
_TO_RGB = torch.tensor([[1.0, 0.0, 1.402], [1.0, -0.344136, -0.714136], [1.0, 1.772, 0.0]])


def jpeg(part: Tensor, draws: Sequence[Draw]) -> Tensor:
    """`(M, 3, H, W)` float32 in 0..255 as it comes back from a JPEG file of the quality that was drawn.

    Picture by picture: a matrix product may round otherwise when the batch is another.
    """
    return torch.stack([_compressed(picture, d.jpeg) for picture, d in zip(part, draws, strict=True)])


def quantisation(quality: int) -> tuple[np.ndarray, np.ndarray]:
    """The steps of brightness and colour, `(64,)` each, row by row, for a quality in 1..100."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    luminance, chrominance = (
        np.clip((table * scale + 50) // 100, 1, 255) for table in (_LUMINANCE, _CHROMINANCE)
    )
    return luminance, chrominance


def _compressed(picture: Tensor, quality: int) -> Tensor:
    """One picture `(3, H, W)` through the codec."""
    height, width = picture.shape[1:]
    bottom, right = -height % (2 * _BLOCK), -width % (2 * _BLOCK)
    padded = F.pad(picture[None], (0, right, 0, bottom), mode="replicate")
    ycc = _mixed(padded.round(), _TO_YCC).round_()  # a codec works on whole numbers between its stages
    luminance, chrominance = (
        torch.from_numpy(steps.astype(np.float32)).to(picture) for steps in quantisation(quality)
    )
    bright = _quantised(ycc[:, :1] - 128, luminance) + 128
    colour = _quantised(F.avg_pool2d(ycc[:, 1:], 2).round_(), chrominance)
    colour = F.interpolate(colour, scale_factor=2, mode="bilinear", align_corners=False)
    back = _mixed(torch.cat([bright, colour], dim=1), _TO_RGB)
    return back[0, :, :height, :width].round_().clamp_(0, 255)


def _mixed(planes: Tensor, matrix: Tensor) -> Tensor:
    """`(1, 3, H, W)` times a `(3, 3)` matrix over the channels."""
    return torch.einsum("oc,nchw->nohw", matrix.to(planes), planes)


def _quantised(planes: Tensor, steps: Tensor) -> Tensor:
    """`(1, C, H, W)`, sides multiples of 8, with each block's cosines rounded to whole steps."""
    _, channels, height, width = planes.shape
    cosines = _cosines().to(planes)
    # (1, C, H, W) -> (C x blocks, 64)
    blocks = planes.reshape(channels, height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK)
    blocks = blocks.permute(0, 1, 3, 2, 4).reshape(-1, _BLOCK * _BLOCK)
    kept = ((blocks @ cosines.T) / steps).round_() * steps
    found = (kept @ cosines).reshape(channels, height // _BLOCK, width // _BLOCK, _BLOCK, _BLOCK)
    return found.permute(0, 1, 3, 2, 4).reshape(1, channels, height, width).round_()


@functools.cache
def _cosines() -> Tensor:
    """The orthonormal two-dimensional DCT-II of a block, `(64, 64)`: row = frequency, column = pixel."""
    k, n = np.mgrid[:_BLOCK, :_BLOCK]
    one = np.cos(np.pi * (2 * n + 1) * k / (2 * _BLOCK)) * np.sqrt(2 / _BLOCK)
    one[0] /= np.sqrt(2)
    return torch.from_numpy(np.kron(one, one).astype(np.float32))
