"""Pretrained weights of encoders: published ones, or a file of the user's.

Weights bring the conventions that they were trained with (the range of their pictures, the framework's
arithmetic), and the network follows. Knows no decoder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pixelwise.encoders.foreign_names import NAMES, Rename, lenient, renamed
from pixelwise.encoders.mix_transformer_names import encoder_tensors, reference_tensors
from pixelwise.encoders.published import IMAGENET, fetch_published
from pixelwise.encoders.tensor_files import read_tensors
from pixelwise.encoders.timm_encoder import PREFIX, timm_convention
from pixelwise.encoders.timm_weights import fetch_timm, own_tensors
from pixelwise.encoders.vit_weights import DINOV2, dinov2_tensors, fetch_dinov2
from pixelwise.errors import ConfigError, DataError
from pixelwise.files import sha256_of
from pixelwise.progress import Progress

_ENCODER = "encoder."
_AUTHORS = {"pidnet": "its authors"}
_MIX_TRANSFORMERS = ("mit_b0", "mit_b1", "mit_b2")


@dataclass(frozen=True)
class Pretrained:
    """Weights under the encoder's own names, and what they ask of the network.

    Attributes:
        origin: Where they come from, for messages.
        tensors: The encoder's state dict, perhaps with more in it than a shortened encoder has.
        normalisation: The convention of their pictures; None where the file does not say.
        arguments: Arguments that the encoder must have.
        rest: What the network has beside its encoder, under the network's names, where the file has it.
        sha256: Of the file that they come from, in lower-case hexadecimal.
    """

    origin: str
    tensors: Mapping[str, Tensor]
    sha256: str
    normalisation: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])
    rest: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])


def read_pretrained(
    encoder: str,
    source: str,
    *,
    whole: Rename | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Pretrained:
    """Reads weights for an encoder, and fetches them first where they are published ones.

    Args:
        encoder: A key of `ENCODERS`, or the name of an encoder of timm.
        source: `imagenet`, or a file: torchvision's `.pth` (or the same tensors as `.safetensors`), for a
            Mix Transformer its published code's or `transformers`', for an encoder of timm timm's own
            `.safetensors`, or a pixelwise model file whose network has this encoder.
        whole: The network's names of the tensors in its authors' files, which hold more than the encoder.
        cache: Folder for fetched files; the user's cache folder where not given.
        progress: Told of bytes that come.

    Raises:
        ConfigError: There are no such weights, or the file is of another kind or holds others.
        DataError: They cannot be fetched, or the file cannot be read.
    """
    of_timm = encoder.startswith(PREFIX)
    if source == IMAGENET:
        if of_timm:
            path = fetch_timm(encoder, cache=cache)
        elif encoder in DINOV2:
            path = fetch_dinov2(encoder, cache=cache)
        else:
            path = fetch_published(encoder, cache=cache, progress=progress)
    else:
        path = Path(source).expanduser()
        if not path.is_file():
            raise ConfigError(f"{source}: no such weights; give {IMAGENET}, or a .pth or .safetensors file")
    if of_timm and path.suffix != ".safetensors":
        raise ConfigError(
            f"{path}: weights of an encoder of timm are a .safetensors file; others are not opened because "
            "they could run code"
        )
    tensors, header = read_tensors(path)
    if header is not None:
        return _from_model_file(encoder, path, tensors, header)
    if of_timm:
        own = own_tensors(encoder, tensors, path)
        return Pretrained(str(path), own, sha256_of(path), timm_convention(encoder))
    return _from_published(encoder, path, tensors, whole)


def load_pretrained(encoder: nn.Module, pretrained: Pretrained) -> None:
    """Gives an encoder its pretrained weights; the first layer is adapted to its number of channels.

    Deeper layers that the encoder was shortened by are left out; everything that it has must be there, but
    for what it calls `optional`.

    Raises:
        ConfigError: Tensors are missing or of another shape, as with another alpha.
    """
    expected = encoder.state_dict()
    given = dict(pretrained.tensors)
    first = next(iter(expected))
    kernel = expected[first].ndim == 4 and first in given and given[first].ndim == 4
    if kernel and given[first].shape[1] == 3 != expected[first].shape[1]:
        given[first] = adapt_first_layer(given[first], expected[first].shape[1])
    optional: tuple[str, ...] = getattr(encoder, "optional", ())
    for name, tensor in expected.items():
        if name.endswith("num_batches_tracked") or name.startswith(optional):
            given.setdefault(name, tensor)
        if given.get(name) is tensor:
            continue
        if name not in given:
            raise ConfigError(f"{pretrained.origin}: the weights lack {name}, so they are of another encoder")
        if given[name].shape != tensor.shape:
            raise ConfigError(
                f"{pretrained.origin}: {name} is {tuple(given[name].shape)}, but the encoder needs "
                f"{tuple(tensor.shape)}; its width (alpha) must be that of the weights"
            )
    # An encoder without data ("meta"), built to check that weights fit, takes the tensors themselves.
    encoder.load_state_dict({name: given[name] for name in expected}, assign=expected[first].is_meta)


def load_rest(network: nn.Module, pretrained: Pretrained) -> None:
    """Gives a network what its authors' file holds beside the encoder.

    Heads for other numbers of classes keep their fresh weights, and heads that the network was built without
    are left out.

    Raises:
        ConfigError: A tensor is of another shape in more than its outputs.
    """
    expected = network.state_dict()
    fitting: dict[str, Tensor] = {}
    for name, tensor in pretrained.rest.items():
        wanted = expected.get(name)
        if wanted is None:
            continue
        if wanted.shape[1:] != tensor.shape[1:]:
            raise ConfigError(
                f"{pretrained.origin}: {name} is {tuple(tensor.shape)}, but the network needs "
                f"{tuple(wanted.shape)}; its arguments must be those of the weights"
            )
        if wanted.shape == tensor.shape:
            fitting[name] = tensor
    meta = any(tensor.is_meta for tensor in expected.values())
    network.load_state_dict(fitting, strict=False, assign=meta)


def adapt_first_layer(weight: Tensor, in_channels: int) -> Tensor:
    """A first kernel for RGB made into one for another number of channels.

    One channel gets the sum, which answers to a grey picture as before to its three equal channels. More
    channels repeat R, G, B in turn, scaled by 3 / channels so that the response keeps its size.

    Args:
        weight: `(out, 3, h, w)`.
        in_channels: 1 and more.

    Returns:
        `(out, in_channels, h, w)`.
    """
    if in_channels == 1:
        return weight.sum(dim=1, keepdim=True)
    if in_channels == 3:
        return weight
    return weight[:, torch.arange(in_channels) % 3] * (3 / in_channels)


def _from_published(
    encoder: str, path: Path, tensors: Mapping[str, Tensor], whole: Rename | None
) -> Pretrained:
    """Published names as ours; the pictures are standardised, the arithmetic is PyTorch's."""
    if encoder in _MIX_TRANSFORMERS:
        return _from_segformer(encoder, path, tensors)
    if whole is not None and (found := renamed(tensors, lenient(whole))):
        parts, rest = _parted(found)
        if parts:
            return Pretrained(str(path), parts, sha256_of(path), IMAGENET, rest=rest)
    if encoder in DINOV2:
        own, registers = dinov2_tensors(encoder, tensors, path)
        return Pretrained(str(path), own, sha256_of(path), IMAGENET, {"registers": registers})
    if encoder not in NAMES:
        able = ", ".join((*NAMES, *_MIX_TRANSFORMERS, *DINOV2))
        raise ConfigError(f"{path}: no foreign weights can be read for {encoder}; for {able} they can")
    own = renamed(tensors, NAMES[encoder])
    if not own:
        raise ConfigError(
            f"{path}: no tensor has a name of {_AUTHORS.get(encoder, 'torchvision')}'s {encoder}; it holds "
            f"{', '.join(list(tensors)[:3])} …"
        )
    arguments = {"arithmetic": "torch"} if encoder == "mobilenet_v2" else {}
    return Pretrained(str(path), own, sha256_of(path), IMAGENET, arguments)


