"""From a folder of labelled pictures to a run: opens the data, builds the parts, hands them to the loop."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from lightning_fabric import Fabric

from pixelwise import plain
from pixelwise.config import TrainConfig
from pixelwise.data import Dataset, open_dataset
from pixelwise.data.cache import prepare
from pixelwise.data.prepared import Prepared
from pixelwise.errors import ConfigError, DataError
from pixelwise.metrics import Metrics
from pixelwise.model_file import ModelHeader, read_header, save_model
from pixelwise.models import Architecture, build_model
from pixelwise.nn.arguments import parse_arguments
from pixelwise.report.history import HistoryRow
from pixelwise.segmenter import choose_device
from pixelwise.torch_runtime import choose_precision
from pixelwise.training import guard
from pixelwise.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from pixelwise.training.events import Listener, LogListener
from pixelwise.training.interrupt import stop_on_signals
from pixelwise.training.log import RunLog
from pixelwise.training.loop import Job, run_epochs
from pixelwise.training.optim import build_optimizer, set_bn_momentum
from pixelwise.training.run import (
    RunFolder,
    check_same_data,
    create,
    open_existing,
    write_config,
    write_provenance,
)
from pixelwise.types import SizePolicy


@dataclass(frozen=True)
class Run:
    """A training run that ended.

    Attributes:
        folder: Everything that it wrote.
        best: The model file of the best validation.
        best_epoch: Its epoch, from 1.
        history: One row per epoch.
        metrics: Validation scores of the best epoch, at the network's size.
    """

    folder: Path
    best: Path
    best_epoch: int
    history: tuple[HistoryRow, ...]
    metrics: Metrics

    def to_json(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {
            "folder": str(self.folder),
            "best": str(self.best),
            "best_epoch": self.best_epoch,
            "metrics": self.metrics.to_json(),
            "history": [row.to_json() for row in self.history],
        }


def train(
    data: str | os.PathLike[str],
    config: TrainConfig | None = None,
    *,
    out: str | os.PathLike[str] = "run",
    listener: Listener | None = None,
    **settings: Any,
) -> Run:
    """Trains a network on a folder of labelled pictures.

    Args:
        data: The folder.
        config: All settings at once; or give them one by one:
        out: Folder of the run; it must not hold one yet.
        listener: Hears of progress; the log `pixelwise` where not given.
        **settings: Settings by the names of the command line's flags (`epochs=15`, `flip=True`,
        `val_last=195`).

    Raises:
        ConfigError: A setting that there is not, or that is impossible; a folder that holds a run.
        DataError: The data cannot be read, or the folder not be written.
        TrainingInterrupted: A signal asked to stop; the run can be resumed.
        PixelwiseError: The loss is no finite number.
    """
    if config is not None and settings:
        raise ConfigError("give either a config or single settings, not both")
    config = config or plain.from_flat(TrainConfig, settings)
    listener = listener or LogListener()
    if RunFolder(Path(out)).config.exists():
        create(Path(out), Path(data), config)  # says what to do instead, before any picture is read
    parts = _Parts.build(Path(data), config, listener)
    run = create(Path(out), Path(data), config)
    provenance = write_provenance(run, parts.facts(Path(data), config))
    return _run(run, parts, Progress(), provenance)


def resume(
    folder: str | os.PathLike[str], *, epochs: int | None = None, listener: Listener | None = None
) -> Run:
    """Goes on with a run that was interrupted or killed, to the weights that it would have had.

    Bit-identical on the same machine with the same libraries and number of threads. A run that is done is
    returned as it is.

    Args:
        folder: The run.
        epochs: Train until this many epochs instead. With a constant learning rate the result is that of a
            run begun with as many; a schedule is stretched from here on.
        listener: Hears of progress; the log `pixelwise` where not given.

    Raises:
        ConfigError: There is no run in the folder, or it has done more epochs than asked for.
        ModelFileError: Its checkpoint does not fit.
        DataError: The pictures changed since.
    """
    run, data, config = open_existing(Path(folder))
    listener = listener or LogListener()
    if epochs is not None:
        config = dataclasses.replace(config, epochs=epochs)
    parts = _Parts.build(data, config, listener)
    if not run.provenance.exists():
        # Killed before the first step: there is nothing to continue from, so this is the beginning.
        provenance = write_provenance(run, parts.facts(data, config))
        return _run(run, parts, Progress(), provenance)
    provenance = check_same_data(run, parts.data_hash)
    progress = Progress()
    if run.checkpoint.exists():
        progress = load_checkpoint(run.checkpoint, parts.network, parts.optimizer)
        if progress.epoch > config.epochs or (progress.epoch == config.epochs and progress.step):
            raise ConfigError(f"{run.path} has done {progress.epoch} epochs: --epochs cannot be lower")
        listener.note(f"resuming {run.path} in epoch {progress.epoch + 1} after step {progress.step}")
    if epochs is not None:
        write_config(run, data, config)
    return _run(run, parts, progress, provenance)


@dataclass(frozen=True)
class _Parts:
    """What a run is made of before it has moved."""

    config: TrainConfig
    dataset: Dataset
    train: Prepared
    val: Prepared
    data_hash: str
    fabric: Fabric
    network: torch.nn.Module
    optimizer: torch.optim.Optimizer
    precision: str
    listener: Listener

    @staticmethod
    def build(data: Path, config: TrainConfig, listener: Listener) -> _Parts:
        """Opens the data, checks that it can be trained on, and builds network and optimiser."""
        device = choose_device(config.device)
        precision, why = _precision(config, device)
        arguments = parse_arguments(config.model_args)
        # Built before the data is read: a wrong model name should not cost a walk over all pictures.
        with torch.device("cpu" if config.weights else "meta"):
            build_model(
                config.model,
                num_classes=1,
                arguments=arguments,
                weights=config.weights,
                progress=listener.work,
            )
        dataset = open_dataset(data, config.data)
        for note in dataset.notes:
            listener.note(note)
        classes = dataset.reader.classes
        if config.class_weights and len(config.class_weights) != len(classes):
            raise ConfigError(
                f"--class-weights gives {len(config.class_weights)} weights for {len(classes)} classes: "
                f"{', '.join(classes.names)}"
            )
        train, val, data_hash = _prepare(dataset, config, listener)
        network = build_model(
            config.model,
            num_classes=len(classes),
            arguments=arguments,
            seed=config.seed,
            weights=config.weights,
        )
        fabric = Fabric(
            accelerator=device.type,
            devices=1,
            precision="bf16-mixed" if precision == "bfloat16" else "32-true",
        )
        network = network.to(fabric.device)
        network = network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        if config.bn_momentum is not None:
            set_bn_momentum(network, config.bn_momentum)
        optimizer = build_optimizer(network, config)
        listener.note(f"training {config.model} on {fabric.device} in {why}")
        return _Parts(
            config=config,
            dataset=dataset,
            train=train,
            val=val,
            data_hash=data_hash,
            fabric=fabric,
            network=network,
            optimizer=optimizer,
            precision=precision,
            listener=listener,
        )

    def facts(self, data: Path, config: TrainConfig) -> dict[str, Any]:
        """What the run depends on, for its provenance."""
        return {
            "data": str(data.resolve()),
            "data_hash": self.data_hash,
            "format": self.dataset.reader.format,
            "split": self.dataset.split.rule,
            "train_pictures": len(self.train),
            "val_pictures": len(self.val),
            "classes": list(self.dataset.reader.classes.names),
            "train_pixels": [int(n) for n in self.train.class_counts],
            "seed": config.seed,
            "precision": self.precision,
            "threads": torch.get_num_threads(),
        }


def _precision(config: TrainConfig, device: torch.device) -> tuple[str, str]:
    """`float32` or `bfloat16`, and why."""
    if config.precision != "auto":
        return config.precision, f"{config.precision}: asked for"
    dtype, why = choose_precision(device)
    return ("bfloat16" if dtype == torch.bfloat16 else "float32"), why


def _prepare(dataset: Dataset, config: TrainConfig, listener: Listener) -> tuple[Prepared, Prepared, str]:
    """Both sides at the network's size, every picture decoded and checked once."""
    prepared = prepare(dataset, config.size, config.data, progress=listener.work)
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


