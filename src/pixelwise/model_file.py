"""The one file that holds a trained network: weights, classes, size policy, and where it came from.

A `.safetensors` file whose metadata carries one JSON document under the key `pixelwise`. Nothing in it is
code and nothing is unpickled: a file from a stranger can at worst be refused. Knows no data set and no
training.
"""

from __future__ import annotations

import dataclasses
import json
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from pixelwise.errors import ConfigError, ModelFileError
from pixelwise.files import write_whole
from pixelwise.header import KEY, Architecture, ModelHeader
from pixelwise.models import build_model
from pixelwise.models.auxiliary import deployed_arguments, deployed_state

FORMAT = 2
"""Version of the header: 1 with weights as the network has them, 2 with kernels in float16. The lowest that
says everything is written; a reader refuses newer ones, and older ones it must go on reading."""

_MAX_HEADER = 64 << 20  # bytes; a header of our largest network is below one MiB


def save_model(path: Path, network: torch.nn.Module, header: ModelHeader, *, half: bool = False) -> None:
    """Writes a model file, whole or not at all; auxiliary heads, which serve training only, are left out.

    Args:
        path: The file, `.safetensors`.
        network: Its weights.
        header: What is said of it.
        half: Round kernels to float16, which halves the file; biases and the statistics of batch
            normalisation, which are small and whose range float16 may not have, stay as they are. The
            network that is read back computes in float32.

    Raises:
        ModelFileError: A kernel has values that float16 cannot hold.
        DataError: The disk is full, or the folder cannot be written.
    """
    save_weights(path, network.state_dict(), header, half=half)


def save_weights(
    path: Path, weights: Mapping[str, torch.Tensor], header: ModelHeader, *, half: bool = False
) -> None:
    """`save_model` for a network's weights by their names, wherever they come from."""
    document = {
        "format": 2 if half else 1,
        **dataclasses.replace(header, architecture=deployed(header.architecture)).to_json(),
    }
    # Contiguous copies: safetensors knows no strides, so channels_last weights are laid out anew.
    state = deployed_state(weights)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    if half:
        tensors = {name: _halved(tensor, name) for name, tensor in tensors.items()}
    write_whole(path, save(tensors, metadata={KEY: json.dumps(document)}))


def read_header(path: Path) -> ModelHeader:
    """The header of a model file, without its weights; the errors of `load_model`."""
    return _parse_header(_read_metadata(path), path)


def load_model(path: Path) -> tuple[torch.nn.Module, ModelHeader]:
    """Builds the network that a model file describes and gives it the file's weights, in evaluation mode.

    Raises:
        ModelFileError: No such file; truncated; a pickle; not ours; of a newer format; weights that don't
        fit.
    """
    header = read_header(path)
    try:
        network = build_model(
            header.architecture.name,
            num_classes=len(header.classes),
            arguments=header.architecture.arguments,
        )
    except ConfigError as error:
        raise ModelFileError(f"{path}: this version cannot build its network: {error}") from error
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    _check_tensors(tensors, network.state_dict(), path)
    network.load_state_dict(tensors)
    return network.eval(), header


def deployed(architecture: Architecture) -> Architecture:
    """Without what serves training only."""
    return Architecture(architecture.name, deployed_arguments(architecture.arguments))


def _halved(tensor: torch.Tensor, name: str) -> torch.Tensor:
    """A kernel in float16; anything else unchanged."""
    if tensor.dim() < 2 or tensor.dtype != torch.float32:
        return tensor
    rounded = tensor.half()
    if not torch.equal(rounded.isfinite(), tensor.isfinite()):
        raise ModelFileError(
            f"{name} has values beyond {torch.finfo(torch.float16).max:g}, the largest of float16: "
            "save this network without half"
        )
    return rounded


def _read_metadata(path: Path) -> str:
    """The JSON text of our header, or a `ModelFileError` that says what the file is instead."""
    if not path.is_file():
        raise ModelFileError(
            f"{path}: no such model file; a training run writes best.safetensors into its folder"
        )
    _check_is_safetensors(path)
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise ModelFileError(
            f"{path} is truncated or damaged ({error}): copy or download it again"
        ) from error
    if KEY not in metadata:
        raise ModelFileError(
            f"{path} holds weights but no pixelwise header, so its network and classes are unknown: "
            "use a file that pixelwise wrote"
        )
    return metadata[KEY]


def _check_is_safetensors(path: Path) -> None:
    """Tells a pickle, and what is no tensor file at all, from a damaged safetensors file."""
    with path.open("rb") as file:
        start = file.read(9)
    length = struct.unpack("<Q", start[:8])[0] if len(start) == 9 else 0
    if start[8:] != b"{" or not 2 <= length <= _MAX_HEADER:
        # Only now: a header's length may begin with a pickle's first byte, and weights may hold any bytes.
        if start[:1] == b"\x80" or zipfile.is_zipfile(path):
            raise ModelFileError(
                f"{path} is a pickle (a torch.save file), which can run code when it is opened, so it is "
                "not: use the .safetensors file of a run"
            )
        raise ModelFileError(f"{path} is not a model file: expected the .safetensors file of a run")
    if path.stat().st_size < 8 + length:
        raise ModelFileError(f"{path} is truncated: copy or download it again")


def _parse_header(text: str, path: Path) -> ModelHeader:
    try:
        document = json.loads(text)
        version = document["format"]
        if not isinstance(version, int) or version < 1:
            raise ConfigError(f"a format version is 1 or more, got {version!r}")
        if version > FORMAT:
            raise ModelFileError(
                f"{path} has format {version}, newer than the {FORMAT} read here: update pixelwise"
            )
        return ModelHeader.from_json(document)
    except (ConfigError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelFileError(f"{path} has a damaged header ({error}): copy or download it again") from error


def _check_tensors(
    found: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor], path: Path
) -> None:
    """Weights must be those of the network, name by name and shape by shape."""
    missing, foreign = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    if missing or foreign:
        what = f"lacks {missing[0]}" if missing else f"has {foreign[0]}"
        raise ModelFileError(
            f"{path}: the weights do not fit the network that its header names: the file {what} "
            f"({len(missing)} missing, {len(foreign)} unknown)"
        )
    for name, tensor in expected.items():
        halved = tensor.dtype == torch.float32 and found[name].dtype == torch.float16
        if found[name].shape != tensor.shape or not (halved or found[name].dtype == tensor.dtype):
            raise ModelFileError(
                f"{path}: {name} is {tuple(found[name].shape)} {found[name].dtype}, "
                f"but the network needs {tuple(tensor.shape)} {tensor.dtype}"
            )
