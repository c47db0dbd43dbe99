"""Reads what Keras saves: layers with their names, classes, weights and settings. Without TensorFlow.

| file | written by | layout |
|---|---|---|
| `.h5` | Keras 2 and 3, `model.save` and Keras 2's `save_weights` | a group a layer, by its name |
| `.weights.h5` | Keras 3 and late 2, `save_weights` | a group a layer, by its class and number in order |
| `.keras` | Keras 3 and late 2, `model.save` | a zip of a `.weights.h5` and the model's settings as JSON |

Files are hostile until read: nothing in them is run, links out of the file are refused, sizes are bounded.
Knows no network of ours.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from pixelwise.errors import ConfigError, DataError

Array = npt.NDArray[np.floating[Any]]

_MAX_BYTES = 4 << 30
_MAX_TEXT = 64 << 20
_NUMBERED_ROOTS = ("layers", "_layer_checkpoint_dependencies")  # of Keras 3, and of 2.12 to 2.15
_NUMBERED = re.compile(r"^(.*?)(?:_(\d+))?$")


@dataclass(frozen=True, eq=False)
class KerasLayer:
    """A layer that has weights.

    Attributes:
        name: Its name in Keras; None in files that don't keep names.
        kind: Its class in snake case (`conv2d`, `batch_normalization`); None in files that keep names only.
        arrays: Its weights in Keras' order and layouts.
    """

    name: str | None
    kind: str | None
    arrays: tuple[Array, ...]


@dataclass(frozen=True, eq=False)
class KerasFile:
    """What is in a file.

    Attributes:
        layers: Those with weights, in the order of the model's layers.
        settings: Each layer's configuration by its name; empty in files of weights alone.
        size: `(height, width)` of the model's input, where the file says it.
    """

    layers: tuple[KerasLayer, ...]
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    size: tuple[int, int] | None = None


def read_keras(path: Path) -> KerasFile:
    """Reads a `.h5`, `.weights.h5` or `.keras` file.

    Raises:
        ConfigError: h5py is not installed, or there is no such file.
        DataError: The file is damaged, of another kind, or refers to other files.
    """
    try:
        import h5py
    except ImportError as error:
        raise ConfigError(
            "reading Keras' files needs h5py: install it with pip install 'pixelwise[keras]'"
        ) from error
    if not path.is_file():
        raise ConfigError(f"{path}: no such file")
    if path.stat().st_size > _MAX_BYTES:
        raise DataError(f"{path}: {path.stat().st_size:,} bytes are more than any of the networks has")
    try:
        if zipfile.is_zipfile(path):
            return _read_archive(path, h5py)
        with h5py.File(path, "r") as file:
            return _read_hdf5(file, path)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} is truncated, damaged or no file of Keras' ({error}): expected a .h5, .weights.h5 or "
            ".keras file"
        ) from error


def _read_archive(path: Path, h5py: Any) -> KerasFile:
    """A `.keras` file: its settings, and the weights in the HDF5 file inside."""
    with zipfile.ZipFile(path) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
        if not {"config.json", "model.weights.h5"} <= set(sizes):
            raise DataError(f"{path}: a zip file without config.json and model.weights.h5 is not Keras'")
        if sizes["model.weights.h5"] > _MAX_BYTES or sizes["config.json"] > _MAX_TEXT:
            raise DataError(f"{path}: its contents are larger than any of the networks")
        settings, size = _settings(archive.read("config.json").decode())
        # `read` stops at the stated size, so a bomb cannot say one thing and be another.
        content = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(content, "r") as file:
        layers = tuple(_numbered_layers(file, path))
    return KerasFile(layers, settings, size)


def _read_hdf5(file: Any, path: Path) -> KerasFile:
    if any(root in file for root in _NUMBERED_ROOTS):
        return KerasFile(tuple(_numbered_layers(file, path)))
    root = _group(file, "model_weights", path) if "model_weights" in file else file
    if "layer_names" not in root.attrs:
        raise DataError(f"{path}: an HDF5 file without Keras' layers")
    text = file.attrs.get("model_config")
    settings, size = _settings(_text(text)) if text is not None else ({}, None)
    return KerasFile(tuple(_named_layers(root, path)), settings, size)


def _named_layers(root: Any, path: Path) -> Iterator[KerasLayer]:
    """Layers of the older layout: their names stand in an attribute, their weights' in one of their group."""
    for name in (_text(n) for n in _chunks(root.attrs, "layer_names")):
        group = _group(root, name, path)
        weights = [_text(w) for w in _chunks(group.attrs, "weight_names")]
        if weights:
            arrays = tuple(_array(group, weight, path) for weight in weights)
            yield KerasLayer(name, None, arrays)


