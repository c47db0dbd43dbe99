"""The end of an epoch: validation, choice of the best model, files, log, warnings. Moves no weight."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from pixelwise.config import TrainConfig
from pixelwise.data.loader import Batch, BatchLoader
from pixelwise.metrics import Metrics, scores
from pixelwise.report.history import HistoryRow
from pixelwise.training import guard
from pixelwise.training.checkpoint import Progress
from pixelwise.training.job import AVERAGE, WEIGHTS, Job, steps_per_epoch
from pixelwise.training.optim import learning_rate
from pixelwise.training.validate import Example, Validation, validate


def validated(epoch: int, config: TrainConfig) -> bool:
    """Whether this epoch, from 1, ends with a validation."""
    return epoch % config.validate_every == 0 or epoch == config.epochs


def finish_epoch(job: Job) -> None:
    """Validates, writes models, examples, checkpoint and what a resume writes again, tells the listener."""
    config, progress = job.config, job.progress
    found = {WEIGHTS: _validate(job, job.stepper.engine, "validating")}
    if job.average is not None:
        found[AVERAGE] = _validate(job, job.average[1], "validating the average")
    metrics = {name: scores(validation.confusion, job.classes) for name, validation in found.items()}
    steps = steps_per_epoch(len(job.train), config.batch_size)
    lr = learning_rate((progress.epoch + 1) * steps - 1, config.epochs * steps, config)
    row = _row(progress, found, metrics, lr)
    best = _choose(row, progress, config)
    progress.end_epoch()
    progress.end_row(row)
    if best is not None:
        progress.best_epoch = progress.epoch
        progress.best_value = _value(row, best, config)
    # What only this epoch can write comes before the checkpoint: killed before that, the epoch is done again.
    job.save_models(metrics, best)
    examples = [*found.values()][-1].examples
    if examples:
        job.log.examples(
            row.epoch,
            row.step,
            images=[example.image for example in examples],
            truth=[example.truth for example in examples],
            predicted=[example.predicted for example in examples],
        )
    job.save_checkpoint()
    job.log.epoch(progress.rows)
    job.ranks.wait()  # pictures, plots and trackers of the first rank take their time
    job.listener.epoch(row, config.epochs, best=best is not None)
    _warn(job, row, found[WEIGHTS])


def _validate(job: Job, engine: torch.nn.Module, text: str) -> Validation:
    config, count, ranks = job.config, len(job.val), job.ranks
    shown = example_epoch(len(job.progress.rows) + 1) or job.progress.epoch + 1 == config.epochs
    places = example_places(count, config.log_pictures) if shown else ()
    own = ranks.share().strided(count)
    batch = -(-config.batch_size // ranks.count)
    with BatchLoader(job.val, np.arange(count)[own], batch_size=batch, workers=config.data.workers) as loader:
        found = validate(
            engine,
            itertools.chain(loader, _idle(job, len(own), batch)),
            num_classes=len(job.classes),
            objective=job.stepper.objective,
            device=job.device,
            keep=[own.index(place) for place in places if place in own],
            on_batch=lambda done: job.listener.work(text, min(done * ranks.count, count), count),
            ranks=ranks,
            sharded=job.sharded,
        )
    if ranks.count == 1 or not places:
        return found
    return dataclasses.replace(found, examples=_all_examples(job, sorted(places), found.examples))


def _idle(job: Job, own: int, batch: int) -> list[Batch]:
    """Batches of no picture, as many as the largest share has more than ours: shards need all ranks."""
    if not job.sharded:
        return []
    most = -(-len(job.val) // job.ranks.count)
    size = job.val.size
    nothing = Batch(np.zeros(0, np.int64), np.zeros((0, *size, 3), np.uint8), np.zeros((0, *size), np.uint8))
    return [nothing] * (-(-most // batch) - -(-own // batch))


def _all_examples(job: Job, places: Sequence[int], own: Sequence[Example]) -> tuple[Example, ...]:
    """The examples at these places of the validation pictures, whichever rank predicted each."""
    predicted = torch.zeros(len(places), *job.val.size, dtype=torch.uint8, device=job.device)
    share = job.ranks.share().strided(len(job.val))
    rows = [row for row, place in enumerate(places) if place in share]
    for row, example in zip(rows, own, strict=True):
        predicted[row] = torch.from_numpy(example.predicted)
    labels = job.ranks.sum(predicted).cpu().numpy()
    return tuple(Example(*job.val.pair(place), labels[row]) for row, place in enumerate(places))


def example_epoch(validation: int) -> bool:
    """Whether examples are logged at this validation: 1, 2, 4, 8, … so that logs stay small."""
    return validation & (validation - 1) == 0


def example_places(count: int, wanted: int) -> frozenset[int]:
    """Places of at most `wanted` of `count` pictures, spread evenly, the same ones at every call."""
    wanted = min(count, wanted)
    return frozenset((2 * i + 1) * count // (2 * wanted) for i in range(wanted))


def _warn(job: Job, row: HistoryRow, validation: Validation) -> None:
    """What the guard has to say of the epoch that ended: when a trouble begins, and once more at the end."""
    config = job.config
    found = {
        "collapse": guard.collapse(validation.confusion, job.classes),
        "starving": guard.starving(row.wait_share, workers=config.data.workers, cached=job.train.cached),
    }
    for kind, sentence in found.items():
        if sentence and (kind not in job.warned or row.epoch == config.epochs):
            job.listener.warning(sentence)
    job.warned.clear()
    job.warned.update(kind for kind, sentence in found.items() if sentence)


def _row(
    progress: Progress, found: Mapping[str, Validation], metrics: Mapping[str, Metrics], lr: float
) -> HistoryRow:
    seconds = max(progress.seconds, 1e-9)
    own, average = metrics[WEIGHTS], metrics.get(AVERAGE)
    return HistoryRow(
        epoch=progress.epoch + 1,
        step=progress.updates,
        lr=lr,
        train_loss=progress.loss_sum / max(progress.weight_sum, 1e-12),
        val_loss=found[WEIGHTS].loss,
        val_miou=own.miou or 0.0,
        val_pixel_accuracy=own.pixel_accuracy or 0.0,
        val_iou=own.iou,
        average_loss=found[AVERAGE].loss if average else None,
        average_miou=(average.miou or 0.0) if average else None,
        images_per_second=progress.images / seconds,
        wait_share=min(1.0, progress.wait_seconds / seconds),
        seconds=progress.seconds,
    )


def _choose(row: HistoryRow, progress: Progress, config: TrainConfig) -> str | None:
    """Which model of the epoch is the best of the run so far, if one is; the earlier one wins a tie."""
    names = [WEIGHTS] if row.average_miou is None else [WEIGHTS, AVERAGE]
    sign = 1 if config.best_by == "miou" else -1
    best = max(names, key=lambda name: sign * _value(row, name, config))
    if progress.best_epoch and sign * _value(row, best, config) <= sign * progress.best_value:
        return None
    return best


def _value(row: HistoryRow, name: str, config: TrainConfig) -> float:
    """The figure that chooses the best model."""
    prefix = "val" if name == WEIGHTS else "average"
    return getattr(row, f"{prefix}_{config.best_by}")
