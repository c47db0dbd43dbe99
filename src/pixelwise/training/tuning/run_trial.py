"""One trial: a training run that is watched, and stopped where it is hopeless. Knows no Optuna."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from pixelwise.config import TrainConfig
from pixelwise.errors import DataError, PixelwiseError
from pixelwise.report.history import HistoryRow, read_history
from pixelwise.training.ended import Run
from pixelwise.training.events import Listener, StepEvent
from pixelwise.training.run import RunFolder, check_same_data, open_existing
from pixelwise.training.train import resume, train
from pixelwise.training.tuning.trial import Trial, course_of, ended_early

Hopeless = Callable[[Sequence[tuple[int, float]]], bool]


class _Pruned(Exception):
    """The watcher's way out of a training run; never leaves this file."""


@dataclass(frozen=True, kw_only=True)
class TrialOrder:
    """What is to be tried.

    Attributes:
        number: Of the trial.
        raw: What was drawn for it.
        data: The labelled pictures.
        config: All settings.
        run: Where it lies; a run that is there already is gone on with.
        first: The run of the study's first trial, whose pictures all others must have.
        talkative: Whether the listener hears notes as well: they are the same for every trial.
    """

    number: int
    raw: Mapping[str, float | str]
    data: Path
    config: TrainConfig
    run: RunFolder
    first: RunFolder
    talkative: bool


def run_trial(order: TrialOrder, hopeless: Hopeless | None, listener: Listener) -> Trial:
    """Trains a trial to its end, from its checkpoint if it has one.

    Args:
        order: What is to be tried.
        hopeless: Whether a course of validation mIoU so far is to be given up; None gives up nothing.
        listener: Hears of progress.

    Raises:
        TrainingInterrupted: A signal asked to stop.
        ConfigError: The settings are impossible.
        DataError: The data cannot be read, or are others than the study's first trial had.
    """
    watch = _Watch(order, hopeless, listener)
    try:
        done = _begin_or_resume(order, watch)
    except _Pruned:
        note = f"pruned after epoch {watch.rows[-1].epoch}"
        return ended_early(order.number, order.raw, watch.rows, state="pruned", note=note)
    except torch.OutOfMemoryError as error:
        note = f"out of memory: {str(error).splitlines()[0]}"
        return ended_early(order.number, order.raw, watch.rows, state="failed", note=note)
    except PixelwiseError as error:
        if type(error) is not PixelwiseError:  # what is wrong with data, disk or settings is no trial's fault
            raise
        return ended_early(order.number, order.raw, watch.rows, state="failed", note=str(error))
    return Trial(
        number=order.number,
        state="complete",
        raw=order.raw,
        miou=done.metrics.miou or 0.0,
        best_epoch=done.best_epoch,
        course=course_of(done.history),
        seconds=sum(row.seconds for row in done.history),
    )


def _begin_or_resume(order: TrialOrder, watch: _Watch) -> Run:
    if not order.run.config.exists():
        return train(order.data, order.config, out=order.run.path, listener=watch)
    _, data, config = open_existing(order.run.path)
    if (data, config) != (order.data, order.config):
        raise DataError(
            f"{order.run.path} was begun with other settings than the study gives this trial now: delete "
            "that folder and go on, or go on with the versions of pixelwise and Optuna that began it"
        )
    return resume(order.run.path, listener=watch)


class _Watch:
    """Hears of a trial's training, passes it on, and ends it where it is hopeless.

    The epochs that an earlier process trained are judged again, in their order: it may have died between an
    epoch and its judgement, and this one must not be milder.
    """

    def __init__(self, order: TrialOrder, hopeless: Hopeless | None, listener: Listener) -> None:
        self.rows: list[HistoryRow] = []
        self._order = order
        self._hopeless = hopeless
        self._listener = listener
        self._begun = False

    def note(self, text: str) -> None:
        if self._order.talkative:
            self._listener.note(text)

    def warning(self, text: str) -> None:
        self._listener.warning(f"trial {self._order.number}: {text}")

    def work(self, text: str, done: int, total: int) -> None:
        self._listener.work(text, done, total)

    def step(self, event: StepEvent) -> None:
        self._begin()
        self._listener.step(event)

    def epoch(self, row: HistoryRow, epochs: int, *, best: bool) -> None:
        self._listener.epoch(row, epochs, best=best)
        self.rows.append(row)
        if row.epoch < epochs:  # after the last there is nothing left to save
            self._judge()

    def _begin(self) -> None:
        """At the first step: the run's folder is complete now."""
        if self._begun:
            return
        self._begun = True
        if self._order.first.path != self._order.run.path:
            recorded = json.loads(self._order.run.provenance.read_text(encoding="utf-8"))
            check_same_data(self._order.first, recorded["data_hash"])
        if self._order.run.history.exists():
            for row in read_history(self._order.run.history):
                self.rows.append(row)
                self._judge()

    def _judge(self) -> None:
        if self._hopeless is not None and self._hopeless(course_of(self.rows)):
            raise _Pruned
