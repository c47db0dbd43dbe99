"""What a training run leaves behind, for whoever asked for it. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwise.metrics import Metrics
from pixelwise.report.history import HistoryRow


@dataclass(frozen=True)
class Run:
    """A training run that ended.

    Attributes:
        folder: Everything that it wrote.
        best: The model file of the best validation.
        best_epoch: Its epoch, from 1.
        history: One row per epoch.
        metrics: Validation scores of the best epoch, at the network's size.
    """

    folder: Path
    best: Path
    best_epoch: int
    history: tuple[HistoryRow, ...]
    metrics: Metrics

    def to_json(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {
            "folder": str(self.folder),
            "best": str(self.best),
            "best_epoch": self.best_epoch,
            "metrics": self.metrics.to_json(),
            "history": [row.to_json() for row in self.history],
        }

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Run:
        """Reads what `to_json` gave."""
        return Run(
            folder=Path(value["folder"]),
            best=Path(value["best"]),
            best_epoch=value["best_epoch"],
            history=tuple(HistoryRow.from_json(row) for row in value["history"]),
            metrics=Metrics.from_json(value["metrics"]),
        )
