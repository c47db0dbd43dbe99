"""EoMT: a plain Vision Transformer whose last blocks read queries beside the patches, and nothing else.

Source: T. Kerssies et al., "Your ViT is Secretly an Image Segmentation Model", CVPR 2025 (arXiv:2503.19108),
figure 1 and section 3. Each query has a mask, which is its likeness to the pixels of an enlarged map of the
patches, and a class, or none. The source's score of a class at a pixel is the sum over queries of p(class)
times p(mask); the logits here are its logarithm (`docs/decisions/0017`). Masks have a quarter of the input's
size and are enlarged bilinearly, before the sum, as the source does.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.encoders.vit import PATCH, VisionTransformer
from pixelwise.errors import ConfigError
from pixelwise.models.query_teaching import MaskedQueries
from pixelwise.nn.channel_norm import ChannelNorm
from pixelwise.nn.frame import RepeatedBorder, crop, enlarge
from pixelwise.nn.normalise import Convention, Normalise
from pixelwise.nn.outputs import LOGITS, QUERY_CLASSES, QUERY_MASKS, QUERY_STRIDE
from pixelwise.nn.pointwise import Pointwise
from pixelwise.nn.queries import query_masks, query_votes
from pixelwise.nn.tokens import as_map, join, leading

UPSCALINGS = 2
"""Of the map of patches, each by two: masks have stride 4."""


@dataclass(frozen=True)
class Asked:
    """What queries answer.

    Attributes:
        classes: `(N, K + 1, 1, Q)`, logits; the last class is "no object".
        masks: `(N, Q, H / 4, W / 4)`, logits.
    """

    classes: Tensor
    masks: Tensor


class EoMT(nn.Module):
    """Raw RGB `(N, 3, H, W)` in 0..255 to logits `(N, K, H, W) float32`, any size.

    Args:
        num_classes: K.
        heads: Of the encoder's attention: 6 in the small network, 12 in the base.
        depth: Blocks of the encoder.
        alpha: Factor of the encoder's channels, which are 64 for each head.
        registers: Of the encoder: 0, or 4 for DINOv2's weights with registers.
        queries: How many there are.
        query_blocks: The last blocks, which read the queries: 3 for the small and base encoders.
        auxiliary: Masked attention in training, and what every block's queries answer there
            (`models/query_teaching.py`); it has no weights.
        normalisation: What happens to raw RGB first.

    Raises:
        ConfigError: An argument is out of its range.
    """

    native_stride = PATCH >> UPSCALINGS
    frame = RepeatedBorder(PATCH)
    extra_loss = "mask_classification"
    """What the queries are taught with, as published."""

    def __init__(
        self,
        *,
        num_classes: int,
        heads: int,
        depth: int = 12,
        alpha: float = 1.0,
        registers: int = 0,
        queries: int = 100,
        query_blocks: int = 3,
        auxiliary: bool = True,
        normalisation: Convention = "imagenet",
    ) -> None:
        super().__init__()
        if not 1 <= queries <= 1000:
            raise ConfigError(f"queries must lie in 1..1000, got {queries}")
        self.normalise = Normalise(normalisation)
        self.encoder = VisionTransformer(heads=heads, depth=depth, alpha=alpha, registers=registers)
        if not 1 <= query_blocks <= depth:
            raise ConfigError(f"query_blocks must lie in 1..{depth}, the encoder's depth, got {query_blocks}")
        channels = self.encoder.channels
        self.query_blocks = query_blocks
        self.queries = nn.Parameter(torch.randn(queries, channels))
        self.class_head = Pointwise(channels, num_classes + 1)
        self.mask_head = nn.ModuleList(Pointwise(channels, channels) for _ in range(3))
        self.auxiliary = MaskedQueries(query_blocks) if auxiliary else None
        self.upscale = nn.ModuleList(Upscaling(channels) for _ in range(UPSCALINGS))

    def forward(self, x: Tensor) -> Tensor:
        """`(N, 3, H, W)` raw RGB to `(N, K, H, W) float32` logits."""
        return crop(self.framed(self.frame(self.normalise(x))), *x.shape[2:])

    def framed(self, x: Tensor) -> Tensor:
        """Normalised input with its frame to logits that have the picture's in their upper left."""
        return self._voted(self.asked(x))

    def forward_auxiliary(self, x: Tensor) -> dict[str, Tensor]:
        """Logits, and what queries answer before each block that reads them and after the last.

        Most queries look at the patches of their masks alone at first, and none does at the end.
        """
        patches = self.encoder.patches(self.frame(self.normalise(x)))
        tokens, answers = self._encoded(patches), list[Asked]()
        for number, block in enumerate(self.encoder.layers()[-self.query_blocks :]):
            answers.append(self._ask(tokens, patches))
            seen = None
            if self.auxiliary is not None:
                seen = self.auxiliary.seen(
                    answers[-1].masks, patches, block=number, before=self.encoder.before
                )
            tokens = block(tokens, seen)
        answers.append(self._ask(tokens, patches))
        rows, columns = (-(-side // QUERY_STRIDE) for side in x.shape[2:])
        return {
            LOGITS: crop(self._voted(answers[-1]), *x.shape[2:]),
            QUERY_CLASSES: torch.stack([asked.classes[:, :, 0] for asked in answers], dim=1),
            QUERY_MASKS: torch.stack([crop(asked.masks, rows, columns) for asked in answers], dim=1),
        }

    def forward_native(self, x: Tensor) -> Tensor:
        """Normalised input, its sides multiples of 16, to logits at a quarter of its size."""
        asked = self.asked(x)
        return query_votes(asked.classes, asked.masks)

    def asked(self, x: Tensor) -> Asked:
        """Normalised input, its sides multiples of 16, to what the queries answer."""
        patches = self.encoder.patches(x)
        tokens = self._encoded(patches)
        for block in self.encoder.layers()[-self.query_blocks :]:
            tokens = block(tokens)
        return self._ask(tokens, patches)

    def _encoded(self, patches: Tensor) -> Tensor:
        """The patches through all blocks that read no queries; then the queries stand in front."""
        tokens = self.encoder.listed(patches)
        for block in self.encoder.layers()[: -self.query_blocks]:
            tokens = block(tokens)
        return join(self.queries, tokens)

    def _ask(self, tokens: Tensor, patches: Tensor) -> Asked:
        """What the queries in a list of tokens answer; `patches` has the map's size."""
        tokens = self.encoder.norm(tokens)
        count = len(self.queries)
        queries = leading(tokens, count)
        fine = as_map(tokens, patches, count + self.encoder.before)
        for layer in self.upscale:
            fine = layer(fine)
        asking = queries
        for number, layer in enumerate(self.mask_head):
            asking = layer(F.gelu(asking) if number else asking)
        return Asked(self.class_head(queries), query_masks(asking, fine))

    def _voted(self, asked: Asked) -> Tensor:
        return query_votes(asked.classes, enlarge(asked.masks, self.native_stride))


class Upscaling(nn.Module):
    """A map of twice the size: a transposed convolution, then each channel by itself, and a norm."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.ConvTranspose2d(channels, channels, 2, stride=2)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.norm = ChannelNorm(channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to `(N, C, 2 H, 2 W)`."""
        return self.norm(self.conv2(F.gelu(self.conv1(x))))
