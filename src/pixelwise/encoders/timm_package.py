"""timm, imported when an encoder of it is touched, and missed in one sentence.

timm imports torchvision, of which it needs Python code alone. The wheels of torchvision that package indexes
have are compiled for CUDA, so beside a processor-only torch their compiled part cannot be loaded, and
torchvision then fails as it describes two operators that were to come from there. Declared before, without
anything that computes them, they let its Python part be imported. Knows no model.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
from pathlib import Path
from types import ModuleType

import torch

from pixelwise.errors import ConfigError

_DETECTION = ("nms", "qnms")
"""Operators of torchvision's compiled part that its Python part describes as it is imported."""

_LIBRARY: list[torch.library.Library] = []
"""Declarations last as long as their library does."""


def load_timm() -> ModuleType:
    """The module `timm`.

    Raises:
        ConfigError: It, or the torchvision that it needs, is not installed or cannot be imported.
    """
    missing = [name for name in ("timm", "torchvision") if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(f"timm's encoders need {' and '.join(missing)}: pip install 'pixelwise[timm]'")
    _declare_what_is_not_compiled()
    try:
        return importlib.import_module("timm")
    except Exception as error:  # whatever packages that don't fit each other raise
        reason = " ".join(str(error).split())[:160]
        raise ConfigError(
            f"timm, which its encoders need, cannot be imported ({type(error).__name__}: {reason}); install "
            "versions of timm, torchvision and torch that fit: pip install --upgrade 'pixelwise[timm]'"
        ) from error


def _declare_what_is_not_compiled() -> None:
    """Makes torchvision's Python part importable where its compiled part is not, once in a process."""
    if _LIBRARY or _compiled_part_loads():
        return
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in _DETECTION:
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _LIBRARY.append(library)


def _compiled_part_loads() -> bool:
    """Whether torchvision finds its operators; it is not imported for that, since that may fail."""
    if hasattr(torch.ops.torchvision, "nms"):
        return True
    spec = importlib.util.find_spec("torchvision")
    folders = [] if spec is None else spec.submodule_search_locations or []
    for folder in map(Path, folders):
        for path in sorted(folder.glob("_C*")):
            if not path.name.endswith(tuple(importlib.machinery.EXTENSION_SUFFIXES)):
                continue
            try:
                torch.ops.load_library(path)
            except OSError:
                continue
            return True
    return False
