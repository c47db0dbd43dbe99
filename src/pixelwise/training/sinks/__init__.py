"""Where the course of a run is written besides its own files: TensorBoard always, others by a flag.

A sink hears numbers and pictures by step. Where MLflow and Weights & Biases keep them is decided by their own
settings. Knows no training loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pixelwise.config import TrainConfig
from pixelwise.training.run import RunFolder
from pixelwise.training.sinks.mlflow import MLflowSink
from pixelwise.training.sinks.mlflow import require as require_mlflow
from pixelwise.training.sinks.tensorboard import TensorBoardSink
from pixelwise.training.sinks.wandb import WandbSink
from pixelwise.training.sinks.wandb import require as require_wandb


class Sink(Protocol):
    """Takes numbers and pictures by step; any error that it raises ends it, and not the training."""

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Figures of one step, by name."""
        ...

    def picture(self, step: int, name: str, image: npt.NDArray[np.uint8]) -> None:
        """A picture `(H, W, 3) uint8` RGB."""
        ...

    def close(self, *, finished: bool) -> None:
        """Writes what is left; `finished` says that the run is at its end."""
        ...


class Guarded:
    """A sink that can fail without harm: one warning, and then silence.

    A tracking server that goes away must not cost a night of training.
    """

    def __init__(self, name: str, open_sink: Callable[[], Sink], warn: Callable[[str], None]) -> None:
        self._name = name
        self._warn = warn
        self._sink: Sink | None = None
        try:
            self._sink = open_sink()
        except Exception as error:
            self._give_up(error)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Hands on while the sink works."""
        self._try(lambda sink: sink.scalars(step, values))

    def picture(self, step: int, name: str, image: npt.NDArray[np.uint8]) -> None:
        """Hands on while the sink works."""
        self._try(lambda sink: sink.picture(step, name, image))

    def close(self, *, finished: bool) -> None:
        """Closes the sink if it works."""
        self._try(lambda sink: sink.close(finished=finished))

    def _try(self, action: Callable[[Sink], None]) -> None:
        if self._sink is None:
            return
        try:
            action(self._sink)
        except Exception as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self._sink = None
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        self._warn(f"{self._name} failed ({reason:.200}): training goes on without logging to it")


def check_available(config: TrainConfig) -> None:
    """Refuses a flag whose package is missing, before any picture is read.

    Raises:
        ConfigError: With the line that installs it.
    """
    if config.mlflow:
        require_mlflow()
    if config.wandb:
        require_wandb()


def open_sinks(
    run: RunFolder, config: TrainConfig, facts: Mapping[str, Any], warn: Callable[[str], None]
) -> list[Sink]:
    """The sinks of a run, TensorBoard first.

    Args:
        run: The run's folder, which also keeps the numbers of its runs elsewhere.
        config: The settings.
        facts: What the run depends on, flat, for the sinks that keep it.
        warn: Hears of a sink that fails.
    """
    sinks: list[Sink] = [Guarded("TensorBoard", lambda: TensorBoardSink(run.tensorboard), warn)]
    if config.mlflow:
        sinks.append(Guarded("MLflow", lambda: MLflowSink(run.path, facts), warn))
    if config.wandb:
        sinks.append(Guarded("Weights & Biases", lambda: WandbSink(run.path, facts), warn))
    return sinks
