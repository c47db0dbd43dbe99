"""TensorBoard's event files in the run's folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tensorboardX import SummaryWriter


class TensorBoardSink:
    """Writes event files anew: what a killed run wrote is removed, and told again by whoever resumes it."""

    def __init__(self, folder: Path) -> None:
        for stale in folder.glob("events.out.tfevents.*"):
            stale.unlink()
        self._writer = SummaryWriter(str(folder))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Figures of one step, on disk when this returns."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def picture(self, step: int, name: str, image: npt.NDArray[np.uint8]) -> None:
        """A picture `(H, W, 3) uint8`."""
        self._writer.add_image(name, image, step, dataformats="HWC")
        self._writer.flush()

    def close(self, *, finished: bool) -> None:
        """Closes the file."""
        self._writer.close()
