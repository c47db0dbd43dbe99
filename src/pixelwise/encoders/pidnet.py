"""The three branches of PIDNet: of details (proportional), context (integral) and boundaries (derivative).

Source: J. Xu et al., "PIDNet: A Real-time Semantic Segmentation Network Inspired by PID Controllers", CVPR
2023 (arXiv:2206.02066), figures 3 to 6, and the layer names of the authors' code (MIT). Only the integral
branch is a pyramid, so this is no encoder for other decoders. Knows no classes.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.encoders.resnet import BasicBlock, Bottleneck
from pixelwise.nn.conv import ARITHMETICS, ConvNorm
from pixelwise.nn.guided_fusion import PixelGuide
from pixelwise.nn.pappm import PAPPM
from pixelwise.nn.resample import Fit

_ARITHMETIC = ARITHMETICS["torch"]
_POOLED = 96
"""Channels of each branch of the pyramid."""


class Maps(NamedTuple):
    """What the branches answer, `(N, 4 width, H / 8, W / 8)`, and two maps on the way, half as wide.

    Attributes:
        detail: Of the proportional branch.
        context: Of the integral branch.
        boundary: Of the derivative branch.
        early_detail: After it was guided for the first time; a semantic head reads it in training.
        late_boundary: Before its last layer; a boundary head reads it in training.
    """

    detail: Tensor
    context: Tensor
    boundary: Tensor
    early_detail: Tensor
    late_boundary: Tensor


class PIDBranches(nn.Module):
    """The branches of PIDNet-S and PIDNet-M, up to where they are fused.

    The maps have the sizes that strides make of any picture's, rounded up; nothing is padded.

    Args:
        width: Channels of the first layers.
    """

    strides = (4, 8, 16, 32, 64)
    optional = ("proportional", "derivative", "compress", "guides", "differences", "pyramid")
    """What weights of ImageNet, where nothing is fused, may lack; it begins afresh then."""

    def __init__(self, *, width: int) -> None:
        super().__init__()
        w = width
        self.channels = (w, 2 * w, 4 * w, 8 * w, 16 * w)
        self.stem = nn.Sequential(
            ConvNorm(3, w, stride=2, bias=True, arithmetic=_ARITHMETIC),
            ConvNorm(w, w, stride=2, bias=True, arithmetic=_ARITHMETIC),
        )
        self.integral = nn.ModuleList(
            (
                _basic(w, w, 2),
                _basic(w, 2 * w, 2, stride=2),
                _basic(2 * w, 4 * w, 3, stride=2),
                _basic(4 * w, 8 * w, 3, stride=2),
                _narrowing(8 * w, 16 * w, 2, stride=2),
            )
        )
        self.proportional = nn.ModuleList(
            (
                _basic(2 * w, 2 * w, 2, open_ended=True),
                _basic(2 * w, 2 * w, 2, open_ended=True),
                _narrowing(2 * w, 4 * w, 1),
            )
        )
        self.derivative = nn.ModuleList(
            (_basic(2 * w, w, 1, open_ended=True), _narrowing(w, 2 * w, 1), _narrowing(2 * w, 4 * w, 1))
        )
        self.compress = nn.ModuleList(_plain(4 * w * i, 2 * w, 1) for i in (1, 2))
        self.guides = nn.ModuleList(PixelGuide(2 * w, w) for _ in range(2))
        self.differences = nn.ModuleList(_plain(4 * w * i, w * i, 3) for i in (1, 2))
        self.pyramid = PAPPM(16 * w, _POOLED, 4 * w)
        self.fit = Fit()
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Maps:
        """`(N, 3, H, W)` normalised to the branches' maps."""
        x = self.integral[1](self.integral[0](self.stem(x)))
        detail, boundary = self.proportional[0](x), self.derivative[0](x)
        steps: list[tuple[Tensor, Tensor]] = []
        for number in range(2):
            x = self.integral[2 + number](x)
            # The published heads read these maps after the ReLU, which works in place there.
            detail = F.relu(self.guides[number](detail, self.compress[number](x)))
            boundary = F.relu(boundary + self.fit(self.differences[number](x), boundary))
            steps.append((detail, boundary))
            detail = self.proportional[1 + number](detail)
            boundary = self.derivative[1 + number](boundary)
        context = self.fit(self.pyramid(self.integral[4](x)), boundary)
        return Maps(detail, context, boundary, steps[0][0], steps[1][1])

    def stages(self) -> list[list[nn.Module]]:
        """The layers by the stride of what they read or make of the integral branch, finest first."""
        one, two, three, four, five = self.integral
        late = [self.compress, self.guides, self.differences]
        fused = [list(layers) for layers in zip(*late, strict=True)]
        return [
            [self.stem, one],
            [two],
            [three, self.proportional[0], self.derivative[0], *fused[0]],
            [four, self.proportional[1], self.derivative[1], *fused[1]],
            [five, self.proportional[2], self.derivative[2], self.pyramid],
        ]


