"""Weights & Biases, through its own package; its environment variables say which project, or offline."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwise.errors import ConfigError
from pixelwise.training.sinks.ids import record_id, recorded_id

_TRACKER = "wandb"


def require() -> None:
    """`ConfigError` with the line that installs the package where it is missing."""
    if importlib.util.find_spec("wandb") is None:
        raise ConfigError("--wandb needs its package: install it with pip install 'pixelwise[wandb]'")


class WandbSink:
    """A run of its own, or the one that an interrupted run began."""

    def __init__(self, folder: Path, facts: Mapping[str, Any]) -> None:
        import wandb

        number = recorded_id(folder, _TRACKER)
        self._image = wandb.Image
        self._run = wandb.init(
            id=number,
            resume="allow",
            name=folder.name,
            dir=str(folder),
            config=dict(facts),
            settings=wandb.Settings(silent=True, console="off"),
        )
        record_id(folder, _TRACKER, self._run.id)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Figures of one step; those of a step that the run knows already are passed over by the server."""
        self._run.log(dict(values), step=step)

    def picture(self, step: int, name: str, image: npt.NDArray[np.uint8]) -> None:
        """A picture `(H, W, 3) uint8`."""
        self._run.log({name: self._image(image)}, step=step)

    def close(self, *, finished: bool) -> None:
        """Ends the run; one that can be resumed is marked as failed."""
        self._run.finish(exit_code=0 if finished else 1)
