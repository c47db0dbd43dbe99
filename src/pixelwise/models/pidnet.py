"""PIDNet: three branches like the three terms of a controller, fused by where boundaries are.

Source: J. Xu, Z. Xiong, S. P. Bhattacharyya, "PIDNet: A Real-time Semantic Segmentation Network Inspired by
PID Controllers", CVPR 2023 (arXiv:2206.02066), and the layers of the authors' code. PIDNet-S has 7,624,683
parameters at 11 classes, and 94,188 more in the two heads that only training has: one for classes, one for
boundaries. The architecture answers at an eighth of the input's size; here that is enlarged bilinearly, as
the source does.
"""

from __future__ import annotations

from torch import Tensor, nn

from pixelwise.encoders import pidnet as branches
from pixelwise.encoders.pidnet import Maps, PIDBranches
from pixelwise.errors import ConfigError
from pixelwise.nn.frame import RepeatedBorder, crop, enlarge, full_precision
from pixelwise.nn.guided_fusion import BoundaryGuide
from pixelwise.nn.norm_act_conv import NormActConv
from pixelwise.nn.normalise import Convention, Normalise
from pixelwise.nn.outputs import AUXILIARY, BOUNDARY, LOGITS

HEAD_CHANNELS = 128


class PIDNet(nn.Module):
    """Raw RGB `(N, 3, H, W)` in 0..255 to logits `(N, K, H, W) float32`, any size.

    Args:
        num_classes: K.
        width: Channels of the first layers: 32 is PIDNet-S, 64 PIDNet-M.
        auxiliary: Both heads that serve training only (`models/auxiliary.py`).
        normalisation: What happens to raw RGB first.

    Raises:
        ConfigError: The width is out of its range.
    """

    native_stride = 8
    frame = RepeatedBorder(8)
    extra_loss = "20*edge + edge_ce"
    """What the boundary is taught with, as published."""

    def __init__(
        self,
        *,
        num_classes: int,
        width: int = 32,
        auxiliary: bool = True,
        normalisation: Convention = "imagenet",
    ) -> None:
        super().__init__()
        if not 1 <= width <= 1024:
            raise ConfigError(f"width must lie in 1..1024, got {width}")
        self.normalise = Normalise(normalisation)
        self.encoder = PIDBranches(width=width)
        self.fuse = BoundaryGuide(4 * width)
        self.head = _head(4 * width, HEAD_CHANNELS, num_classes)
        self.auxiliary = None
        if auxiliary:
            self.auxiliary = nn.ModuleDict(
                {
                    AUXILIARY: _head(2 * width, HEAD_CHANNELS, num_classes),
                    BOUNDARY: _head(2 * width, width, 1),
                }
            )

    def forward(self, x: Tensor) -> Tensor:
        """`(N, 3, H, W)` raw RGB to `(N, K, H, W) float32` logits."""
        return crop(self.framed(self.frame(self.normalise(x))), *x.shape[2:])

    def framed(self, x: Tensor) -> Tensor:
        """Normalised input with its frame to logits that have the picture's in their upper left."""
        return enlarge(full_precision(self.forward_native(x)), self.native_stride)

    def forward_auxiliary(self, x: Tensor) -> dict[str, Tensor]:
        """As `forward`, with the logits of both heads for training beside the network's own."""
        maps = self.encoder(self.frame(self.normalise(x)))
        found = {LOGITS: self._fused(maps)}
        if self.auxiliary is not None:
            found[AUXILIARY] = self.auxiliary[AUXILIARY](maps.early_detail)
            found[BOUNDARY] = self.auxiliary[BOUNDARY](maps.late_boundary)
        return {
            name: crop(enlarge(full_precision(head), self.native_stride), *x.shape[2:])
            for name, head in found.items()
        }

    def forward_native(self, x: Tensor) -> Tensor:
        """Normalised input, its sides multiples of 8, to logits at an eighth of its size."""
        return self._fused(self.encoder(x))

    def _fused(self, maps: Maps) -> Tensor:
        return self.head(self.fuse(maps.detail, maps.context, maps.boundary))


def _head(in_channels: int, channels: int, out_channels: int) -> nn.Sequential:
    """A 3x3 convolution, and a 1x1 one to scores, each after batch normalisation and ReLU."""
    head = nn.Sequential(
        NormActConv(in_channels, channels, kernel_size=3),
        NormActConv(channels, out_channels, bias=True),
    )
    for layer in head.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return head


_HEADS = {
    "final_layer": "head",
    "seghead_p": f"auxiliary.{AUXILIARY}",
    "seghead_d": f"auxiliary.{BOUNDARY}",
}
_FUSED = {"conv_p": "detail", "conv_i": "context"}


def published_name(key: str) -> str | None:
    """Our name of a tensor in the authors' files; None for what is not of the network (a loss's weights)."""
    key = key.removeprefix("module.").removeprefix("model.")
    name = branches.published_name(key)
    if name is not None:
        return f"encoder.{name}"
    top, *rest = key.split(".")
    if top == "dfm":
        return f"fuse.{_FUSED[rest[0]]}.{('conv', 'bn')[int(rest[1])]}.{rest[2]}"
    if top not in _HEADS:
        return None
    part, number = rest[0][:-1], int(rest[0][-1]) - 1
    return f"{_HEADS[top]}.{number}.{part}.{rest[1]}"
