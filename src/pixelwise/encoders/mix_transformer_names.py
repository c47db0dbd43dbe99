"""A SegFormer's tensors under the names of its published code, and of `transformers`, as ours.

Both say where a tensor belongs: `backbone.` or `segformer.encoder.` for the encoder (the encoder's own
ImageNet weights have no prefix), `decode_head.` for the rest. `transformers` keeps apart what the published
code has as one layer, keys and values. Knows no file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

_ENCODER = "encoder."

# What stands for a layer's number and a block's: published code counts layers from 1, transformers from 0.
_PUBLISHED = (
    (r"patch_embed(\d)\.proj", "embed"),
    (r"patch_embed(\d)\.norm", "embed_norm"),
    (r"norm(\d)", "norm"),
    (r"block(\d)\.(\d+)\.norm1", "attention_norm"),
    (r"block(\d)\.(\d+)\.attn\.q", "attention.query"),
    (r"block(\d)\.(\d+)\.attn\.kv", "attention.key_value"),
    (r"block(\d)\.(\d+)\.attn\.proj", "attention.project"),
    (r"block(\d)\.(\d+)\.attn\.sr", "attention.reduce"),
    (r"block(\d)\.(\d+)\.attn\.norm", "attention.reduce_norm"),
    (r"block(\d)\.(\d+)\.norm2", "mlp_norm"),
    (r"block(\d)\.(\d+)\.mlp\.fc1", "mlp.expand"),
    (r"block(\d)\.(\d+)\.mlp\.dwconv\.dwconv", "mlp.depthwise"),
    (r"block(\d)\.(\d+)\.mlp\.fc2", "mlp.project"),
)
_TRANSFORMERS = (
    (r"patch_embeddings\.(\d)\.proj", "embed"),
    (r"patch_embeddings\.(\d)\.layer_norm", "embed_norm"),
    (r"layer_norm\.(\d)", "norm"),
    (r"block\.(\d)\.(\d+)\.layer_norm_1", "attention_norm"),
    (r"block\.(\d)\.(\d+)\.attention\.self\.query", "attention.query"),
    (r"block\.(\d)\.(\d+)\.attention\.self\.key", "attention.key_value#0"),
    (r"block\.(\d)\.(\d+)\.attention\.self\.value", "attention.key_value#1"),
    (r"block\.(\d)\.(\d+)\.attention\.output\.dense", "attention.project"),
    (r"block\.(\d)\.(\d+)\.attention\.self\.sr", "attention.reduce"),
    (r"block\.(\d)\.(\d+)\.attention\.self\.layer_norm", "attention.reduce_norm"),
    (r"block\.(\d)\.(\d+)\.layer_norm_2", "mlp_norm"),
    (r"block\.(\d)\.(\d+)\.mlp\.dense1", "mlp.expand"),
    (r"block\.(\d)\.(\d+)\.mlp\.dwconv\.dwconv", "mlp.depthwise"),
    (r"block\.(\d)\.(\d+)\.mlp\.dense2", "mlp.project"),
)
_HEAD = (
    (r"linear_c\.?(\d)\.proj", "embeds"),
    (r"linear_fuse(?:\.conv)?", "fuse"),
    (r"(?:linear_fuse\.bn|batch_norm)", "bn"),
    (r"(?:linear_pred|classifier)", "head"),
)


@dataclass(frozen=True)
class Reference:
    """Tensors of a SegFormer under our names.

    Attributes:
        tensors: As of the whole network: `encoder.layers.0.embed.weight`, `head.bias`. Files of an encoder
            hold the encoder's alone.
        eps: Of the norms of blocks, which the names decide: see `MixTransformer`.
    """

    tensors: Mapping[str, Tensor]
    eps: float


def reference_tensors(given: Mapping[str, Tensor]) -> Reference | None:
    """Of a file's tensors those that a SegFormer has; None where the names are no SegFormer's.

    What other tasks left in the file (a classifier's layer, a head that nobody uses) is left out.
    """
    of_transformers = any(".attention.self." in key for key in given)
    found: dict[str, Tensor] = {}
    halves: dict[str, dict[str, Tensor]] = {}
    for key, tensor in given.items():
        name = _name(key, of_transformers)
        if name is None:
            continue
        whole, part, half = name.partition("#")
        if not part:
            found[name] = tensor
            continue
        half, _, kind = half.partition(".")
        halves.setdefault(f"{whole}.{kind}", {})[half] = tensor
    for name, parts in halves.items():
        if len(parts) == 2:  # with one of them alone the layer is missing, and whoever loads it says so
            found[name] = torch.cat([parts["0"], parts["1"]])
    if not any(name.startswith(_ENCODER) for name in found):
        return None
    return Reference(found, 1e-5 if of_transformers else 1e-6)


def encoder_tensors(reference: Reference) -> dict[str, Tensor]:
    """The encoder's, under the names that it has by itself."""
    return {
        name.removeprefix(_ENCODER): tensor
        for name, tensor in reference.tensors.items()
        if name.startswith(_ENCODER)
    }


def _name(key: str, of_transformers: bool) -> str | None:
    path, _, kind = key.rpartition(".")
    if path.startswith("decode_head."):
        return _head_name(path.removeprefix("decode_head."), kind, of_transformers)
    path = re.sub(r"^(backbone|(segformer\.)?encoder)\.", "", path)
    for pattern, own in _TRANSFORMERS if of_transformers else _PUBLISHED:
        match = re.fullmatch(pattern, path)
        if match is None:
            continue
        layer, *block = match.groups()
        number = int(layer) - (0 if of_transformers else 1)
        place = f"blocks.{block[0]}." if block else ""
        return f"{_ENCODER}layers.{number}.{place}{own}.{kind}"
    return None


def _head_name(path: str, kind: str, of_transformers: bool) -> str | None:
    for pattern, own in _HEAD:
        match = re.fullmatch(pattern, path)
        if match is None:
            continue
        number = f".{int(match[1]) - (0 if of_transformers else 1)}" if match.groups() else ""
        return f"{own}{number}.{kind}"
    return None
