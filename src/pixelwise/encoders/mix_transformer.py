"""Mix Transformer, the encoder of SegFormer: mit_b0, mit_b1 and mit_b2.

Source: E. Xie et al., "SegFormer: Simple and Efficient Design for Semantic Segmentation with Transformers",
NeurIPS 2021 (arXiv:2105.15203), section 3.1 and table 6; eps and initialisation as in its published code.

Tokens stay maps `(N, C, H, W)` throughout. There is no code of positions: a depthwise convolution in each
block tells them, so any size works.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.encoders.width import check_width
from pixelwise.errors import ConfigError
from pixelwise.nn.attention import attend
from pixelwise.nn.channel_norm import ChannelNorm
from pixelwise.nn.drop_path import DropPath
from pixelwise.nn.pointwise import Pointwise, pointwise, trunc_normal_

_HEADS = (1, 2, 5, 8)
_KERNELS = (7, 3, 3, 3)
_STRIDES = (4, 2, 2, 2)
_REDUCTIONS = (8, 4, 2, 1)
"""How much smaller, each way, is the map that a stage's pixels look at."""

_EXPANSION = 4
"""Channels within a block's second half, as a multiple of those outside."""


class MixTransformer(nn.Module):
    """Features at strides 4, 8, 16, 32, of 1, 2, 5 and 8 heads' channels.

    Args:
        blocks: Of each of the four stages.
        width: Channels of a head, at alpha 1.
        in_channels: Channels of the input.
        alpha: Factor of all channels.
        drop_path: Share of the pictures that go around the last block's branches in training; it grows from 0
            at the first block.
        eps: What the norms of blocks, and those that end stages, add to the variance: 1e-6 in the published
            code, 1e-5 in `transformers`. The other norms have 1e-5 in both.

    Raises:
        ConfigError: An argument out of its range.
    """

    def __init__(
        self,
        *,
        blocks: tuple[int, int, int, int],
        width: int,
        in_channels: int,
        alpha: float,
        drop_path: float,
        eps: float,
    ) -> None:
        super().__init__()
        check_width(in_channels=in_channels, alpha=alpha)
        if not 0 <= drop_path < 1:
            raise ConfigError(f"drop_path must lie in 0..1, got {drop_path}")
        if not 0 < eps < 1:
            raise ConfigError(f"eps must lie in 0..1, got {eps}")
        head = max(1, int(width * alpha))
        self.channels = tuple(count * head for count in _HEADS)
        self.strides = (4, 8, 16, 32)
        self.eps = eps
        last = max(1, sum(blocks) - 1)
        layers: list[Stage] = []
        for number, channels in enumerate(self.channels):
            before = sum(blocks[:number])
            layers.append(
                Stage(
                    (in_channels, *self.channels)[number],
                    channels,
                    kernel_size=_KERNELS[number],
                    stride=_STRIDES[number],
                    heads=_HEADS[number],
                    reduction=_REDUCTIONS[number],
                    drop_path=[drop_path * (before + place) / last for place in range(blocks[number])],
                    eps=eps,
                )
            )
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> list[Tensor]:
        """`(N, C, H, W)` normalised to four maps, `(N, channels[i], H / strides[i], W / strides[i])`."""
        features: list[Tensor] = []
        for layer in self.layers:
            x = layer(x)
            features.append(x)
        return features

    def stages(self) -> list[list[nn.Module]]:
        """The layers by the feature that they lead to, finest first."""
        return [[layer] for layer in self.layers]


class Stage(nn.Module):
    """An overlapping patch embedding, transformer blocks, and a norm.

    Args:
        in_channels: Channels of the input.
        channels: Channels of the output.
        kernel_size: Of the embedding.
        stride: Of the embedding; less than the kernel, so that patches overlap.
        heads: Of the attention in each block.
        reduction: How much smaller, each way, is the map that pixels look at.
        drop_path: For each block, the share of pictures that go around its branches in training.
        eps: Of all norms but the embedding's.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        *,
        kernel_size: int,
        stride: int,
        heads: int,
        reduction: int,
        drop_path: list[float],
        eps: float,
    ) -> None:
        super().__init__()
        self.embed = nn.Conv2d(in_channels, channels, kernel_size, stride=stride, padding=kernel_size // 2)
        _fan_out_(self.embed)
        self.embed_norm = ChannelNorm(channels)
        self.blocks = nn.ModuleList(
            Block(channels, heads=heads, reduction=reduction, drop_path=share, eps=eps) for share in drop_path
        )
        self.norm = ChannelNorm(channels, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to `(N, C', ceil(H / stride), ceil(W / stride))`."""
        x = self.embed_norm(self.embed(x))
        for block in cast("Iterable[nn.Module]", self.blocks):
            x = block(x)
        return self.norm(x)


