"""What a study came to: its trials as a table, the best of them, and the command line that it makes.

Knows the trials that ended and runs none.
"""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwise.config import TrainConfig
from pixelwise.config.flags import flags
from pixelwise.files import write_whole
from pixelwise.training.tuning.plan import StudyPlan
from pixelwise.training.tuning.trial import Trial

OPTIMISTIC = (
    "The best trial was chosen by this very figure, so the figure is optimistic: measure the model on "
    "pictures that took no part in it."
)
"""What every result says of the figure that it ends in."""


@dataclass(frozen=True)
class Tuning:
    """A study whose trials have all ended.

    Attributes:
        folder: Everything that it wrote.
        trials: By number.
        best: The complete trial of the highest validation mIoU; the earlier one of equals.
        model: The best trial's model file.
        importance: Each setting's share of the differences, most important first; None for too few trials.
        command: A command line that trains with the best settings.
        caveat: What the best figure is not.
    """

    folder: Path
    trials: tuple[Trial, ...]
    best: Trial
    model: Path
    importance: Mapping[str, float] | None
    command: str
    caveat: str = OPTIMISTIC

    def to_json(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {
            "folder": str(self.folder),
            "trials": [trial.to_json() for trial in self.trials],
            "best": self.best.number,
            "miou": self.best.miou,
            "model": str(self.model),
            "importance": None if self.importance is None else dict(self.importance),
            "command": self.command,
            "caveat": self.caveat,
        }


def said(trial: Trial) -> str:
    """One line about a trial that ended."""
    if trial.state == "failed":
        return f"trial {trial.number} failed: {trial.note}"
    figure = f"validation mIoU {100 * (trial.miou or 0.0):.2f}% in epoch {trial.best_epoch}"
    return f"trial {trial.number}: {figure}{', ' + trial.note if trial.note else ''}"


def write_table(path: Path, trials: Sequence[Trial], plan: StudyPlan) -> None:
    """Writes trials.csv, one row a trial; `DataError` if the folder cannot be written."""
    names = [setting.name for setting in plan.search]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["trial", "state", "val_miou", "best_epoch", "epochs", "seconds", *names, "note"])
    for trial in trials:
        miou = "" if trial.miou is None else trial.miou
        facts = [
            trial.number,
            trial.state,
            miou,
            trial.best_epoch,
            trial.course[-1][0] if trial.course else 0,
            round(trial.seconds, 1),
        ]
        writer.writerow([*facts, *(trial.raw[name] for name in names), trial.note])
    write_whole(path, text.getvalue().encode())


def best_trial(trials: Sequence[Trial]) -> Trial | None:
    """The complete trial of the highest validation mIoU, the earlier one of equals; None without any."""
    complete = [trial for trial in trials if trial.state == "complete"]
    return max(complete, key=lambda trial: (trial.miou or 0.0, -trial.number), default=None)


def train_command(data: Path, config: TrainConfig, out: Path) -> str:
    """A command line that trains with these settings, quoted for a shell."""
    return shlex.join(["pixelwise", "train", str(data), "--out", str(out), *flags(config)])
