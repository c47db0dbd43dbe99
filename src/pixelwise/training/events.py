"""What training tells whoever watches: a terminal, a log file, a test.

Knows no terminal. The default listener writes to `logging` under the name `pixelwise`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Protocol

from pixelwise.report.history import HistoryRow

_log = logging.getLogger("pixelwise")


@dataclass(frozen=True)
class StepEvent:
    """One step of training is done.

    Attributes:
        epoch: From 1.
        step: Steps done in this epoch.
        steps: Steps of an epoch.
        loss: Mean training loss of this epoch so far.
        images_per_second: Of this epoch so far, without validation.
        seconds_left: Until training ends, validation left out.
    """

    epoch: int
    step: int
    steps: int
    loss: float
    images_per_second: float
    seconds_left: float


class Listener(Protocol):
    """Hears of training; must not change it."""

    def note(self, text: str) -> None:
        """A fact worth a line: what was recognised, chosen, written."""
        ...

    def warning(self, text: str) -> None:
        """Something that is likely wrong, with its likely cause."""
        ...

    def work(self, text: str, done: int, total: int) -> None:
        """A longer piece of work beside the steps moves on: preparing pictures, validating."""
        ...

    def step(self, event: StepEvent) -> None:
        """A step is done."""
        ...

    def epoch(self, row: HistoryRow, epochs: int, *, best: bool) -> None:
        """An epoch is done and measured; `best` says that it is the best so far."""
        ...


class Silent:
    """Passes everything over: of the ranks whose news are those of the first."""

    def note(self, text: str) -> None:
        """Nothing."""

    def warning(self, text: str) -> None:
        """Nothing."""

    def work(self, text: str, done: int, total: int) -> None:
        """Nothing."""

    def step(self, event: StepEvent) -> None:
        """Nothing."""

    def epoch(self, row: HistoryRow, epochs: int, *, best: bool) -> None:
        """Nothing."""


class LogListener:
    """Writes notes, warnings and epochs to the log `pixelwise`; steps are passed over."""

    def note(self, text: str) -> None:
        """One line at level INFO."""
        _log.info("%s", text)

    def warning(self, text: str) -> None:
        """One line at level WARNING."""
        _log.warning("%s", text)

    def work(self, text: str, done: int, total: int) -> None:
        """Nothing: a log is no place for a moving number."""

    def step(self, event: StepEvent) -> None:
        """Nothing: a log is no place for a moving number."""

    def epoch(self, row: HistoryRow, epochs: int, *, best: bool) -> None:
        """One line at level INFO."""
        _log.info(
            "epoch %d/%d: loss %.4f, validation loss %.4f, mIoU %.4f%s",
            row.epoch,
            epochs,
            row.train_loss,
            row.val_loss,
            row.val_miou,
            " (best so far)" if best else "",
        )
