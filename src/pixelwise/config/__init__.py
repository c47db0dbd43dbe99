"""What can be chosen, in one place: the command line's flags, the Python calls' arguments, `config.json`.

Frozen dataclasses whose field docstrings are the command line's help. They hold plain values only and know
neither torch nor the parts that they steer.
"""

from pixelwise.config.augment import AugmentConfig
from pixelwise.config.changes import changed
from pixelwise.config.data import DataConfig
from pixelwise.config.predict import PredictConfig
from pixelwise.config.ray import RayConfig
from pixelwise.config.train import TrainConfig

__all__ = ["AugmentConfig", "DataConfig", "PredictConfig", "RayConfig", "TrainConfig", "changed"]
