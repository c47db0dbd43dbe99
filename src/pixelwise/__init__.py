"""pixelwise: semantic segmentation, every pixel of a picture gets a class.

The public names are imported when they are first used, so that `import pixelwise` costs no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pixelwise.config import AugmentConfig, DataConfig, PredictConfig, TrainConfig
    from pixelwise.errors import BackendError, ConfigError, DataError, ModelFileError, PixelwiseError
    from pixelwise.loading import evaluate, load
    from pixelwise.models import build_model
    from pixelwise.segmentation import Segmentation
    from pixelwise.segmenter import Segmenter
    from pixelwise.training import Run, train
    from pixelwise.training.tuning import Tuning, tune
    from pixelwise.types import Classes, Sample

__version__ = "0.1.0"

_HOME = {
    "AugmentConfig": "pixelwise.config",
    "BackendError": "pixelwise.errors",
    "Classes": "pixelwise.types",
    "ConfigError": "pixelwise.errors",
    "DataConfig": "pixelwise.config",
    "DataError": "pixelwise.errors",
    "ModelFileError": "pixelwise.errors",
    "PixelwiseError": "pixelwise.errors",
    "PredictConfig": "pixelwise.config",
    "Run": "pixelwise.training",
    "Sample": "pixelwise.types",
    "Segmentation": "pixelwise.segmentation",
    "Segmenter": "pixelwise.segmenter",
    "TrainConfig": "pixelwise.config",
    "Tuning": "pixelwise.training.tuning",
    "build_model": "pixelwise.models",
    "evaluate": "pixelwise.loading",
    "load": "pixelwise.loading",
    "train": "pixelwise.training",
    "tune": "pixelwise.training.tuning",
}

__all__ = [
    "AugmentConfig",
    "BackendError",
    "Classes",
    "ConfigError",
    "DataConfig",
    "DataError",
    "ModelFileError",
    "PixelwiseError",
    "PredictConfig",
    "Run",
    "Sample",
    "Segmentation",
    "Segmenter",
    "TrainConfig",
    "Tuning",
    "build_model",
    "evaluate",
    "load",
    "train",
    "tune",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'pixelwise' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
