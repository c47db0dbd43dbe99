"""Checkpoints of the Keras tutorials as model files.

    import_keras(Path("oxford_segmentation.keras"), "unet-xception", classes=("pet", "background", "border"))

Knows the tutorials' layer names (`slots`) and Keras' file layouts (`files`); TensorFlow is not needed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from pixelwise.errors import ConfigError, DataError
from pixelwise.from_keras.files import Array, KerasFile, KerasLayer, read_keras
from pixelwise.from_keras.slots import DEPTHWISE, NORM, SEPARABLE, SLOTS, Slot
from pixelwise.header import Architecture, ModelHeader
from pixelwise.models import build_model
from pixelwise.types import Classes, SizePolicy

_SIZES = {"unet-xception": (160, 160), "mobilenet-segnet": (416, 416), "deeplabv3plus": (416, 416)}
"""The tutorials' input sizes, for files that don't say theirs."""


@dataclasses.dataclass(frozen=True, eq=False)
class Imported:
    """A network with a Keras checkpoint's weights, in evaluation mode, and the header for its model file."""

    network: nn.Module
    header: ModelHeader


def import_keras(
    path: Path,
    model: str,
    *,
    classes: Sequence[str],
    normalisation: str = "identity",
    arguments: Mapping[str, Any] | None = None,
    size: tuple[int, int] | None = None,
) -> Imported:
    """Reads a checkpoint of a Keras tutorial into the network that it is of.

    Args:
        path: A `.h5`, `.weights.h5` or `.keras` file.
        model: `unet-xception`, `mobilenet-segnet` or `deeplabv3plus`.
        classes: Names of the classes in the order of the network's outputs.
        normalisation: What the weights were trained on: `identity` for raw 0..255, `unit` for 0..1,
            `symmetric` for -1..1, `imagenet`.
        arguments: The architecture's own, where the checkpoint is of another variant.
        size: `(height, width)` to which pictures are resized; the model's input where the file says it, else
            the tutorial's.

    Raises:
        ConfigError: No such network, or the file is of another one; the message says where they part.
        DataError: The file cannot be read.
    """
    if model not in SLOTS:
        raise ConfigError(f"no Keras checkpoint of {model!r} can be read; of {', '.join(SLOTS)} they can")
    file = read_keras(path)
    given = {**(arguments or {}), "normalisation": normalisation}
    with torch.device("meta"):  # its layers' names and shapes; no weights yet
        blueprint = build_model(model, num_classes=len(classes), arguments=given)
    pairs = _match(SLOTS[model](blueprint), file, path)
    given = {**given, **_epsilon(model, given, pairs, file)}
    network = build_model(model, num_classes=len(classes), arguments=given, seed=0)
    _check_epsilons(network, pairs, file, path)
    expected = {n: t for n, t in network.state_dict().items() if not n.endswith("num_batches_tracked")}
    state: dict[str, torch.Tensor] = {}
    for slot, layer in pairs:
        for name, array in _converted(slot, layer, path).items():
            tensor = torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
            if name not in expected or expected[name].shape != tensor.shape:
                raise ConfigError(_misfit(model, slot, layer, name, expected.get(name), path))
            state[name] = tensor
    missing = sorted(set(expected) - set(state))
    if missing:
        raise ConfigError(
            f"{path}: nothing in it is {model}'s {missing[0]} ({len(missing)} tensors are missing)"
        )
    network.load_state_dict(state, strict=False)  # counters of batches stay at zero
    header = ModelHeader(
        architecture=cast("Architecture", network.architecture),
        classes=Classes(tuple(classes)),
        size_policy=SizePolicy("resize", size or file.size or _SIZES[model]),
        provenance={"imported_from": path.name, "normalisation": normalisation},
    )
    return Imported(network.eval(), header)


def _match(slots: Sequence[Slot], file: KerasFile, path: Path) -> list[tuple[Slot, KerasLayer]]:
    """Finds each slot's layer: by name where names are kept, else by class and order."""
    named = all(layer.name is not None for layer in file.layers)
    pairs = _by_name(slots, file.layers) if named else None
    if pairs is None and all(layer.kind is not None for layer in file.layers):
        pairs = _by_order(slots, file.layers)
    if pairs is None:
        wanted, found = _census(slot.kind for slot in slots), _census(_kind(x) for x in file.layers)
        raise ConfigError(
            f"{path}: its layers are not those of this network: {found}, but {wanted} were expected; "
            "another --model, or other --model-args?"
        )
    return pairs


def _by_name(slots: Sequence[Slot], layers: Sequence[KerasLayer]) -> list[tuple[Slot, KerasLayer]] | None:
    """Named slots by name, numbered ones by their number within the class; None if that does not fit."""
    left = {layer.name: layer for layer in layers}
    found: dict[str, KerasLayer] = {}
    for slot in slots:
        if slot.name is not None:
            if slot.name not in left:
                return None
            found[slot.target] = left.pop(slot.name)
    for kind in {slot.kind for slot in slots if slot.name is None}:
        targets = [slot.target for slot in slots if slot.name is None and slot.kind == kind]
        numbered = sorted((n, name) for name in left if (n := _number(name or "", kind)) is not None)
        if len(numbered) != len(targets):
            return None
        for target, (_, name) in zip(targets, numbered, strict=True):
            found[target] = left.pop(name)
    return None if left else [(slot, found[slot.target]) for slot in slots]


