"""How PIDNet's branches read each other: a pixel chooses, by a sigmoid, which of two maps it believes.

Source: J. Xu et al., "PIDNet: A Real-time Semantic Segmentation Network Inspired by PID Controllers", CVPR
2023, sections 3.2 (Pag) and 3.4 (Light-Bag). Knows no network.
"""

from __future__ import annotations

from torch import Tensor, nn

from pixelwise.nn.conv import ARITHMETICS, ConvNorm
from pixelwise.nn.resample import Fit


def _pointwise(in_channels: int, out_channels: int) -> ConvNorm:
    return ConvNorm(
        in_channels, out_channels, kernel_size=1, arithmetic=ARITHMETICS["torch"], activation=None
    )


class PixelGuide(nn.Module):
    """Pag: a fine map takes from a coarse one as much as the two are alike at each pixel.

    Args:
        channels: Of both maps.
        compared: Channels in which they are compared.
    """

    def __init__(self, channels: int, compared: int) -> None:
        super().__init__()
        self.fine = _pointwise(channels, compared)
        self.coarse = _pointwise(channels, compared)
        self.fit = Fit()

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """`(N, C, H, W)` and `(N, C, h, w)`, not larger, to `(N, C, H, W)`."""
        alike = self.fine(fine) * self.fit(self.coarse(coarse), fine)
        trust = alike.sum(1, keepdim=True).sigmoid()  # (N, 1, H, W)
        return (1 - trust) * fine + trust * self.fit(coarse, fine)


class BoundaryGuide(nn.Module):
    """Light-Bag: details where there is a boundary, context where there is none.

    Args:
        channels: Of all maps.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.detail = _pointwise(channels, channels)
        self.context = _pointwise(channels, channels)

    def forward(self, detail: Tensor, context: Tensor, boundary: Tensor) -> Tensor:
        """Three maps `(N, C, H, W)` to one."""
        edge = boundary.sigmoid()
        return self.detail((1 - edge) * context + detail) + self.context(context + edge * detail)
