"""Any picture size through a network that needs multiples of its stride: pad, run, crop. Knows no network."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


def pad_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """Repeats the last row and column until height and width are multiples.

    Repeating the border shows the network nothing that it does not know from inside pictures; a frame of
    zeros would be a black edge. Padding comes below and right only, so pixel positions stay what they are.
    """
    bottom, right = -x.shape[2] % multiple, -x.shape[3] % multiple
    return F.pad(x, (0, right, 0, bottom), mode="replicate") if bottom or right else x


@dataclass(frozen=True)
class RepeatedBorder:
    """The frame of a network that needs sides which are multiples: the last row and column, repeated."""

    multiple: int

    def side(self, length: int) -> int:
        """The framed side of a picture's side."""
        return -(-length // self.multiple) * self.multiple

    def __call__(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to `(N, C, side(H), side(W))`."""
        return pad_to_multiple(x, self.multiple)


@dataclass(frozen=True, kw_only=True)
class MirroredBorder:
    """The frame of a network whose convolutions don't pad: the picture, mirrored as often as it takes.

    Attributes:
        before: Rows above and columns left.
        lost: Added to a side before it is rounded up to a multiple.
        multiple: Of what is left at the bottom of the network.
        gained: Added to it after.
    """

    before: int
    lost: int
    multiple: int
    gained: int

    def side(self, length: int) -> int:
        """The framed side of a picture's side."""
        return -(-(length + self.lost) // self.multiple) * self.multiple + self.gained

    def __call__(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to `(N, C, side(H), side(W))`."""
        return mirror(x, before=self.before, rows=self.side(x.shape[2]), columns=self.side(x.shape[3]))


Frame = RepeatedBorder | MirroredBorder


def crop(x: Tensor, height: int, width: int) -> Tensor:
    """The upper left `(height, width)` of `(N, C, H, W)`."""
    return x if tuple(x.shape[2:]) == (height, width) else x[:, :, :height, :width]


def enlarge(logits: Tensor, factor: int) -> Tensor:
    """`(N, K, H, W)` at a network's own stride to its input's size, `factor` times larger; bilinear."""
    if factor == 1:
        return logits
    return F.interpolate(logits, scale_factor=factor, mode="bilinear", align_corners=False)


def mirror(x: Tensor, *, before: int, rows: int, columns: int) -> Tensor:
    """Continues a picture beyond its borders by mirroring, as often as it takes; the edge is not repeated.

    `reflect` padding stops at the picture's own size; here a picture of one pixel fills any frame.

    Args:
        x: `(N, C, H, W)`.
        before: Rows above and columns left that are added.
        rows: Rows of the result.
        columns: Columns of the result.

    Returns:
        `(N, C, rows, columns)`.
    """
    y = _mirror_places(x.shape[2], before, rows, x.device)
    return x[:, :, y][:, :, :, _mirror_places(x.shape[3], before, columns, x.device)]


def _mirror_places(size: int, before: int, count: int, device: torch.device) -> Tensor:
    """Which of 0..size-1 stands at each of `count` places from `-before` on: 2 1, then 0 1 2, then 1 0 1."""
    period = max(2 * (size - 1), 1)
    place = (torch.arange(count, device=device) - before) % period
    return torch.minimum(place, period - place) if size > 1 else place * 0


def full_precision(logits: Tensor) -> Tensor:
    """Half-precision logits (autocast) as float32; float64 stays, for tests that compare to many digits."""
    return logits if logits.dtype == torch.float64 else logits.float()