def _run(run: RunFolder, parts: _Parts, progress: Progress, provenance: dict[str, Any]) -> Run:
    """Trains to the end and says what came of it."""
    classes, config = parts.dataset.reader.classes, parts.config
    log = RunLog(run, classes, progress.rows)
    engine, optimizer = parts.fabric.setup(parts.network, parts.optimizer)
    job = Job(
        config=config,
        classes=classes,
        train=parts.train,
        val=parts.val,
        fabric=parts.fabric,
        network=parts.network,
        engine=engine,
        optimizer=optimizer,
        progress=progress,
        save_checkpoint=lambda: save_checkpoint(run.checkpoint, parts.network, parts.optimizer, progress),
        save_models=_model_writer(run, parts, progress, provenance),
        log=log,
        listener=parts.listener,
    )
    try:
        with stop_on_signals() as stop:
            run_epochs(job, stop)
    finally:
        log.close()
    best = read_header(run.best).provenance
    return Run(
        folder=run.path,
        best=run.best,
        best_epoch=progress.best_epoch,
        history=tuple(progress.rows),
        metrics=Metrics.from_json(best["validation"]),
    )


def _model_writer(
    run: RunFolder, parts: _Parts, progress: Progress, provenance: dict[str, Any]
) -> Callable[[Metrics, bool], None]:
    """Writes last.safetensors after an epoch, and best.safetensors where it is the best."""
    config = parts.config
    header = ModelHeader(
        architecture=cast("Architecture", parts.network.architecture),
        classes=parts.dataset.reader.classes,
        size_policy=SizePolicy("resize", config.size),
    )

    def write(metrics: Metrics, best: bool) -> None:
        facts = {
            **provenance,
            "train": plain.to_json(config),
            "epoch": progress.epoch,
            "validation": metrics.to_json(),
            "validation_loss": progress.rows[-1].val_loss,
        }
        complete = dataclasses.replace(header, provenance=facts)
        save_model(run.last, parts.network, complete)
        if best:
            save_model(run.best, parts.network, complete)

    return write