def _number(name: str, kind: str) -> int | None:
    """The number in a name that Keras gave: 0 for `conv2d`, 5 for `conv2d_5`; None for other names."""
    rest = name.removeprefix(kind)
    if rest == name:
        return None
    if not rest:
        return 0
    return int(rest[1:]) if rest[0] == "_" and rest[1:].isdecimal() else None


def _by_order(slots: Sequence[Slot], layers: Sequence[KerasLayer]) -> list[tuple[Slot, KerasLayer]] | None:
    """The n-th layer of a class for the n-th slot of it; None if they are not as many."""
    queues: dict[str, list[KerasLayer]] = {}
    for layer in layers:
        queues.setdefault(layer.kind or "", []).append(layer)
    if _census(slot.kind for slot in slots) != _census(layer.kind or "" for layer in layers):
        return None
    return [(slot, queues[slot.kind].pop(0)) for slot in slots]


def _converted(slot: Slot, layer: KerasLayer, path: Path) -> dict[str, Array]:
    """A Keras layer's weights under our names, in PyTorch's layouts."""
    names: tuple[str, ...]
    arrays = list(layer.arrays)
    if slot.kind == NORM:
        names = ("weight", "bias", "running_mean", "running_var")
    elif slot.kind == SEPARABLE:
        names = ("depthwise", "pointwise", "bias")
        if len(arrays) > 1:
            arrays[0] = _depthwise(arrays[0])
            arrays[1] = arrays[1].transpose(3, 2, 0, 1)
    else:
        names = ("weight", "bias")
        # (h, w, in, out) to (out, in, h, w); transposed: (h, w, out, in) to (in, out, h, w), the same turn.
        turned = arrays[0].ndim == 4
        if turned:
            arrays[0] = _depthwise(arrays[0]) if slot.kind == DEPTHWISE else arrays[0].transpose(3, 2, 0, 1)
    if len(arrays) > len(names):
        raise DataError(
            f"{path}: {layer.name or slot.target} has {len(arrays)} weights; a {slot.kind} has fewer"
        )
    return {f"{slot.target}.{name}": array for name, array in zip(names, arrays, strict=False)}


def _depthwise(kernel: Array) -> Array:
    """`(h, w, channels, multiplier)` to `(channels * multiplier, 1, h, w)`."""
    if kernel.ndim != 4:
        return kernel
    h, w, channels, multiplier = kernel.shape
    return kernel.transpose(2, 3, 0, 1).reshape(channels * multiplier, 1, h, w)


def _epsilon(
    model: str, given: Mapping[str, Any], pairs: Sequence[tuple[Slot, KerasLayer]], file: KerasFile
) -> dict[str, float]:
    """deeplabv3plus' eps where the file says it: ports of it differ."""
    if model != "deeplabv3plus" or "eps" in given:
        return {}
    own = [(slot, layer) for slot, layer in pairs if not slot.target.startswith("encoder.")]
    found = {eps for slot, layer in own if (eps := _stated(slot, layer, file)) is not None}
    return {"eps": found.pop()} if len(found) == 1 else {}


def _check_epsilons(
    network: nn.Module, pairs: Sequence[tuple[Slot, KerasLayer]], file: KerasFile, path: Path
) -> None:
    """What a file says of its normalisation must be what the network computes."""
    for slot, layer in pairs:
        stated = _stated(slot, layer, file)
        eps = getattr(network.get_submodule(slot.target), "eps", None)
        if stated is not None and stated != eps:
            raise ConfigError(
                f"{path}: {layer.name} has epsilon {stated}, but the network's {slot.target} {eps}"
            )


def _stated(slot: Slot, layer: KerasLayer, file: KerasFile) -> float | None:
    if slot.kind != NORM or layer.name is None:
        return None
    epsilon = file.settings.get(layer.name, {}).get("epsilon")
    return float(epsilon) if isinstance(epsilon, (int, float)) else None


def _kind(layer: KerasLayer) -> str:
    """A layer's class, guessed from its name where the file keeps names only; for messages."""
    if layer.kind is not None:
        return layer.kind
    if len(layer.arrays) == 4:
        return NORM
    return "convolutions"


def _census(kinds: Any) -> str:
    """`9 conv2d, 15 batch_normalization`."""
    names = list(kinds)
    return ", ".join(f"{names.count(kind)} {kind}" for kind in sorted(set(names))) or "no layer with weights"


def _misfit(
    model: str, slot: Slot, layer: KerasLayer, name: str, expected: torch.Tensor | None, path: Path
) -> str:
    shapes = ", ".join("x".join(map(str, array.shape)) for array in layer.arrays)
    wanted = "nothing" if expected is None else "x".join(map(str, expected.shape))
    hint = "the number of --classes?" if slot.target == "head" else "another variant (--model-args)?"
    return (
        f"{path}: {layer.name or slot.kind} holds {shapes}, but {model}'s {name} needs {wanted} "
        f"(in PyTorch's order): {hint}"
    )


__all__ = ["SLOTS", "Imported", "import_keras"]
