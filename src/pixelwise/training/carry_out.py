"""One rank of a run, or the only one: from the order to the end, new or taken up again.

Builds the parts, hands them to the loop, and writes where it is the first. How many ranks there are, and who
starts them, was decided before.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from pixelwise import plain
from pixelwise.errors import ConfigError, DataError
from pixelwise.header import ModelHeader
from pixelwise.interrupt import stop_on_signals
from pixelwise.metrics import Metrics
from pixelwise.model_file import read_header, save_weights
from pixelwise.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from pixelwise.training.ended import Run
from pixelwise.training.events import Listener
from pixelwise.training.job import AVERAGE, WEIGHTS, Job
from pixelwise.training.launch import Launch
from pixelwise.training.lifeline import lifeline
from pixelwise.training.log import Log, NoLog, RunLog
from pixelwise.training.loop import run_epochs
from pixelwise.training.order import Order
from pixelwise.training.parts import Parts, ranks_facts
from pixelwise.training.ranks import RankLostError, Ranks, lost
from pixelwise.training.run import (
    RunFolder,
    alone,
    check_same_data,
    check_same_weights,
    create,
    record_ranks,
    recorded_architecture,
    write_config,
    write_provenance,
)
from pixelwise.training.shards import gathered
from pixelwise.training.sinks import open_sinks
from pixelwise.training.step import Stepper
from pixelwise.types import SizePolicy


def _leave(error: RankLostError) -> None:
    """Says why, and ends the process at once: its main thread waits for somebody who is gone."""
    sys.stderr.write(f"pixelwise: {error}\n")
    sys.stderr.flush()
    os._exit(2)


def carry_out(
    order: Order, listener: Listener, launch: Launch, *, on_lost: Callable[[RankLostError], None] = _leave
) -> Run:
    """Trains as one of the ranks, or alone.

    Args:
        order: What is to be done.
        listener: Hears of it.
        launch: How this process was started.
        on_lost: Called in another thread where a machine vanished and training waits for it; it should end
            the process. What training itself notices is raised.
    """
    place = _Place(listener, launch, lambda reason: on_lost(_lost(order, launch, reason)))
    try:
        return (_resume if order.resumed else _train)(order, place)
    except Exception as error:
        reason = None if launch.ranks == 1 else lost(error)
        if reason is None:
            raise
        raise _lost(order, launch, reason) from error


def _lost(order: Order, launch: Launch, reason: str) -> RankLostError:
    return RankLostError(
        f"rank {launch.rank} lost the others ({reason}): one of them died or cannot be reached, so "
        f"training ended; the last checkpoint is whole, go on with: pixelwise train --resume {order.out}"
    )


@dataclasses.dataclass(frozen=True)
class _Place:
    """This process among the ranks: who hears of it, how it was started, who hears that others vanished."""

    listener: Listener
    launch: Launch
    on_lost: Callable[[str], None]

    def alone(self, run: RunFolder) -> AbstractContextManager[None]:
        """Only the first rank writes, so it is the one that keeps others away."""
        return alone(run, self.listener.warning) if self.launch.rank == 0 else nullcontext()

    def watched(self, ranks: Ranks) -> AbstractContextManager[None]:
        """While it trains, other machines are watched; a process of this one cannot vanish unnoticed."""
        if self.launch.nodes == 1:
            return nullcontext()
        address = os.environ["MASTER_ADDR"]
        return lifeline(ranks, address, on_lost=self.on_lost, on_warning=self.listener.warning)


def _train(order: Order, place: _Place) -> Run:
    config, data = order.config, order.data
    parts = Parts.build(data, config, place.listener, launch=place.launch)
    run, provenance = RunFolder(order.out), dict[str, Any]()

    def begin() -> None:
        create(order.out, data, config)
        provenance.update(write_provenance(run, parts.facts(data, config)))

    with place.alone(run), place.watched(parts.ranks):
        parts.ranks.write(begin)
        return _run(run, parts, Progress(), provenance)


def _resume(order: Order, place: _Place) -> Run:
    """The rest of a run that nobody else works on."""
    run, config = RunFolder(order.out), order.config
    with place.alone(run):
        architecture = recorded_architecture(run) if run.checkpoint.exists() else None
        launch = place.launch
        parts = Parts.build(order.data, config, place.listener, launch=launch, architecture=architecture)
        with place.watched(parts.ranks):
            return _go_on(order, launch, run, parts, known=architecture is not None)


def _go_on(order: Order, launch: Launch, run: RunFolder, parts: Parts, *, known: bool) -> Run:
    """From its checkpoint where there is one; `known` says that this had the network's architecture."""
    config, ranks = order.config, parts.ranks
    if not ranks.tell(run.provenance.exists()):
        # Killed before the first step: there is nothing to continue from, so this is the beginning.
        provenance = dict[str, Any]()
        ranks.write(lambda: provenance.update(write_provenance(run, parts.facts(order.data, config))))
        return _run(run, parts, Progress(), provenance)
    provenance = check_same_data(run, parts.data_hash)
    if not known:
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
        record_ranks(run, provenance, progress.updates, ranks_facts(launch, sharded=parts.sharded))
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
    average = None
    if parts.average is not None and parts.average_engine is not None:
        average = parts.average, parts.average_engine

    def checkpoint() -> None:
        save_checkpoint(run.checkpoint, parts.state, progress, write=ranks.first)
        ranks.wait()

    job = Job(
        config=config,
        classes=classes,
        train=parts.train,
        val=parts.val,
        stepper=Stepper(
            fabric=parts.fabric,
            engine=parts.engine,
            optimizer=parts.fabric.setup_optimizers(parts.optimizer),  # pyright: ignore[reportArgumentType]
            objective=parts.objective,
            micro_batch=config.micro_batch,
            clip_norm=config.clip_norm,
            ranks=ranks,
            sharded=parts.sharded,
        ),
        network=parts.network,
        frozen=parts.frozen,
        average=average,
        progress=progress,
        save_checkpoint=checkpoint,
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
    # Other machines need not see the folder.
    best = ranks.tell(read_header(run.best).provenance["validation"] if ranks.first else None)
    return Run(
        folder=run.path,
        best=run.best,
        best_epoch=progress.best_epoch,
        history=tuple(progress.rows),
        metrics=Metrics.from_json(best),
    )


def _model_writer(
    run: RunFolder, parts: Parts, progress: Progress, provenance: dict[str, Any]
) -> Callable[[Mapping[str, Metrics], str | None], None]:
    """Writes last.safetensors and average.safetensors after an epoch, and the best of the run as best.

    The first rank does, and the others give their parts where the network is in shards.
    """
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
            weights = gathered(network.state_dict(), keep=parts.ranks.first)
            if not parts.ranks.first:
                continue
            facts = {
                **provenance,
                "train": plain.to_json(config),
                "epoch": progress.epoch,
                "model": name,
                "validation": metrics[name].to_json(),
                "validation_loss": losses[name],
            }
            complete = dataclasses.replace(header, provenance=facts)
            save_weights(path, weights, complete)
            if name == best:
                save_weights(run.best, weights, complete)

    return write
