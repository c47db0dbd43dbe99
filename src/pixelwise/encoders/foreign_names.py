"""What published files call the tensors of our encoders. Knows no file."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from pixelwise.encoders import mobilenet_v2, mobilenet_v3, pidnet, resnet
from pixelwise.encoders.vgg16 import torchvision_names

Rename = Callable[[str], "str | None"]
"""Our name of a published tensor; None for one that is not of the network."""


def renamed(tensors: Mapping[str, Tensor], rename: Rename) -> dict[str, Tensor]:
    """The tensors that have a name of ours, under it."""
    return {name: tensor for key, tensor in tensors.items() if (name := rename(key)) is not None}


def _torchvision_vgg(batch_norm: bool) -> Rename:
    layers = torchvision_names(batch_norm)

    def rename(key: str) -> str | None:
        layer, _, part = key.rpartition(".")
        return f"{layers[layer]}.{part}" if layer in layers else None

    return rename


def lenient(rename: Rename) -> Rename:
    """The renaming with None for a name that is of no such network."""

    def careful(key: str) -> str | None:
        try:
            return rename(key)
        except (IndexError, ValueError, KeyError):
            return None

    return careful


NAMES: dict[str, Rename] = {
    "mobilenet_v2": lenient(mobilenet_v2.torchvision_name),
    "mobilenet_v3_large": lenient(mobilenet_v3.large_name),
    "mobilenet_v3_small": lenient(mobilenet_v3.small_name),
    "pidnet": lenient(pidnet.published_name),
    "resnet18": lenient(resnet.torchvision_name),
    "resnet34": lenient(resnet.torchvision_name),
    "vgg16": _torchvision_vgg(False),
    "vgg16_bn": _torchvision_vgg(True),
}
"""For each encoder the renaming of torchvision's file, or of its authors'."""