def _basic(
    in_channels: int, channels: int, count: int, *, stride: int = 1, open_ended: bool = False
) -> nn.Sequential:
    """Residual blocks of two 3x3 convolutions; the first one changes size and width."""
    return nn.Sequential(
        *(
            BasicBlock(
                channels if place else in_channels,
                channels,
                stride=1 if place else stride,
                arithmetic=_ARITHMETIC,
                activation="relu",
                open_ended=open_ended and place == count - 1,
            )
            for place in range(count)
        )
    )


def _narrowing(in_channels: int, channels: int, count: int, *, stride: int = 1) -> nn.Sequential:
    """Residual blocks that are narrow inside; the first one changes size and width."""
    return nn.Sequential(
        *(
            Bottleneck(
                channels if place else in_channels,
                channels,
                stride=1 if place else stride,
                arithmetic=_ARITHMETIC,
                activation="relu",
            )
            for place in range(count)
        )
    )


def _plain(in_channels: int, out_channels: int, kernel_size: int) -> ConvNorm:
    return ConvNorm(
        in_channels, out_channels, kernel_size=kernel_size, arithmetic=_ARITHMETIC, activation=None
    )


_BRANCHES = {"": ("integral", 1), "_": ("proportional", 3), "_d": ("derivative", 3)}
_ORDER = {"1": "first", "2": "second", "3": "third"}
_PARTS = {"conv": "conv", "bn": "bn", "0": "conv", "1": "bn"}
_PYRAMID = {"scale_process": "process", "compression": "compress", "shortcut": "shortcut", "scale0": "pixel"}
_LAYER = re.compile(r"layer(\d)(_d|_)?\.(?:(\d)\.)?(?:(conv|bn)(\d)|downsample\.(\d))\.(\w+)")
_PAIR = re.compile(r"(compression|diff|pag)(\d)\.(?:f_(x|y)\.)?(\d)\.(\w+)")


def published_name(key: str) -> str | None:
    """Our name of a tensor in the authors' code; None for what lies behind the branches."""
    if found := _LAYER.fullmatch(key):
        layer, branch, block, part, number, place, last = found.groups()
        name, first = _BRANCHES[branch or ""]
        inner = f"{_ORDER[number]}.{_PARTS[part]}" if part else f"project.{_PARTS[place]}"
        return f"{name}.{int(layer) - first}.{block or 0}.{inner}.{last}"
    if found := _PAIR.fullmatch(key):
        kind, layer, side, place, last = found.groups()
        name = {"compression": "compress", "diff": "differences", "pag": "guides"}[kind]
        inner = f"{ {'x': 'fine', 'y': 'coarse'}[side] }." if side else ""
        return f"{name}.{int(layer) - 3}.{inner}{_PARTS[place]}.{last}"
    top, *rest = key.split(".")
    if top == "conv1":
        place = int(rest[0])
        return f"stem.{place // 3}.{('conv', 'bn')[place % 3]}.{rest[1]}"
    if top == "spp":
        part, place, last = rest
        name = _PYRAMID.get(part) or f"windows.{int(part.removeprefix('scale')) - 1}"
        return f"pyramid.{name}.{'conv' if last == 'weight' and place in ('2', '3') else 'bn'}.{last}"
    return None
