"""What a run is made of before it has moved: the opened data, the network, the optimiser, the engine.

Knows neither run folder nor checkpoint; `train` and `resume` begin with it alike.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from lightning_fabric import Fabric

from pixelwise.address import shown
from pixelwise.backends.torch import choose_device
from pixelwise.config import TrainConfig
from pixelwise.data import Dataset
from pixelwise.data.class_weights import balanced_weights
from pixelwise.data.prepared import Prepared
from pixelwise.header import Architecture
from pixelwise.training.average import WeightAverage
from pixelwise.training.checkpoint import State
from pixelwise.training.encoder_layers import freeze, set_bn_momentum
from pixelwise.training.engine import check_devices, decide_precision, join_fabric, make_fabric, set_up
from pixelwise.training.events import Listener, Silent
from pixelwise.training.job import steps_per_epoch
from pixelwise.training.launch import Launch
from pixelwise.training.objective import Objective, build_objective
from pixelwise.training.optim import build_optimizer
from pixelwise.training.origin import check_names, find_origin
from pixelwise.training.ranks import ALONE, COMPILE_SECONDS, STEP_SECONDS, Ranks
from pixelwise.training.sharding import check_sharded
from pixelwise.training.sides import opened, prepared_sides
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
    engine: torch.nn.Module
    frozen: tuple[torch.nn.Module, ...]
    average: WeightAverage | None
    average_engine: torch.nn.Module | None
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
        sharded = check_sharded(config, precision, launch.ranks)
        fabric, ranks = _joined(device, precision, launch, config)
        listener = listener if ranks.first else Silent()
        origin = find_origin(config, architecture, ranks, listener)
        check_names(origin, config)
        dataset = opened(data, config, listener)
        classes = dataset.reader.classes
        train, val, data_hash = prepared_sides(dataset, config, listener, ranks)
        network = origin.network(len(classes), seed=config.seed)
        if origin.start is not None:
            listener.note(take_over(network, origin.start, classes))
        network = _placed(network, None if sharded else fabric.device, config)
        frozen = freeze(network, config)
        average = WeightAverage(network, config.ema) if config.ema else None
        synchronise(network, frozen, ranks)
        engine = set_up(network, fabric, config)
        optimizer = build_optimizer(network, config)  # of what is there now: shards are other parameters
        weights = _class_weights(config, train, fabric.device)
        if config.steps is not None:
            epochs = -(-config.steps // steps_per_epoch(len(train), config.batch_size))
            config = dataclasses.replace(config, epochs=epochs)
        listener.note(
            f"training {config.model} on {_places(fabric.device, launch, sharded=sharded)} in {why}"
        )
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
            engine=engine,
            frozen=frozen,
            average=average,
            average_engine=average
            and set_up(
                # Without gradients to share, every rank runs it by itself, unless it is in shards as well.
                average.network,
                fabric if sharded or ranks.count == 1 else make_fabric(fabric.device, precision),
                config,
            ),
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
    def sharded(self) -> bool:
        """Whether the network is in shards, one a rank."""
        return check_sharded(self.config, self.precision, self.ranks.count)

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
            "ranks": ranks_facts(self.launch, sharded=self.sharded),
        }


def ranks_facts(launch: Launch, *, sharded: bool) -> dict[str, Any]:
    """The processes that train together, for a run's provenance."""
    facts = {"count": launch.ranks, "machines": launch.nodes, "started_by": launch.by}
    return {**facts, "sharded": True} if sharded else facts


def _joined(
    device: torch.device, precision: str, launch: Launch, config: TrainConfig
) -> tuple[Fabric, Ranks]:
    """The engine, and who else trains."""
    if launch.ranks == 1:
        return make_fabric(device, precision), ALONE
    seconds = COMPILE_SECONDS if config.compile else STEP_SECONDS
    sharded = config.strategy == "fsdp"
    fabric = join_fabric(device, precision, launch, seconds=seconds, sharded=sharded)
    return fabric, Ranks.of(fabric, seconds=seconds)


def _places(device: torch.device, launch: Launch, *, sharded: bool) -> str:
    """`cpu`, or `2 devices (cuda, started by torchrun)`."""
    if launch.ranks == 1:
        return str(device)
    machines = f" on each of {launch.nodes} machines" if launch.nodes > 1 else ""
    shards = ", the network in shards" if sharded else ""
    return f"{launch.devices} devices{machines} ({device.type}, started by {launch.by}{shards})"


def _placed(network: torch.nn.Module, device: torch.device | None, config: TrainConfig) -> torch.nn.Module:
    """The network on its device, laid out for fast convolutions, its running statistics as asked for.

    Without a device it stays where it is: its shards find their places, and it need have none as a whole.
    """
    if device is not None:
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
