"""`pixelwise tune`: many trainings with different settings, and which were the best."""

from __future__ import annotations

import dataclasses
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, UseAppendAction, arg

from pixelwise.config import TrainConfig
from pixelwise.errors import ConfigError

if TYPE_CHECKING:
    from rich.table import Table

    from pixelwise.training.tuning import Trial, Tuning

SHOWN = 10
"""Trials in the table at the end; trials.csv has them all."""

TRIALS = 20
"""How many there are where nothing else is said."""


@dataclass(frozen=True, kw_only=True)
class Tune:
    """Search for settings that train a better network, one training after the other.

    Every flag of `train` sets what all trials have in common. Ctrl-C saves the state and leaves; the same
    command, or `--resume FOLDER`, goes on from there.
    """

    data: Annotated[Positional[Path | None], arg(metavar="DATA")] = None
    """Folder of the labelled pictures, e.g. with images/ and masks/."""
    out: Path = Path("tune")
    """Folder of the study; each trial is a run in it."""
    trials: int | None = None
    """How many trainings, with those that end early; 20 where not given."""
    search: UseAppendAction[tuple[str, ...]] = ()
    """A setting to try, as NAME=LOW..HIGH, NAME=LOW..HIGH:log or NAME=a,b,c; may be given several times.
    Learning rate, weight decay, scale, colour and loss where not given."""
    prune: bool = True
    """End a trial that is worse than half of the others were at its epoch."""
    resume: Path | None = None
    """Go on with the study in this folder, with its own data and settings; --trials may be raised."""
    json: bool = False
    """Print the result for machines."""
    config: TrainConfig = field(default_factory=TrainConfig)

    def run(self) -> int:
        """Runs the trials; 0 when the last one has ended, 130 when a signal ended them early."""
        self._check()
        from pixelwise import torch_runtime

        torch_runtime.keep_large_blocks()  # before torch allocates anything

        from pixelwise.cli.terminal import Display, complain, print_json
        from pixelwise.training import TrainingInterrupted, tuning

        try:
            with Display() as display:
                if self.resume is not None:
                    done = tuning.resume_tuning(self.resume, trials=self.trials, listener=display)
                else:
                    done = tuning.tune(
                        self.data or Path(),
                        self.config,
                        out=self.out,
                        trials=self.trials or TRIALS,
                        search=self.search,
                        prune=self.prune,
                        listener=display,
                    )
        except (TrainingInterrupted, KeyboardInterrupt) as stopped:
            again = shlex.join(["pixelwise", "tune", "--resume", str(self.resume or self.out)])
            complain(f"{str(stopped) or 'interrupted'}. Go on with: {again}")
            return 130
        if self.json:
            print_json(done.to_json())
        else:
            _print(done)
        return 0

    def _check(self) -> None:
        if self.trials is not None and self.trials < 1:
            raise ConfigError(f"--trials must be at least 1, got {self.trials}")
        if self.resume is None and self.data is None:
            raise ConfigError("tune needs the folder of your labelled pictures: pixelwise tune DATA")
        if self.resume is None:
            return
        given = ["DATA"] if self.data is not None else []
        given += ["--search"] if self.search else []
        given += ["--no-prune"] if not self.prune else []
        default = TrainConfig()
        names = [item.name for item in dataclasses.fields(TrainConfig)]
        given += [name for name in names if getattr(self.config, name) != getattr(default, name)]
        if given:
            raise ConfigError(
                f"--resume uses the data and settings in {self.resume / 'study.json'}, so "
                f"{', '.join(given)} cannot be given beside it"
            )


def _print(done: Tuning) -> None:
    from rich.console import Console

    console = Console(soft_wrap=False, highlight=False)
    console.print(trials_table(done))
    states = [trial.state for trial in done.trials]
    print(
        f"{len(states)} trials: {states.count('complete')} complete, {states.count('pruned')} pruned, "
        f"{states.count('failed')} failed"
    )
    if done.importance is not None:
        shares = ", ".join(f"{name} {100 * share:.0f}%" for name, share in done.importance.items())
        print(f"share of the differences: {shares} (PED-ANOVA)")
    print(f"\nbest     trial {done.best.number}, {done.model}")
    print(f"trials   {done.folder / 'trials.csv'}\nnote     {done.caveat}")
    print(f"again    {done.command}")


def trials_table(done: Tuning) -> Table:
    """The best trials first, with what each of them was given."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    names = [*done.best.raw]
    table = Table(box=box.SIMPLE_HEAD, title="best trials by validation mIoU", title_justify="left")
    for name in ("trial", "mIoU", "epoch"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in names:
        number = isinstance(done.best.raw[name], (int, float))
        table.add_column(name, justify="right" if number else "left", no_wrap=number)
    table.add_column("", no_wrap=True)
    for trial in sorted(done.trials, key=_rank)[:SHOWN]:
        complete = trial.state == "complete"
        table.add_row(
            str(trial.number),
            "-" if trial.miou is None else f"{100 * trial.miou:.2f}",
            str(trial.best_epoch or "-"),
            *(escape(_short(trial.raw[name])) for name in names),
            "" if complete else trial.state,
            style="" if complete else "dim",
        )
    return table


def _rank(trial: Trial) -> tuple[int, float]:
    """Complete ones first, then by figure."""
    return ["complete", "pruned", "failed"].index(trial.state), -(trial.miou or 0.0)


def _short(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.3g}"