def _from_segformer(encoder: str, path: Path, tensors: Mapping[str, Tensor]) -> Pretrained:
    """The encoder of a SegFormer, or a Mix Transformer by itself; its pictures are standardised."""
    reference = reference_tensors(tensors)
    if reference is None:
        raise ConfigError(
            f"{path}: no tensor has a name of a Mix Transformer, so it is not {encoder}'s; it holds "
            f"{', '.join(list(tensors)[:3])} …"
        )
    own = encoder_tensors(reference)
    return Pretrained(str(path), own, sha256_of(path), IMAGENET, {"eps": reference.eps})


def _parted(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """A network's tensors: those of its encoder under the encoder's names, and all others."""
    parts = {
        name.removeprefix(_ENCODER): tensor for name, tensor in tensors.items() if name.startswith(_ENCODER)
    }
    return parts, {name: tensor for name, tensor in tensors.items() if not name.startswith(_ENCODER)}


def _from_model_file(encoder: str, path: Path, tensors: Mapping[str, Tensor], header: str) -> Pretrained:
    """The encoder of a network that pixelwise trained, with the conventions that it was trained with."""
    try:
        arguments = json.loads(header)["architecture"]["arguments"]
        own = dict(arguments.get("encoder_arguments") or {})
        convention = str(arguments["normalisation"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{path} has a damaged header ({error}): copy it again") from error
    parts, _ = _parted(tensors)
    if not parts:
        raise ConfigError(f"{path}: its network has no encoder of its own to take weights from")
    named = arguments.get("encoder")
    if named is not None and named != encoder:
        raise ConfigError(f"{path}: its encoder is {named}, and {encoder} was asked for")
    own.pop("in_channels", None)
    own.pop("drop_path", None)  # how it was trained, and nothing that the weights need
    return Pretrained(str(path), parts, sha256_of(path), convention, own)