def _chunks(attributes: Any, key: str) -> list[Any]:
    """A list of names; Keras splits one that is too long into `key0`, `key1` and so on."""
    if key in attributes:
        return list(attributes[key])
    found: list[Any] = []
    while f"{key}{len(found)}" in attributes:
        found.append(attributes[f"{key}{len(found)}"])
    return [name for part in found for name in part]


def _numbered_layers(file: Any, path: Path) -> Iterator[KerasLayer]:
    """Layers of the newer layout, by class and then number: `layers/conv2d_3/vars/0`."""
    root = _group(file, next((name for name in _NUMBERED_ROOTS if name in file), "layers"), path)
    for key in sorted(root, key=_class_and_number):
        group = _group(root, key, path)
        variables = _group(group, "vars", path) if "vars" in group else None
        if variables is None or not len(variables):
            continue
        arrays = tuple(_array(variables, n, path) for n in sorted(variables, key=int))
        name = variables.attrs.get("name", group.attrs.get("name"))
        yield KerasLayer(None if name is None else _text(name), _class_and_number(key)[0], arrays)


def _class_and_number(key: str) -> tuple[str, int]:
    match = cast("re.Match[str]", _NUMBERED.match(key))
    return match[1], int(match[2] or 0)


def _group(parent: Any, name: str, path: Path) -> Any:
    group = _inside(parent, name, path)
    if not hasattr(group, "keys"):
        raise DataError(f"{path}: {name} should be a group of the HDF5 file")
    return group


def _array(parent: Any, name: str, path: Path) -> Array:
    data = _inside(parent, name, path)
    if getattr(data, "external", None) or getattr(data, "is_virtual", False):
        raise DataError(f"{path}: {name} lies in another file, which is not opened")
    if data.dtype.kind != "f" or data.ndim > 4 or data.size * data.dtype.itemsize > _MAX_BYTES:
        raise DataError(f"{path}: {name} is {data.dtype} {data.shape}, which no layer's weights are")
    return np.asarray(data[()])


def _inside(parent: Any, name: str, path: Path) -> Any:
    """A member of a group, reached step by step and only through links within the file."""
    import h5py

    item = parent
    for part in name.split("/"):
        link = item.get(part, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise DataError(f"{path}: {name} is missing or a link to elsewhere, which is not followed")
        item = item[part]
    return item


def _settings(text: str) -> tuple[dict[str, Mapping[str, Any]], tuple[int, int] | None]:
    """Each layer's configuration by its name, and the input's size."""
    if len(text) > _MAX_TEXT:
        raise ValueError("its settings are too long")
    document = json.loads(text)
    settings: dict[str, Mapping[str, Any]] = {}
    size = None
    for layer in document["config"]["layers"]:
        config = layer["config"]
        settings[str(config["name"])] = config
        shape = config.get("batch_shape") or config.get("batch_input_shape")
        if layer["class_name"] == "InputLayer" and shape and all(isinstance(n, int) for n in shape[1:3]):
            size = (int(shape[1]), int(shape[2]))
    return settings, size


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
