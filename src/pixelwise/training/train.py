"""From a folder of labelled pictures to a run: opens the data, builds the parts, hands them to the loop.

In this process, or in several that `launcher` starts.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwise import plain
from pixelwise.backends.torch import choose_device
from pixelwise.config import TrainConfig
from pixelwise.errors import ConfigError, DataError
from pixelwise.header import ModelHeader
from pixelwise.interrupt import stop_on_signals
from pixelwise.metrics import Metrics
from pixelwise.model_file import read_header, save_model
from pixelwise.report.history import HistoryRow
from pixelwise.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from pixelwise.training.engine import Heads, check_devices, compiled, make_fabric
from pixelwise.training.events import Listener, LogListener
from pixelwise.training.job import AVERAGE, WEIGHTS, Job
from pixelwise.training.launch import Launch, check_batch, check_wishes, find_launch
from pixelwise.training.launcher import run_ranks
from pixelwise.training.log import Log, NoLog, RunLog
from pixelwise.training.loop import run_epochs
from pixelwise.training.order import Order
from pixelwise.training.parts import Parts, ranks_facts
from pixelwise.training.ranks import RankLostError, lost
from pixelwise.training.run import (
    RunFolder,
    alone,
    check_same_data,
    check_same_weights,
    create,
    open_existing,
    record_ranks,
    recorded_architecture,
    write_config,
    write_provenance,
)
from pixelwise.training.sinks import check_available, open_sinks
from pixelwise.training.start import settled
from pixelwise.training.step import Stepper
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

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Run:
        """Reads what `to_json` gave."""
        return Run(
            folder=Path(value["folder"]),
            best=Path(value["best"]),
            best_epoch=value["best_epoch"],
            history=tuple(HistoryRow.from_json(row) for row in value["history"]),
            metrics=Metrics.from_json(value["metrics"]),
        )


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
        ModelFileError: `init` is no model file.
        TrainingInterrupted: A signal asked to stop; the run can be resumed.
        RankLostError: Another process of the run died.
        PixelwiseError: The loss is no finite number.
    """
    if config is not None and settings:
        raise ConfigError("give either a config or single settings, not both")
    config = settled(config or plain.from_flat(TrainConfig, settings))
    check_available(config)
    if RunFolder(Path(out)).config.exists():
        create(Path(out), Path(data), config)  # says what to do instead, before any picture is read
    order = Order(data=Path(data), out=Path(out), config=config)
    return _carry_out(order, listener or LogListener())


def resume(
    folder: str | os.PathLike[str],
    *,
    epochs: int | None = None,
    devices: int | None = None,
    nodes: int | None = None,
    listener: Listener | None = None,
) -> Run:
    """Goes on with a run that was interrupted or killed, to the weights that it would have had.

    Bit-identical on the same machine with the same libraries and number of threads and devices; on another
    number of devices it sees the same pictures in the same batches. A run that is done is returned as it is.

    Args:
        folder: The run.
        epochs: Train until this many epochs instead. With a constant learning rate the result is that of a
            run begun with as many; a schedule is stretched from here on.
        devices: Train on this many of each machine instead.
        nodes: Train on this many machines instead.
        listener: Hears of progress; the log `pixelwise` where not given.

    Raises:
        ConfigError: There is no run in the folder, another process goes on with it already, or it has done
            more epochs than asked for.
        ModelFileError: Its checkpoint does not fit.
        DataError: The pictures changed since, or the folder cannot be written.
        RankLostError: Another process of the run died.
    """
    run, data, config = open_existing(Path(folder))
    check_available(config)
    if epochs is not None:
        config = dataclasses.replace(config, epochs=epochs, steps=None)
    if devices or nodes or find_launch().ranks > 1:
        # What started us decides, or the flags do; not what the run began with.
        config = dataclasses.replace(config, devices=devices, nodes=nodes)
    order = Order(data=data, out=run.path, config=config, resumed=True, stretched=epochs is not None)
    return _carry_out(order, listener or LogListener())


def _carry_out(order: Order, listener: Listener) -> Run:
    """Here, where this process is alone or was started as one of several; else in processes of its own."""
    config, launch = order.config, find_launch()
    if launch.ranks > 1:
        check_wishes(config, launch)
    ranks = launch.ranks if launch.ranks > 1 else (config.devices or 1) * (config.nodes or 1)
    check_batch(config, ranks)
    if ranks == launch.ranks:
        return carry_out(order, listener, launch)
    launch = Launch("pixelwise", config.devices or 1, config.nodes or 1)
    check_devices(choose_device(config.device), launch)
    return Run.from_json(run_ranks(order, launch, listener))


def carry_out(order: Order, listener: Listener, launch: Launch) -> Run:
    """Trains as one of the ranks, or alone."""
    try:
        return (_resume if order.resumed else _train)(order, listener, launch)
    except Exception as error:
        reason = None if launch.ranks == 1 else lost(error)
        if reason is None:
            raise
        raise RankLostError(
            f"rank {launch.rank} lost the others ({reason}): one of them died or cannot be reached, so "
            f"training ended; the last checkpoint is whole, go on with: pixelwise train --resume {order.out}"
        ) from error


def _train(order: Order, listener: Listener, launch: Launch) -> Run:
    config, data = order.config, order.data
    parts = Parts.build(data, config, listener, launch=launch)
    run, provenance = RunFolder(order.out), dict[str, Any]()

    def begin() -> None:
        create(order.out, data, config)
        provenance.update(write_provenance(run, parts.facts(data, config)))

    with _alone(run, listener, launch):
        parts.ranks.write(begin)
        return _run(run, parts, Progress(), provenance)


