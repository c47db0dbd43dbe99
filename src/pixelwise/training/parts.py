"""What a run is made of before it has moved: the opened data, the network, the optimiser, the engine.

Knows neither run folder nor checkpoint; `train` and `resume` begin with it alike.
"""

from __future__ import annotations

import dataclasses
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from lightning_fabric import Fabric

from pixelwise.address import shown
from pixelwise.backends.torch import choose_device
from pixelwise.config import TrainConfig
from pixelwise.data import Dataset, open_dataset
from pixelwise.data.cache import prepare
from pixelwise.data.class_weights import balanced_weights
from pixelwise.data.prepared import Prepared
from pixelwise.errors import ConfigError, DataError
from pixelwise.header import Architecture
from pixelwise.training import guard
from pixelwise.training.average import WeightAverage
from pixelwise.training.checkpoint import State
from pixelwise.training.encoder_layers import freeze, set_bn_momentum
from pixelwise.training.engine import check_devices, decide_precision, join_fabric, make_fabric
from pixelwise.training.events import Listener, Silent
from pixelwise.training.job import steps_per_epoch
from pixelwise.training.launch import Launch
from pixelwise.training.objective import Objective, build_objective
from pixelwise.training.optim import build_optimizer
from pixelwise.training.origin import check_names, find_origin
from pixelwise.training.ranks import ALONE, COMPILE_SECONDS, STEP_SECONDS, Ranks
from pixelwise.training.start import take_over
from pixelwise.training.synced_norm import synchronise


