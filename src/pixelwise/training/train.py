"""From a folder of labelled pictures to a run: opens the data, builds the parts, hands them to the loop."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwise import plain
from pixelwise.config import TrainConfig
from pixelwise.errors import ConfigError
from pixelwise.header import ModelHeader
from pixelwise.interrupt import stop_on_signals
from pixelwise.metrics import Metrics
from pixelwise.model_file import read_header, save_model
from pixelwise.report.history import HistoryRow
from pixelwise.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from pixelwise.training.engine import Heads, compiled
from pixelwise.training.events import Listener, LogListener
from pixelwise.training.job import AVERAGE, WEIGHTS, Job
from pixelwise.training.log import RunLog
from pixelwise.training.loop import run_epochs
from pixelwise.training.parts import Parts
from pixelwise.training.run import (
    RunFolder,
    alone,
    check_same_data,
    check_same_weights,
    create,
    open_existing,
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
        PixelwiseError: The loss is no finite number.
    """
    if config is not None and settings:
        raise ConfigError("give either a config or single settings, not both")
    config = config or plain.from_flat(TrainConfig, settings)
    config = settled(config)
    listener = listener or LogListener()
    check_available(config)
    if RunFolder(Path(out)).config.exists():
        create(Path(out), Path(data), config)  # says what to do instead, before any picture is read
    parts = Parts.build(Path(data), config, listener)
    with alone(RunFolder(Path(out)), listener.warning):
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
        ConfigError: There is no run in the folder, another process goes on with it already, or it has done
            more epochs than asked for.
        ModelFileError: Its checkpoint does not fit.
        DataError: The pictures changed since, or the folder cannot be written.
    """
    run, data, config = open_existing(Path(folder))
    check_available(config)
    listener = listener or LogListener()
    with alone(run, listener.warning):
        return _go_on(run, data, config, epochs=epochs, listener=listener)


def _go_on(run: RunFolder, data: Path, config: TrainConfig, *, epochs: int | None, listener: Listener) -> Run:
    """The rest of a run that nobody else works on."""
    if epochs is not None:
        config = dataclasses.replace(config, epochs=epochs, steps=None)
    architecture = recorded_architecture(run) if run.checkpoint.exists() else None
    parts = Parts.build(data, config, listener, architecture=architecture)
    if not run.provenance.exists():
        # Killed before the first step: there is nothing to continue from, so this is the beginning.
        provenance = write_provenance(run, parts.facts(data, config))
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
        listener.note(f"resuming {run.path} in epoch {progress.epoch + 1} after step {progress.step}")
    if epochs is not None:
        write_config(run, data, config)
    return _run(run, parts, progress, provenance)


def _run(run: RunFolder, parts: Parts, progress: Progress, provenance: dict[str, Any]) -> Run:
    """Trains to the end and says what came of it."""
    classes, config = parts.dataset.reader.classes, parts.config
    sinks = open_sinks(run, config, plain.flatten(config), parts.listener.warning)
    log = RunLog(run, classes, progress.rows, sinks)
    engine, optimizer = parts.fabric.setup(compiled(Heads(parts.network), config), parts.optimizer)
    average = None
    if parts.average is not None:
        average = parts.average, parts.fabric.setup(compiled(Heads(parts.average.network), config))
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
        ),
        network=parts.network,
        frozen=parts.frozen,
        average=average,
        progress=progress,
        save_checkpoint=lambda: save_checkpoint(run.checkpoint, parts.state, progress),
        save_models=_model_writer(run, parts, progress, provenance),
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
    best = read_header(run.best).provenance
    return Run(
        folder=run.path,
        best=run.best,
        best_epoch=progress.best_epoch,
        history=tuple(progress.rows),
        metrics=Metrics.from_json(best["validation"]),
    )


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
