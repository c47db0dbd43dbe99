"""TensorBoard's event files in the run's folder."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto import event_pb2

_event: Any = event_pb2.Event  # pyright: ignore[reportAttributeAccessIssue] - made when it is imported


class TensorBoardSink:
    """Writes event files anew: what a killed run wrote is removed, and told again by whoever resumes it.

    Written by whoever calls, not by a thread as the package's `SummaryWriter` has one: that dies of a full
    disk, and whoever tells it more then waits for ever.

    Raises:
        OSError: From every method: the file cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for stale in folder.glob("events.out.tfevents.*"):
            stale.unlink()
        self._writer = EventsWriter(str(folder / "events"))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Figures of one step, on disk when this returns."""
        for name, value in values.items():
            self._add(step, summary.scalar(name, value))
        self._writer.flush()

    def picture(self, step: int, name: str, image: npt.NDArray[np.uint8]) -> None:
        """A picture `(H, W, 3) uint8`."""
        self._add(step, summary.image(name, image, dataformats="HWC"))
        self._writer.flush()

    def close(self, *, finished: bool) -> None:
        """Closes the file."""
        self._writer.close()

    def _add(self, step: int, content: Any) -> None:
        self._writer.write_event(_event(summary=content, step=step, wall_time=time.time()))