class Block(nn.Module):
    """Attention, then the Mix-FFN, each behind a norm and beside the identity."""

    def __init__(self, channels: int, *, heads: int, reduction: int, drop_path: float, eps: float) -> None:
        super().__init__()
        self.attention_norm = ChannelNorm(channels, eps=eps)
        self.attention = EfficientAttention(channels, heads=heads, reduction=reduction)
        self.mlp_norm = ChannelNorm(channels, eps=eps)
        self.mlp = MixFFN(channels)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to the same."""
        x = x + self.drop_path(self.attention(self.attention_norm(x)))
        return x + self.drop_path(self.mlp(self.mlp_norm(x)))


class EfficientAttention(nn.Module):
    """Each pixel looks at a map that was made smaller first (after W. Wang et al., PVT, ICCV 2021).

    Args:
        channels: Of the map.
        heads: A divisor of them.
        reduction: Kernel and stride of the convolution that makes it smaller; 1 for none.
    """

    def __init__(self, channels: int, *, heads: int, reduction: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = Pointwise(channels, channels)
        self.key_value = Pointwise(channels, 2 * channels)
        self.project = Pointwise(channels, channels)
        for layer in (self.query, self.key_value, self.project):
            trunc_normal_(layer)
        self.reduce: nn.Module = nn.Identity()
        self.reduce_norm: nn.Module = nn.Identity()
        if reduction > 1:
            self.reduce = nn.Conv2d(channels, channels, reduction, stride=reduction)
            _fan_out_(self.reduce)
            self.reduce_norm = ChannelNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to the same; the sides are multiples of the reduction."""
        small = self.reduce_norm(self.reduce(x))
        key, value = (pointwise(small, weight, bias) for weight, bias in self.key_value.parts(2))
        scale = (x.shape[1] // self.heads) ** -0.5
        return self.project(attend(self.query(x), key, value, self.heads, scale))


class MixFFN(nn.Module):
    """Two linear layers with a depthwise 3x3 convolution and a GELU between them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = _EXPANSION * channels
        self.expand = Pointwise(channels, inner)
        self.depthwise = nn.Conv2d(inner, inner, 3, padding=1, groups=inner)
        self.project = Pointwise(inner, channels)
        trunc_normal_(self.expand)
        trunc_normal_(self.project)
        _fan_out_(self.depthwise)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to the same."""
        return self.project(F.gelu(self.depthwise(self.expand(x))))


def _fan_out_(layer: nn.Conv2d) -> None:
    """Normal weights of variance two over the outputs that a pixel reaches (He 2015), biases zero."""
    reached = layer.kernel_size[0] * layer.kernel_size[1] * layer.out_channels // layer.groups
    nn.init.normal_(layer.weight, std=math.sqrt(2 / reached))
    nn.init.zeros_(cast("Tensor", layer.bias))


def mit_b0(
    *, in_channels: int = 3, alpha: float = 1.0, drop_path: float = 0.1, eps: float = 1e-6
) -> nn.Module:
    """Two blocks in each stage, 32 channels a head."""
    return MixTransformer(
        blocks=(2, 2, 2, 2), width=32, in_channels=in_channels, alpha=alpha, drop_path=drop_path, eps=eps
    )


def mit_b1(
    *, in_channels: int = 3, alpha: float = 1.0, drop_path: float = 0.1, eps: float = 1e-6
) -> nn.Module:
    """Two blocks in each stage, 64 channels a head."""
    return MixTransformer(
        blocks=(2, 2, 2, 2), width=64, in_channels=in_channels, alpha=alpha, drop_path=drop_path, eps=eps
    )


def mit_b2(
    *, in_channels: int = 3, alpha: float = 1.0, drop_path: float = 0.1, eps: float = 1e-6
) -> nn.Module:
    """3, 4, 6 and 3 blocks, 64 channels a head."""
    return MixTransformer(
        blocks=(3, 4, 6, 3), width=64, in_channels=in_channels, alpha=alpha, drop_path=drop_path, eps=eps
    )
