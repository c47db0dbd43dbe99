"""A plain Vision Transformer with DINOv2's layers, under timm's names of its tensors.

Sources: A. Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021 (arXiv:2010.11929); M. Oquab et
al., "DINOv2", 2023 (arXiv:2304.07193): a scale for each branch; T. Darcet et al., "Vision Transformers Need
Registers", ICLR 2024 (arXiv:2309.16588). DINOv2's patches are 14 pixels wide; here they are 16, as EoMT has
them, so that strides are powers of two.

Tokens are a map of one row (`nn.tokens`). Without registers the class token has a position embedding, and
with them it has none, as published. Knows no decoder.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.encoders.width import check_width
from pixelwise.errors import ConfigError
from pixelwise.nn.attention import attend
from pixelwise.nn.channel_norm import ChannelNorm
from pixelwise.nn.places import add_places
from pixelwise.nn.pointwise import Pointwise, pointwise, trunc_normal_
from pixelwise.nn.tokens import join

PATCH = 16
"""Side of a patch in pixels."""

GRID = 32
"""Patches on a side of the pictures, 512 pixels wide, whose places the weights know; others interpolate."""

HEAD_CHANNELS = 64
EPS = 1e-6
_MLP_FACTOR = 4


class VisionTransformer(nn.Module):
    """Normalised `(N, 3, H, W)` to tokens; the sides must be multiples of the patch.

    Args:
        heads: Of each attention: 6 in the small network, 12 in the base.
        depth: Blocks.
        alpha: Factor of a head's 64 channels.
        registers: Tokens beside the class token that stand for nothing: 0, or 4 for DINOv2's weights with
            registers.

    Raises:
        ConfigError: An argument is out of its range.
    """

    def __init__(self, *, heads: int, depth: int, alpha: float, registers: int) -> None:
        super().__init__()
        check_width(in_channels=3, alpha=alpha)
        if not 1 <= depth <= 100:
            raise ConfigError(f"depth must lie in 1..100, got {depth}")
        if not 0 <= registers <= 64:
            raise ConfigError(f"registers must lie in 0..64, got {registers}")
        self.channels = channels = heads * max(1, int(HEAD_CHANNELS * alpha))
        self.before = 1 + registers
        self.cls_token = nn.Parameter(torch.zeros(1, 1, channels))
        self.reg_token = nn.Parameter(torch.zeros(1, registers, channels)) if registers else None
        self.pos_embed = nn.Parameter(torch.zeros(1, GRID**2 + (not registers), channels))
        for tokens in (self.cls_token, self.reg_token, self.pos_embed):
            if tokens is not None:
                nn.init.trunc_normal_(tokens, std=0.02)
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, channels, PATCH, stride=PATCH)})
        self.blocks = nn.ModuleList(Block(channels, heads=heads) for _ in range(depth))
        self.norm = ChannelNorm(channels, eps=EPS)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, 3, H, W)` to `(N, C, 1, before + h w)`: class token, registers, patches, normed."""
        tokens = self.listed(self.patches(x))
        for block in self.layers():
            tokens = block(tokens)
        return self.norm(tokens)

    def patches(self, x: Tensor) -> Tensor:
        """`(N, 3, H, W)` to `(N, C, h, w)`: the patches with their places."""
        places = self.pos_embed[0, -(GRID**2) :].t().reshape(-1, GRID, GRID)  # (C, g, g)
        return add_places(self.patch_embed["proj"](x), places)

    def listed(self, patches: Tensor) -> Tensor:
        """`(N, C, h, w)` to `(N, C, 1, before + h w)`: class token and registers join in front."""
        first = self.cls_token[0]
        if self.reg_token is not None:
            first = torch.cat([first, self.reg_token[0]])
        else:
            first = first + self.pos_embed[0, :1]
        return join(first, patches)

    def layers(self) -> list[Block]:
        """The blocks."""
        return list(cast("Iterable[Block]", self.blocks))

    def stages(self) -> list[list[nn.Module]]:
        """The layers by depth: what makes tokens, then each block, the norm with the last one."""
        tokens = [t for t in (self.cls_token, self.reg_token, self.pos_embed) if t is not None]
        stages: list[list[nn.Module]] = [[self.patch_embed, nn.ParameterList(tokens)]]
        for block in self.layers():
            stages.append([block])
        stages[-1].append(self.norm)
        return stages


class Block(nn.Module):
    """Attention, then two linear layers, each behind a norm, scaled, and beside the identity."""

    def __init__(self, channels: int, *, heads: int) -> None:
        super().__init__()
        self.norm1 = ChannelNorm(channels, eps=EPS)
        self.attn = SelfAttention(channels, heads=heads)
        self.ls1 = LayerScale(channels)
        self.norm2 = ChannelNorm(channels, eps=EPS)
        self.mlp = MLP(channels)
        self.ls2 = LayerScale(channels)

    def forward(self, x: Tensor, seen: Tensor | None = None) -> Tensor:
        """`(N, C, 1, L)` to the same.

        Args:
            x: Tokens.
            seen: `(N, 1, L, L) bool`, which tokens (last axis) each of them looks at; all where not given.
        """
        x = x + self.ls1(self.attn(self.norm1(x), seen))
        return x + self.ls2(self.mlp(self.norm2(x)))


class SelfAttention(nn.Module):
    """Each token looks at all of its list, or at those that it may see."""

    def __init__(self, channels: int, *, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = Pointwise(channels, 3 * channels)
        self.proj = Pointwise(channels, channels)
        trunc_normal_(self.qkv)
        trunc_normal_(self.proj)

    def forward(self, x: Tensor, seen: Tensor | None = None) -> Tensor:
        """`(N, C, 1, L)` to the same; `seen` as of `Block`."""
        query, key, value = (pointwise(x, weight, bias) for weight, bias in self.qkv.parts(3))
        scale = (x.shape[1] // self.heads) ** -0.5
        return self.proj(attend(query, key, value, self.heads, scale, seen))


class MLP(nn.Module):
    """Two linear layers with a GELU between them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = Pointwise(channels, _MLP_FACTOR * channels)
        self.fc2 = Pointwise(_MLP_FACTOR * channels, channels)
        trunc_normal_(self.fc1)
        trunc_normal_(self.fc2)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, 1, L)` to the same."""
        return self.fc2(F.gelu(self.fc1(x)))


class LayerScale(nn.Module):
    """A factor for each channel of a branch (H. Touvron et al., CaiT, ICCV 2021).

    It begins at one: DINOv2 begins at 1e-5, where a network without pretrained weights learns next to nothing
    in a short training.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to the same."""
        return x * self.gamma.view(1, -1, 1, 1)
