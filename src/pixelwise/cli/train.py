"""`pixelwise train`: from a folder of labelled pictures to a model file."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, Suppress, arg

from pixelwise.config import TrainConfig
from pixelwise.errors import ConfigError

_RESUMABLE = ("epochs", "devices", "nodes", "strategy")
"""Settings that a resumed run may be given anew."""


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train a network on a folder of labelled pictures.

    Ctrl-C saves the state and leaves; `--resume RUN` goes on from there, to the same weights.
    """

    data: Annotated[Positional[Path | None], arg(metavar="DATA")] = None
    """Folder of the labelled pictures, e.g. with images/ and masks/."""
    out: Path = Path("run")
    """Folder for the model files, the history and the checkpoint."""
    resume: Path | None = None
    """Go on with the run in this folder, with its own data and settings; --epochs may be raised, --devices,
    --nodes and --strategy be others."""
    plan: bool = False
    """Propose settings for this data and machine, with reasons and the command to run; train nothing."""
    memory: float | None = None
    """GiB that --plan may plan with; 80% of what is free where not given."""
    json: bool = False
    """Print the result for machines."""
    given: Suppress[frozenset[str]] = frozenset()
    """Names of the settings that the command line names."""
    config: TrainConfig = field(default_factory=TrainConfig)

    def run(self) -> int:
        """Trains; 0 when the last epoch is done, 130 when a signal ended it early."""
        self._check()
        from pixelwise import torch_runtime

        torch_runtime.keep_large_blocks()  # before torch allocates anything
        if self.plan:
            from pixelwise.cli.plan import run_plan

            return run_plan(
                self.data or Path(),
                self.config,
                out=self.out,
                given=self.given,
                memory_gib=self.memory,
                json=self.json,
            )

        from pixelwise import training
        from pixelwise.cli.results import print_metrics
        from pixelwise.cli.terminal import Display, complain, print_json

        try:
            with Display() as display:
                if self.resume is not None:
                    done = training.resume(
                        self.resume,
                        epochs=self._epochs(),
                        devices=self.config.devices,
                        nodes=self.config.nodes,
                        strategy=self.config.strategy if "strategy" in self.given else None,
                        listener=display,
                    )
                else:
                    done = training.train(self.data or Path(), self.config, out=self.out, listener=display)
        except training.TrainingInterrupted as stopped:
            if training.speaks():
                complain(f"{stopped}. Go on with: pixelwise train --resume {self.resume or self.out}")
            return 130
        if not training.speaks():
            return 0
        if self.json:
            print_json(done.to_json())
        else:
            title = f"best epoch {done.best_epoch}, validation at the network's size"
            print_metrics(done.metrics, title=title)
            print(f"model    {done.best}")
            print(f"history  {done.folder / 'history.csv'}\ncurves   {done.folder / 'curves.png'}")
            print(f"next     pixelwise predict {done.best} photo.jpg")
        return 0

    def _epochs(self) -> int | None:
        """The number of epochs, where one was given."""
        return self.config.epochs if self.config.epochs != TrainConfig().epochs else None

    def _check(self) -> None:
        if self.resume is None and self.data is None:
            raise ConfigError("train needs the folder of your labelled pictures: pixelwise train DATA")
        if self.memory is not None and not self.plan:
            raise ConfigError("--memory is for --plan: training takes what it needs")
        if self.plan and self.resume is not None:
            raise ConfigError("--plan is for a new run, so --resume cannot be given beside it")
        if self.resume is None:
            return
        default = TrainConfig()
        names = [f.name for f in dataclasses.fields(TrainConfig) if f.name not in _RESUMABLE]
        given = [name for name in names if getattr(self.config, name) != getattr(default, name)]
        if self.data is not None or given:
            what = ", ".join([*(["DATA"] if self.data is not None else []), *given])
            raise ConfigError(
                f"--resume uses the data and settings in {self.resume / 'config.json'}, "
                f"so {what} cannot be given beside it"
            )
