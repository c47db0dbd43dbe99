"""Published weights of timm's networks: fetched by the hub's client as safetensors, renamed by timm itself.

Nothing is unpickled: weights that are published in another form are refused. Knows no other encoder.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pixelwise.encoders.timm_encoder import PREFIX, create, features_at_strides, short, timm_config
from pixelwise.encoders.timm_package import load_timm
from pixelwise.errors import ConfigError, DataError

_FILE = "model.safetensors"
"""What timm calls the weights of each network on the hub."""


def fetch_timm(name: str, *, cache: Path | None = None) -> Path:
    """The file of the weights that timm publishes under a network's name; fetched where it is not there yet.

    Args:
        name: Of the encoder, with `timm:`, perhaps with the tag of its weights.
        cache: Folder for fetched files; the hub's own, which HF_HOME moves, where not given.

    Raises:
        ConfigError: timm publishes none, or not on the hub.
        DataError: They could not be fetched.
    """
    config = timm_config(name)
    repository, _, revision = str(config.hf_hub_id or "").partition("@")
    file = config.hf_hub_filename or _FILE
    if not repository or not file.endswith(".safetensors"):
        raise ConfigError(
            f"timm publishes no weights of {name} as safetensors, and others are not opened because they "
            "could run code: take another network or tag, or give a .safetensors file"
        )
    hub = importlib.import_module("huggingface_hub")  # timm needs it too
    try:
        return Path(
            hub.hf_hub_download(
                repo_id=repository,
                filename=file,
                revision=revision or None,
                cache_dir=None if cache is None else str(cache),
            )
        )
    except Exception as error:  # of the hub's client, of its HTTP client, or of the system
        raise DataError(
            f"{file} of https://huggingface.co/{repository} could not be fetched ({short(error)}); check the "
            "connection, or fetch it on another machine and give its path as the weights"
        ) from error


def own_tensors(name: str, tensors: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """The tensors of an encoder, under its own names, from those of timm's whole network.

    Args:
        name: Of the encoder, with `timm:`.
        tensors: Of the file.
        path: Of the file, for messages.

    Raises:
        ConfigError: They are those of another network, or not all are there.
    """

    def build(overlay: dict[str, Any]) -> Any:
        with torch.device("meta"):
            levels = features_at_strides(name, create(name, {}))
        return create(name, {"out_indices": levels, **overlay})

    return {f"body.{key}": tensor for key, tensor in _checked(build, name, tensors, path).items()}


def whole_tensors(
    name: str, tensors: Mapping[str, Tensor], path: Path, options: Mapping[str, Any]
) -> dict[str, Tensor]:
    """The tensors of a whole network of timm that is built with options; as `own_tensors`."""
    own = name.removeprefix(PREFIX)

    def build(overlay: dict[str, Any]) -> Any:
        return load_timm().create_model(own, **options, **overlay)

    return _checked(build, name, tensors, path)


Build = Callable[[dict[str, Any]], Any]
"""Makes timm's network with further options."""


def _checked(build: Build, name: str, tensors: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """What timm makes of a file's tensors, all of which must come from there.

    timm renames what older weights call otherwise and leaves the classifier out, without saying what it did
    not find. So it is asked a second time with tensors of nothing but NaN: what does not become NaN has not
    come from the file.
    """
    marks = {
        key: torch.full((), torch.nan, dtype=tensor.dtype).expand(tensor.shape)
        if tensor.is_floating_point()
        else tensor
        for key, tensor in tensors.items()
    }
    found, marked = (_loaded(build, name, given, path) for given in (tensors, marks))
    missing = [
        key for key, mark in marked.items() if mark.is_floating_point() and not mark.isnan().any().item()
    ]
    if missing:
        raise ConfigError(f"{path}: the weights lack {missing[0]}, so they are not {name}'s")
    return found


def _loaded(build: Build, name: str, tensors: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    overlay = {"state_dict": dict(tensors)}
    try:
        with torch.random.fork_rng(devices=[]):  # it draws weights before it loads these
            return build({"pretrained": True, "pretrained_cfg_overlay": overlay}).state_dict()
    except Exception as error:  # of timm's renaming, or of torch for what does not fit
        raise ConfigError(
            f"{path}: timm cannot give its tensors to {name.removeprefix(PREFIX)} ({short(error)}): they "
            "must be those of timm's network of that name"
        ) from error
