"""How a network is trained."""

from __future__ import annotations

import typing
from dataclasses import dataclass, field
from typing import Literal

from pixelwise.config.augment import AugmentConfig
from pixelwise.config.checks import require
from pixelwise.config.data import DataConfig
from pixelwise.config.loss import parse_loss


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How a network is trained. The defaults are the recipe of the Oxford Pets tutorial."""

    model: str = "unet-xception"
    """The architecture; `pixelwise models` lists them."""
    model_args: tuple[str, ...] = ()
    """NAME=VALUE arguments of the architecture, e.g. encoder=mobilenet_v2 encoder.alpha=0.5."""
    weights: str = ""
    """Pretrained weights of the encoder: imagenet, or a file."""
    init: str = ""
    """A model file to start from, e.g. a run's best.safetensors: its network with all its weights. Where the
    data has other classes, the last layer starts anew."""
    size: tuple[int, int] = (160, 160)
    """Height and width to which pictures are resized for the network."""
    epochs: int = 15
    """Passes over the training pictures."""
    steps: int | None = None
    """Train for this many steps instead, rounded up to whole epochs."""
    batch_size: int = 32
    """Pictures per step, of all devices together."""
    micro_batch: int | None = None
    """Pictures that go through the network at once, to save memory; a step's gradients add up over them."""
    loss: str = "ce"
    """A sum such as "ce + 0.5*dice" of ce, focal, dice, jaccard, lovasz, tversky, ohem and boundary."""
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
    balance: Literal["none", "inverse", "median", "enet"] = "none"
    """Class weights by pixels: 1 / share, median frequency, or ENet's 1 / ln(1.02 + share)."""
    aux_weight: float = 0.4
    """Weight of an auxiliary head's loss, where the network has one; the head is not in the model file."""
    extra_loss: str | None = None
    """What a network's other outputs in training are taught with, a sum of edge and edge_ce; the network's
    own choice where not given, e.g. "20*edge + edge_ce" for pidnet-s."""
    encoder_lr: float = 1.0
    """Factor on the learning rate of the encoder; 0.1 is usual for a pretrained one, 0 freezes it."""
    layer_decay: float = 1.0
    """Another factor for each stage of the encoder from its last to its first; 0.8 is usual."""
    freeze_bn: Literal["none", "encoder", "all"] = "none"
    """Keep the running statistics, scale and shift of batch normalisation as they are, here or everywhere."""
    bn_momentum: float | None = None
    """Share of a batch in batch normalisation's running statistics; the network's own where not given."""
    clip_norm: float | None = None
    """Clip the gradient's norm to this."""
    ema: float = 0.0
    """Keep a moving average of the weights with this decay a step, e.g. 0.999, measured and saved as well."""
    validate_every: int = 1
    """Epochs from one validation to the next, of which each writes models and a row of the history; the last
    epoch always ends with one. More than 1 is for small sets, whose validation is much of an epoch."""
    patience: int | None = None
    """Stop when so many epochs have brought no better model."""
    best_by: Literal["miou", "loss"] = "miou"
    """Which validation figure chooses the best model."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    data: DataConfig = field(default_factory=DataConfig)
    seed: int = 0
    """Of the initial weights, the order of the pictures and the augmentation."""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """auto takes bfloat16 where the hardware computes it fast, float16 on older GPUs, and says why."""
    compile: bool = False
    """Compile the network with torch.compile; for GPUs, it gains nothing on processors."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto takes a GPU where there is one."""
    devices: int | None = None
    """GPUs of each machine to train on, or processes on its processor, which share every batch; 1, or what
    torchrun or SLURM started, where not given."""
    nodes: int | None = None
    """Machines that train together; each runs the same command with MASTER_ADDR, MASTER_PORT and NODE_RANK
    set. What torchrun or SLURM started where not given."""
    strategy: Literal["ddp", "fsdp"] = "ddp"
    """ddp: every device holds all parameters, gradients and optimizer state. fsdp: each holds its share of
    them, for networks that are too large for one GPU; the steps are the same."""
    checkpoint_seconds: float = 60.0
    """A checkpoint to resume from is written this often, and after every epoch."""
    log_pictures: int = 4
    """Validation pictures that are logged as truth beside prediction as training goes; 0 for none."""
    mlflow: bool = False
    """Log to MLflow as well, where its own settings (MLFLOW_TRACKING_URI, …) say; extra [mlflow]."""
    wandb: bool = False
    """Log to Weights & Biases as well, where its own settings (WANDB_PROJECT, …) say; extra [wandb]."""

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            value = getattr(self, name)
            # A misspelt one would otherwise mean whatever the last branch does.
            require(value in allowed, f"{name} must be one of {', '.join(allowed)}, got {value!r}")
        parse_loss(self.loss)
        if self.extra_loss is not None:
            parse_loss(self.extra_loss)
        height, width = self.size
        require(
            1 <= height <= 16384 and 1 <= width <= 16384, f"size must lie in 1..16384, got {height} {width}"
        )
        for name in _FROM_ONE:
            value = getattr(self, name)
            require(value is None or value >= 1, f"{name.replace('_', '-')} must be at least 1, got {value}")
        require(0 < self.lr < 100, f"lr must be above 0, got {self.lr}")
        for name in (
            "weight_decay",
            "momentum",
            "warmup_steps",
            "aux_weight",
            "encoder_lr",
            "checkpoint_seconds",
            "log_pictures",
            "seed",
        ):
            value = getattr(self, name)
            require(value >= 0, f"{name.replace('_', '-')} must not be negative, got {value}")
        share = self.bn_momentum
        require(share is None or 0 < share <= 1, f"bn-momentum must lie in 0..1, got {share}")
        require(
            self.clip_norm is None or self.clip_norm > 0, f"clip-norm must be above 0, got {self.clip_norm}"
        )
        require(
            all(w >= 0 for w in self.class_weights),
            f"class-weights must not be negative: {self.class_weights}",
        )
        require(0 < self.layer_decay <= 1, f"layer-decay must lie in 0..1, got {self.layer_decay}")
        require(0 <= self.ema < 1, f"ema must lie between 0 and 1, e.g. 0.999, got {self.ema}")
        require(
            not (self.init and self.weights),
            "init and weights exclude each other: a model file brings the weights of its encoder too",
        )
        require(
            not self.class_weights or self.balance == "none",
            "class-weights and balance exclude each other: give the weights, or let them be counted",
        )
        require(not self.class_weights or sum(self.class_weights) > 0, "class-weights must not all be zero")


_FROM_ONE = (
    "epochs",
    "steps",
    "batch_size",
    "micro_batch",
    "validate_every",
    "patience",
    "devices",
    "nodes",
)

_CHOICES: dict[str, tuple[str, ...]] = {
    name: typing.get_args(hint)
    for name, hint in typing.get_type_hints(TrainConfig).items()
    if typing.get_origin(hint) is Literal
}
