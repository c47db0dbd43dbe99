"""SegFormer: a Mix Transformer whose features a few linear layers put together.

Source: E. Xie et al., "SegFormer: Simple and Efficient Design for Semantic Segmentation with Transformers",
NeurIPS 2021 (arXiv:2105.15203), section 3.2 and table 6. The architecture answers at a quarter of the input's
size; here that is enlarged bilinearly, as the source does.

As published, every feature goes through a linear layer, is enlarged to stride 4, and one 1x1 convolution
reads all four together: three fifths of `segformer-b2`'s multiply-adds. All of that is linear, and
interpolation weights sum to one, so `forward` takes each feature through the product of its two matrices at
its own size, and adds what is enlarged: exact but for rounding (`docs/decisions/0015`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.encoders import build_encoder
from pixelwise.encoders.mix_transformer_names import reference_tensors
from pixelwise.encoders.tensor_files import read_tensors
from pixelwise.errors import ConfigError
from pixelwise.nn.conv import ARITHMETICS, BatchNorm
from pixelwise.nn.frame import RepeatedBorder, crop, enlarge, full_precision
from pixelwise.nn.normalise import Convention, Normalise
from pixelwise.nn.pointwise import Pointwise, pointwise


class SegFormer(nn.Module):
    """Raw RGB `(N, 3, H, W)` in 0..255 to logits `(N, K, H, W) float32`, any size.

    Args:
        num_classes: K.
        encoder: Where the features come from.
        channels: Of the decoder.
        encoder_arguments: The encoder's own.
        dropout: Share of the decoder's channels that are zeroed in training, whole maps at a time.
        normalisation: What happens to raw RGB first.

    Raises:
        ConfigError: dropout out of 0..1, or another argument that cannot be.
    """

    native_stride = 4

    def __init__(
        self,
        *,
        num_classes: int,
        encoder: str,
        channels: int,
        encoder_arguments: Mapping[str, Any] | None = None,
        dropout: float = 0.1,
        normalisation: Convention = "imagenet",
    ) -> None:
        super().__init__()
        if not 0 <= dropout < 1:
            raise ConfigError(f"dropout must lie in 0..1, got {dropout}")
        self.normalise = Normalise(normalisation)
        self.encoder = build_encoder(encoder, encoder_arguments)
        self.frame = RepeatedBorder(self.encoder.strides[-1])
        self.factors = [stride // self.native_stride for stride in self.encoder.strides]
        self.embeds = nn.ModuleList(Pointwise(inputs, channels) for inputs in self.encoder.channels)
        # Reads the coarsest feature first, as the published weights have it.
        self.fuse = nn.Conv2d(len(self.factors) * channels, channels, 1, bias=False)
        nn.init.kaiming_normal_(self.fuse.weight, mode="fan_out", nonlinearity="relu")
        self.bn = BatchNorm(channels, ARITHMETICS["torch"])
        self.dropout = nn.Dropout2d(dropout)
        self.head = nn.Conv2d(channels, num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, 3, H, W)` raw RGB to `(N, K, H, W) float32` logits."""
        return crop(self.framed(self.frame(self.normalise(x))), *x.shape[2:])

    def framed(self, x: Tensor) -> Tensor:
        """Normalised input with its frame to logits that have the picture's in their upper left."""
        return enlarge(full_precision(self.forward_native(x)), self.native_stride)

    def forward_native(self, x: Tensor) -> Tensor:
        """Normalised input whose sides are multiples of 32 to logits at a quarter of its size."""
        return self._answer(self._fused(self.encoder(x)))

    def forward_published(self, x: Tensor) -> Tensor:
        """The same function, layer by layer as in the source: slower, and the reference of `forward`."""
        height, width = x.shape[2:]
        features = self.encoder(self.frame(self.normalise(x)))
        embedded = [
            enlarge(embed(feature), factor)
            for embed, feature, factor in zip(self.embeds, features, self.factors, strict=True)
        ]
        logits = self._answer(self.fuse(torch.cat(embedded[::-1], dim=1)))
        return crop(enlarge(full_precision(logits), self.native_stride), height, width)

    def _fused(self, features: Sequence[Tensor]) -> Tensor:
        """The features, embedded, enlarged and fused, each by one matrix at its own size."""
        columns = self.fuse.weight[:, :, 0, 0].chunk(len(features), dim=1)[::-1]
        total: Tensor | None = None
        embeds = cast("Iterable[Pointwise]", self.embeds)
        for feature, embed, column, factor in zip(features, embeds, columns, self.factors, strict=True):
            part = enlarge(pointwise(feature, column @ embed.weight, column @ embed.bias), factor)
            total = part if total is None else total + part
        assert total is not None  # noqa: S101 - every encoder has features
        return total

    def _answer(self, fused: Tensor) -> Tensor:
        return self.head(self.dropout(F.relu(self.bn(fused))))


def load_reference(network: SegFormer, path: Path) -> None:
    """Gives a network all the weights of a SegFormer of its published code or of `transformers`.

    Args:
        network: With as many classes as the file has. Its encoder's `eps` must be that of the file's code.
        path: `.safetensors`, or a `.pth` that holds nothing but tensors and settings.

    Raises:
        ConfigError: The file holds another network, or one of another size, or of another code's eps.
        DataError: It cannot be read.
    """
    tensors, _ = read_tensors(path)
    reference = reference_tensors(tensors)
    if reference is None:
        raise ConfigError(
            f"{path}: no tensor has a name of a SegFormer; it holds {', '.join(list(tensors)[:3])} …"
        )
    eps = network.encoder.eps  # pyright: ignore[reportAttributeAccessIssue]
    if eps != reference.eps:
        raise ConfigError(
            f"{path}: these weights belong to eps={reference.eps}, and the network has {eps}: build it with "
            f"encoder_arguments={{'eps': {reference.eps}}}"
        )
    expected = network.state_dict()
    for name, tensor in expected.items():
        if name not in reference.tensors:
            raise ConfigError(f"{path} lacks {name}, so it holds another network, or an encoder alone")
        if reference.tensors[name].shape != tensor.shape:
            raise ConfigError(
                f"{path}: {name} is {tuple(reference.tensors[name].shape)}, but the network needs "
                f"{tuple(tensor.shape)}: take another of segformer-b0 to b2, or as many classes as it has"
            )
    network.load_state_dict({name: reference.tensors[name] for name in expected})
