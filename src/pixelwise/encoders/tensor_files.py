"""Files of named tensors: safetensors, or torch's own by its reader for plain tensors.

That reader refuses everything else that a pickle can hold: nothing in a file is run. Knows no encoder.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from pixelwise.errors import ConfigError, DataError

_MAX_BYTES = 4 << 30


def read_tensors(path: Path) -> tuple[dict[str, Tensor], str | None]:
    """All tensors of a file, and the header text of a pixelwise model file; errors as `read_pretrained`."""
    if path.stat().st_size > _MAX_BYTES:
        raise ConfigError(f"{path}: {path.stat().st_size:,} bytes are more than any encoder's weights")
    if path.suffix != ".safetensors":
        return _read_torch(path), None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            return {key: file.get_tensor(key) for key in file.keys()}, metadata.get("pixelwise")  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path} is truncated or damaged ({error}): copy or download it again") from error


def _read_torch(path: Path) -> dict[str, Tensor]:
    """A state dict that `torch.save` wrote, by the reader that takes tensors only."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ConfigError(
            f"{path} holds more than tensors (or is no torch file), which is not opened because it could run "
            "code: save its state_dict() alone, best as .safetensors"
        ) from error
    except (RuntimeError, OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} is truncated, damaged or no torch file ({error}): download it again"
        ) from error
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]  # beside settings and counters of the training that wrote the file
    if not isinstance(content, Mapping) or not all(isinstance(v, Tensor) for v in content.values()):
        raise ConfigError(f"{path} holds no state dict (names and tensors): save the network's state_dict()")
    return {str(key): tensor for key, tensor in content.items()}