@dataclass(frozen=True)
class Parts:
    """What a run is made of before it has moved."""

    config: TrainConfig
    dataset: Dataset
    train: Prepared
    val: Prepared
    data_hash: str
    fabric: Fabric
    ranks: Ranks
    launch: Launch
    network: torch.nn.Module
    frozen: tuple[torch.nn.Module, ...]
    average: WeightAverage | None
    weights_sha256: str | None
    optimizer: torch.optim.Optimizer
    objective: Objective
    precision: str
    listener: Listener

    @staticmethod
    def build(
        data: Path,
        config: TrainConfig,
        listener: Listener,
        *,
        launch: Launch,
        architecture: Architecture | None = None,
    ) -> Parts:
        """Opens the data, checks that it can be trained on, and builds network and optimiser.

        Args:
            data: The labelled pictures.
            config: The settings, `settled`.
            listener: Hears of progress, on the first rank alone.
            launch: How this process was started; the others are waited for.
            architecture: That of a run with a checkpoint: it is rebuilt without its pretrained weights, which
                may be gone by now and are in the checkpoint as training has made them.
        """
        device = choose_device(config.device)
        check_devices(device, launch)
        precision, why = decide_precision(config, device)
        fabric, ranks = _joined(device, precision, launch, compiled=config.compile)
        listener = listener if ranks.first else Silent()
        origin = find_origin(config, architecture, ranks, listener)
        check_names(origin, config)
        dataset = _opened(data, config, listener)
        classes = dataset.reader.classes
        train, val, data_hash = _prepare(dataset, config, listener, ranks)
        network = origin.network(len(classes), seed=config.seed)
        if origin.start is not None:
            listener.note(take_over(network, origin.start, classes))
        network = _placed(network, fabric.device, config)
        frozen = freeze(network, config)
        optimizer = build_optimizer(network, config)
        average = WeightAverage(network, config.ema) if config.ema else None
        synchronise(network, frozen, ranks)
        weights = _class_weights(config, train, fabric.device)
        if config.steps is not None:
            epochs = -(-config.steps // steps_per_epoch(len(train), config.batch_size))
            config = dataclasses.replace(config, epochs=epochs)
        listener.note(f"training {config.model} on {_places(fabric.device, launch)} in {why}")
        return Parts(
            config=config,
            dataset=dataset,
            train=train,
            val=val,
            data_hash=data_hash,
            fabric=fabric,
            ranks=ranks,
            launch=launch,
            network=network,
            frozen=frozen,
            average=average,
            weights_sha256=origin.sha256,
            optimizer=optimizer,
            objective=build_objective(network, config, weights),
            precision=precision,
            listener=listener,
        )

    @property
    def state(self) -> State:
        """What a checkpoint holds besides the progress."""
        scaler = getattr(self.fabric.strategy.precision, "scaler", None)  # float16's
        return State(self.network, self.optimizer, self.average, scaler)

    @property
    def architecture(self) -> Architecture:
        """What builds the network again."""
        return cast("Architecture", self.network.architecture)

    def facts(self, data: Path, config: TrainConfig) -> dict[str, Any]:
        """What the run depends on, for its provenance."""
        return {
            "architecture": {
                "name": self.architecture.name,
                "arguments": dict(self.architecture.arguments),
            },
            "weights_sha256": self.weights_sha256,
            "data": shown(data),
            "data_hash": self.data_hash,
            "format": self.dataset.reader.format,
            "split": self.dataset.split.rule,
            "train_pictures": len(self.train),
            "val_pictures": len(self.val),
            "classes": list(self.dataset.reader.classes.names),
            "class_weights": _listed(self.objective.class_weights),
            "train_pixels": [int(n) for n in self.train.class_counts],
            "seed": config.seed,
            "precision": self.precision,
            "threads": torch.get_num_threads(),
            "ranks": ranks_facts(self.launch),
        }


def ranks_facts(launch: Launch) -> dict[str, Any]:
    """The processes that train together, for a run's provenance."""
    return {"count": launch.ranks, "machines": launch.nodes, "started_by": launch.by}


def _joined(device: torch.device, precision: str, launch: Launch, *, compiled: bool) -> tuple[Fabric, Ranks]:
    """The engine, and who else trains."""
    if launch.ranks == 1:
        return make_fabric(device, precision), ALONE
    seconds = COMPILE_SECONDS if compiled else STEP_SECONDS
    fabric = join_fabric(device, precision, launch, seconds=seconds)
    return fabric, Ranks.of(fabric, seconds=seconds)


def _places(device: torch.device, launch: Launch) -> str:
    """`cpu`, or `2 devices (cuda, started by torchrun)`."""
    if launch.ranks == 1:
        return str(device)
    machines = f" on each of {launch.nodes} machines" if launch.nodes > 1 else ""
    return f"{launch.devices} devices{machines} ({device.type}, started by {launch.by})"


def _opened(data: Path, config: TrainConfig, listener: Listener) -> Dataset:
    dataset = open_dataset(data, config.data)
    for note in dataset.notes:
        listener.note(note)
    names = dataset.reader.classes.names
    if config.class_weights and len(config.class_weights) != len(names):
        raise ConfigError(
            f"--class-weights gives {len(config.class_weights)} weights for {len(names)} classes: "
            f"{', '.join(names)}"
        )
    return dataset


def _placed(network: torch.nn.Module, device: torch.device, config: TrainConfig) -> torch.nn.Module:
    """The network on its device, laid out for fast convolutions, its running statistics as asked for."""
    network = network.to(device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    if config.bn_momentum is not None:
        set_bn_momentum(network, config.bn_momentum)
    return network


def _class_weights(config: TrainConfig, train: Prepared, device: torch.device) -> torch.Tensor | None:
    """The class weights `(K,) float32` on the device, given or counted, or None."""
    if config.class_weights:
        return torch.tensor(config.class_weights, device=device)
    if config.balance == "none":
        return None
    where_present = train.pixels_where_present() if config.balance == "median" else train.class_counts
    weights = balanced_weights(config.balance, train.class_counts, where_present)
    return torch.from_numpy(weights).float().to(device)


def _listed(weights: torch.Tensor | None) -> list[float] | None:
    return None if weights is None else weights.tolist()


def _prepare(
    dataset: Dataset, config: TrainConfig, listener: Listener, ranks: Ranks
) -> tuple[Prepared, Prepared, str]:
    """Both sides at the network's size, every picture decoded and checked once on each machine."""
    with ranks.in_turn() if config.data.cache else nullcontext():
        prepared = prepare(dataset, config.size, config.data, progress=listener.work)
    if ranks.tell(prepared.data_hash) != prepared.data_hash:
        raise DataError(
            f"{dataset.reader.root}: rank {ranks.rank} sees other pictures or masks than the first machine "
            "does: give all machines the same files"
        )
    for note in prepared.notes:
        listener.note(note)
    train, val = prepared.train, prepared.val
    if len(train) < config.batch_size:
        raise DataError(
            f"{dataset.reader.root}: {len(train)} training pictures are fewer than one batch of "
            f"{config.batch_size}; use --batch-size {len(train)} or less"
        )
    if not val.class_counts.any():
        raise DataError(
            f"{dataset.reader.root}: every validation pixel is ignored (255), so nothing can be measured: "
            "check the masks, or take another split with --val-share"
        )
    for side, name in ((train, "training"), (val, "validation")):
        sentence = guard.unseen_classes(side.class_counts.tolist(), dataset.reader.classes, name)
        if sentence:
            listener.warning(sentence)
    return train, val, prepared.data_hash
