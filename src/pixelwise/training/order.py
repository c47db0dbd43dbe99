"""What is to be trained, as one process hands it to others. Knows no network and opens nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwise import plain
from pixelwise.config import TrainConfig


@dataclass(frozen=True, kw_only=True)
class Order:
    """A run to begin or to go on with.

    Attributes:
        data: The labelled pictures.
        out: The run's folder.
        config: All settings, `settled`.
        resumed: The run is there already.
        stretched: It is to have another number of epochs than it was begun with.
    """

    data: Path
    out: Path
    config: TrainConfig
    resumed: bool = False
    stretched: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain values; `from_json` reads them back to an equal order."""
        return {
            "data": str(self.data),
            "out": str(self.out),
            "config": plain.to_json(self.config),
            "resumed": self.resumed,
            "stretched": self.stretched,
        }

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Order:
        """Reads what `to_json` gave."""
        return Order(
            data=Path(value["data"]),
            out=Path(value["out"]),
            config=plain.from_json(TrainConfig, value["config"]),
            resumed=bool(value["resumed"]),
            stretched=bool(value["stretched"]),
        )