def _resume(order: Order, listener: Listener, launch: Launch) -> Run:
    with _alone(RunFolder(order.out), listener, launch):
        return _go_on(order, listener, launch)


def _alone(run: RunFolder, listener: Listener, launch: Launch) -> AbstractContextManager[None]:
    """Only the first rank writes, so it is the one that keeps others away."""
    return alone(run, listener.warning) if launch.rank == 0 else nullcontext()


def _go_on(order: Order, listener: Listener, launch: Launch) -> Run:
    """The rest of a run that nobody else works on."""
    run, config = RunFolder(order.out), order.config
    architecture = recorded_architecture(run) if run.checkpoint.exists() else None
    parts = Parts.build(order.data, config, listener, launch=launch, architecture=architecture)
    ranks = parts.ranks
    if not ranks.tell(run.provenance.exists()):
        # Killed before the first step: there is nothing to continue from, so this is the beginning.
        provenance = dict[str, Any]()
        ranks.write(lambda: provenance.update(write_provenance(run, parts.facts(order.data, config))))
        return _run(run, parts, Progress(), provenance)
    provenance = check_same_data(run, parts.data_hash)
    if architecture is None:
        check_same_weights(provenance, parts.weights_sha256)
    progress = Progress()
    if run.checkpoint.exists():
        progress = load_checkpoint(run.checkpoint, parts.state)
        last = parts.config.epochs
        if progress.epoch > last or (progress.epoch == last and progress.step):
            raise ConfigError(f"{run.path} has done {progress.epoch} epochs: --epochs cannot be lower")
        parts.listener.note(f"resuming {run.path} in epoch {progress.epoch + 1} after step {progress.step}")
    if ranks.tell([progress.epoch, progress.step]) != [progress.epoch, progress.step]:
        raise DataError(
            f"{run.path} holds another checkpoint on rank {ranks.rank} than on the first: all machines must "
            "see one folder"
        )

    def note() -> None:
        record_ranks(run, provenance, progress.updates, ranks_facts(launch))
        if order.stretched:
            write_config(run, order.data, config)

    ranks.write(note)
    return _run(run, parts, progress, provenance)


def _run(run: RunFolder, parts: Parts, progress: Progress, provenance: dict[str, Any]) -> Run:
    """Trains to the end and says what came of it."""
    classes, config = parts.dataset.reader.classes, parts.config
    ranks = parts.ranks
    log: Log = NoLog()
    if ranks.first:
        sinks = open_sinks(run, config, plain.flatten(config), parts.listener.warning)
        log = RunLog(run, classes, progress.rows, sinks)
    engine, optimizer = parts.fabric.setup(compiled(Heads(parts.network), config), parts.optimizer)
    average = None
    if parts.average is not None:
        # It has no gradients to share, so every rank runs it by itself.
        alone = make_fabric(parts.fabric.device, parts.precision) if ranks.count > 1 else parts.fabric
        average = parts.average, alone.setup(compiled(Heads(parts.average.network), config))
    job = Job(
        config=config,
        classes=classes,
        train=parts.train,
        val=parts.val,
        stepper=Stepper(
            fabric=parts.fabric,
            engine=engine,
            optimizer=optimizer,
            objective=parts.objective,
            micro_batch=config.micro_batch,
            clip_norm=config.clip_norm,
            ranks=ranks,
        ),
        network=parts.network,
        frozen=parts.frozen,
        average=average,
        progress=progress,
        save_checkpoint=lambda: ranks.write(lambda: save_checkpoint(run.checkpoint, parts.state, progress)),
        save_models=_model_writer(run, parts, progress, provenance) if ranks.first else _no_models,
        log=log,
        listener=parts.listener,
    )
    finished = False
    try:
        with stop_on_signals() as stop:
            run_epochs(job, stop)
        finished = True
    finally:
        log.close(finished=finished)
    # Other machines need not see the folder.
    best = ranks.tell(read_header(run.best).provenance["validation"] if ranks.first else None)
    return Run(
        folder=run.path,
        best=run.best,
        best_epoch=progress.best_epoch,
        history=tuple(progress.rows),
        metrics=Metrics.from_json(best),
    )


def _no_models(metrics: Mapping[str, Metrics], best: str | None) -> None:
    """The first rank writes them."""


def _model_writer(
    run: RunFolder, parts: Parts, progress: Progress, provenance: dict[str, Any]
) -> Callable[[Mapping[str, Metrics], str | None], None]:
    """Writes last.safetensors and average.safetensors after an epoch, and the best of the run as best."""
    config = parts.config
    header = ModelHeader(
        architecture=parts.architecture,
        classes=parts.dataset.reader.classes,
        size_policy=SizePolicy("resize", config.size, "scaled"),
    )
    models = {WEIGHTS: (parts.network, run.last)}
    if parts.average is not None:
        models[AVERAGE] = (parts.average.network, run.average)

    def write(metrics: Mapping[str, Metrics], best: str | None) -> None:
        row = progress.rows[-1]
        losses = {WEIGHTS: row.val_loss, AVERAGE: row.average_loss}
        for name, (network, path) in models.items():
            facts = {
                **provenance,
                "train": plain.to_json(config),
                "epoch": progress.epoch,
                "model": name,
                "validation": metrics[name].to_json(),
                "validation_loss": losses[name],
            }
            complete = dataclasses.replace(header, provenance=facts)
            save_model(path, network, complete)
            if name == best:
                save_model(run.best, network, complete)

    return write
