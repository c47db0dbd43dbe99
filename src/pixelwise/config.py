"""What can be chosen, in one place: the command line's flags, the Python calls' arguments, `config.json`.

Frozen dataclasses whose field docstrings are the command line's help. They hold plain values only and know
neither torch nor the parts that they steer.
"""

from __future__ import annotations

import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pixelwise.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """How a folder of labelled pictures is read."""

    format: str = "auto"
    """The data set's format; auto recognises it from the folder and says which."""
    images: str = ""
    """Name of the picture folder under DATA, where it is neither images/ nor train/ + val/."""
    masks: str = ""
    """Name of the mask folder under DATA."""
    classes: tuple[str, ...] = ()
    """Class names in the order of their train ids; where the data set names its classes, those to keep."""
    map: tuple[str, ...] = ()
    """RAW=ID pairs that say what a mask's raw value means, e.g. 255=1 or 7=ignore."""
    merge: tuple[str, ...] = ()
    """Classes to make one of, e.g. pole,sign=post; the new one stands where its first stood."""
    ignore: tuple[str, ...] = ()
    """Classes whose pixels count for nothing."""
    binary: str = ""
    """The one class to tell from all others, which become background."""
    annotations: str = ""
    """Name of the annotation file or table under DATA, where there are several."""
    val_last: int | None = None
    """Sort by name and validate on the last N."""
    val_share: float | None = None
    """Validate on this share, drawn by val-seed; 0.2 where the data set brings no split of its own."""
    val_seed: int = 0
    """Seed of that draw."""
    skip_broken: bool = False
    """Leave unreadable pictures out, and list them, instead of stopping."""
    cache: bool = True
    """Keep decoded, resized pictures on disk, so that the second epoch decodes nothing."""
    cache_dir: Path | None = None
    """Where; the user's cache folder where not given."""
    workers: int = 2
    """Threads that load pictures."""

    def __post_init__(self) -> None:
        _require(self.val_last is None or self.val_share is None, "val-last and val-share exclude each other")
        _require(
            self.val_last is None or self.val_last > 0, f"val-last must be at least 1, got {self.val_last}"
        )
        share = self.val_share
        _require(share is None or 0 < share < 1, f"val-share must lie between 0 and 1, got {share}")
        _require(self.workers >= 1, f"workers must be at least 1, got {self.workers}")


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """Random changes of the training pictures, drawn anew for each picture and epoch; none by default."""

    flip: bool = False
    """Mirror left-right, every second time."""
    scale: tuple[float, float] = (1.0, 1.0)
    """Enlarge by a factor drawn (evenly on a log scale) between these two."""
    rotate: float = 0.0
    """Rotate by up to this many degrees either way."""
    shift: float = 0.0
    """Move by up to this share of the size, each way and axis."""
    colour: float = 0.0
    """Strength of brightness, contrast, saturation and hue changes; 0.4 is usual."""

    def __post_init__(self) -> None:
        low, high = self.scale
        _require(
            0 < low <= high <= 16, f"scale must be LOW HIGH with 0 < LOW <= HIGH <= 16, got {self.scale}"
        )
        _require(0 <= self.rotate <= 180, f"rotate must lie between 0 and 180 degrees, got {self.rotate}")
        _require(0 <= self.shift < 1, f"shift must lie between 0 and 1, got {self.shift}")
        _require(0 <= self.colour <= 1, f"colour must lie between 0 and 1, got {self.colour}")

    @property
    def geometric(self) -> bool:
        """Whether pictures and masks are resampled or mirrored at all."""
        return self.flip or self.scale != (1.0, 1.0) or self.rotate > 0 or self.shift > 0


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How a network is trained. The defaults are the recipe of the Oxford Pets tutorial."""

    model: str = "unet-xception"
    """The architecture; `pixelwise models` lists them."""
    model_args: tuple[str, ...] = ()
    """NAME=VALUE arguments of the architecture, e.g. encoder=mobilenet_v2 encoder.alpha=0.5."""
    weights: str = ""
    """Pretrained weights of the encoder: imagenet, or a file."""
    size: tuple[int, int] = (160, 160)
    """Height and width to which pictures are resized for the network."""
    epochs: int = 15
    """Passes over the training pictures."""
    batch_size: int = 32
    """Pictures per step."""
    optimizer: Literal["rmsprop", "adamw", "sgd"] = "rmsprop"
    """rmsprop is Keras' form (rho 0.9, eps 1e-7 inside the root)."""
    lr: float = 1e-3
    """Learning rate, at its highest."""
    weight_decay: float = 0.0
    """Decoupled for adamw, L2 for sgd and rmsprop; convolution weights only."""
    momentum: float = 0.9
    """Of sgd."""
    schedule: Literal["constant", "cosine", "poly"] = "constant"
    """Course of the learning rate after the warm-up; poly is (1 - t) ** 0.9."""
    warmup_steps: int = 0
    """Steps over which the learning rate rises from zero."""
    class_weights: tuple[float, ...] = ()
    """Weight of each class in the loss, in the order of the classes."""
    bn_momentum: float | None = None
    """Share of a batch in batch normalisation's running statistics; the network's own where not given."""
    clip_norm: float | None = None
    """Clip the gradient's norm to this."""
    best_by: Literal["miou", "loss"] = "miou"
    """Which validation figure chooses the best model."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    data: DataConfig = field(default_factory=DataConfig)
    seed: int = 0
    """Of the initial weights, the order of the pictures and the augmentation."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """auto takes bfloat16 where the processor or GPU computes it fast, and says why."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto takes a GPU where there is one."""
    checkpoint_seconds: float = 60.0
    """A checkpoint to resume from is written this often, and after every epoch."""

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            value = getattr(self, name)
            # A misspelt one would otherwise mean whatever the last branch does.
            _require(value in allowed, f"{name} must be one of {', '.join(allowed)}, got {value!r}")
        height, width = self.size
        _require(
            1 <= height <= 16384 and 1 <= width <= 16384, f"size must lie in 1..16384, got {height} {width}"
        )
        for name in ("epochs", "batch_size"):
            _require(
                getattr(self, name) >= 1,
                f"{name.replace('_', '-')} must be at least 1, got {getattr(self, name)}",
            )
        _require(0 < self.lr < 100, f"lr must be above 0, got {self.lr}")
        for name in ("weight_decay", "momentum", "warmup_steps", "checkpoint_seconds", "seed"):
            value = getattr(self, name)
            _require(value >= 0, f"{name.replace('_', '-')} must not be negative, got {value}")
        share = self.bn_momentum
        _require(share is None or 0 < share <= 1, f"bn-momentum must lie in 0..1, got {share}")
        _require(
            self.clip_norm is None or self.clip_norm > 0, f"clip-norm must be above 0, got {self.clip_norm}"
        )
        _require(
            all(w >= 0 for w in self.class_weights),
            f"class-weights must not be negative: {self.class_weights}",
        )
        _require(not self.class_weights or sum(self.class_weights) > 0, "class-weights must not all be zero")


_CHOICES: dict[str, tuple[str, ...]] = {
    name: typing.get_args(hint)
    for name, hint in typing.get_type_hints(TrainConfig).items()
    if typing.get_origin(hint) is Literal
}


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ConfigError(message)
