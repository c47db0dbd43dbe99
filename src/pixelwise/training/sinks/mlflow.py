"""MLflow, through its own client; where it tracks is what its environment variables say."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwise.errors import ConfigError
from pixelwise.training.sinks.ids import record_id, recorded_id

_TRACKER = "mlflow"
_LONGEST = 6000
"""Characters of a parameter's value that every MLflow server takes."""


def require() -> None:
    """`ConfigError` with the line that installs MLflow where it is missing."""
    if importlib.util.find_spec("mlflow") is None:
        raise ConfigError("--mlflow needs MLflow: install it with pip install 'pixelwise[mlflow]'")


class MLflowSink:
    """A run in the experiment of MLFLOW_EXPERIMENT_NAME or _ID, the default one where neither is set."""

    def __init__(self, folder: Path, facts: Mapping[str, Any]) -> None:
        from mlflow.tracking import MlflowClient

        self._client = MlflowClient()
        number = recorded_id(folder, _TRACKER)
        if number is None:
            number = self._client.create_run(self._experiment(), run_name=folder.name).info.run_id
            record_id(folder, _TRACKER, number)
            for name, value in facts.items():
                self._client.log_param(number, name, str(value)[:_LONGEST])
        else:
            self._client.update_run(number, status="RUNNING")
        self._number = number

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Figures of one step."""
        for name, value in values.items():
            self._client.log_metric(self._number, _name(name), value, step=step)

    def picture(self, step: int, name: str, image: npt.NDArray[np.uint8]) -> None:
        """A picture `(H, W, 3) uint8`."""
        self._client.log_image(self._number, image, key=_name(name).replace("/", "_"), step=step)

    def close(self, *, finished: bool) -> None:
        """Ends the run at the server; one that can be resumed is marked as killed."""
        self._client.set_terminated(self._number, status="FINISHED" if finished else "KILLED")

    def _experiment(self) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME")
        if not name:
            return os.environ.get("MLFLOW_EXPERIMENT_ID", "0")
        found = self._client.get_experiment_by_name(name)
        return self._client.create_experiment(name) if found is None else found.experiment_id


def _name(text: str) -> str:
    """A name of the characters that MLflow takes."""
    return "".join(c if c.isalnum() or c in "_-. /" else "_" for c in text)
