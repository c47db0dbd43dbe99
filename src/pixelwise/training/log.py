"""What a run writes as it goes: history.csv, curves.png, examples, TensorBoard events and other trackers."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from pixelwise.files import write_whole
from pixelwise.metrics import ConfusionMatrix, scores
from pixelwise.report.curves import save_curves
from pixelwise.report.history import HistoryRow, write_history
from pixelwise.report.sheet import SheetRow, sheet
from pixelwise.training.run import RunFolder
from pixelwise.training.sinks import Sink
from pixelwise.types import Classes, Sample

_EXAMPLES = "examples"


class Log(Protocol):
    """Hears of the course of a run; see `RunLog`."""

    def epoch(self, rows: Sequence[HistoryRow]) -> None:
        """Records the newest row."""
        ...

    def examples(
        self,
        epoch: int,
        step: int,
        *,
        images: Sequence[npt.NDArray[np.uint8]],
        truth: Sequence[npt.NDArray[np.uint8]],
        predicted: Sequence[npt.NDArray[np.uint8]],
    ) -> None:
        """Records validation pictures with truth and prediction after an epoch."""
        ...

    def close(self, *, finished: bool) -> None:
        """Ends the records."""
        ...


class NoLog:
    """The `Log` of the ranks that write nothing."""

    def epoch(self, rows: Sequence[HistoryRow]) -> None:
        """Nothing."""

    def examples(
        self,
        epoch: int,
        step: int,
        *,
        images: Sequence[npt.NDArray[np.uint8]],
        truth: Sequence[npt.NDArray[np.uint8]],
        predicted: Sequence[npt.NDArray[np.uint8]],
    ) -> None:
        """Nothing."""

    def close(self, *, finished: bool) -> None:
        """Nothing."""


class RunLog:
    """Writes the course of a run into its folder and to the sinks.

    All of it is derived from the checkpoint's rows and from the pictures in `examples/`: a run killed between
    its checkpoint and these files writes them again when it resumes, TensorBoard's from the first epoch on.

    Args:
        run: The run's folder.
        classes: Names of the train ids.
        rows: The epochs that are done.
        sinks: TensorBoard first, which is told of all of them; others know them already.
    """

    def __init__(
        self, run: RunFolder, classes: Classes, rows: Sequence[HistoryRow], sinks: Sequence[Sink]
    ) -> None:
        self._run = run
        self._classes = classes
        self._sinks = sinks
        for row in rows:
            sinks[0].scalars(row.step, self._scalars(row))
            path = self._example(row.epoch)
            if path.is_file():
                with Image.open(path) as picture:
                    sinks[0].picture(row.step, _EXAMPLES, np.asarray(picture.convert("RGB")))
        if rows:
            self._files(rows)

    def epoch(self, rows: Sequence[HistoryRow]) -> None:
        """Records the newest row."""
        for sink in self._sinks:
            sink.scalars(rows[-1].step, self._scalars(rows[-1]))
        self._files(rows)

    def examples(
        self,
        epoch: int,
        step: int,
        *,
        images: Sequence[npt.NDArray[np.uint8]],
        truth: Sequence[npt.NDArray[np.uint8]],
        predicted: Sequence[npt.NDArray[np.uint8]],
    ) -> None:
        """Records validation pictures with truth and prediction after an epoch.

        Args:
            epoch: From 1.
            step: Steps since training began.
            images: `(H, W, 3) uint8` each.
            truth: `(H, W) uint8` train ids each.
            predicted: The same of what the network says.
        """
        rows = [
            self._sheet_row(f"validation picture {number}", *parts)
            for number, parts in enumerate(zip(images, truth, predicted, strict=True), start=1)
        ]
        picture = sheet(rows, self._classes)
        file = io.BytesIO()
        picture.save(file, "PNG")
        write_whole(self._example(epoch), file.getvalue())
        for sink in self._sinks:
            sink.picture(step, _EXAMPLES, np.asarray(picture))

    def close(self, *, finished: bool) -> None:
        """Closes the sinks; `finished` says that the run is at its end."""
        for sink in self._sinks:
            sink.close(finished=finished)

    def _example(self, epoch: int) -> Path:
        return self._run.examples / f"epoch-{epoch:04d}.png"

    def _sheet_row(
        self,
        name: str,
        image: npt.NDArray[np.uint8],
        truth: npt.NDArray[np.uint8],
        predicted: npt.NDArray[np.uint8],
    ) -> SheetRow:
        confusion = ConfusionMatrix(len(self._classes))
        confusion.update(predicted, truth)
        miou = scores(confusion.counts, self._classes).miou
        return SheetRow(sample=Sample(name, image, truth), labels=predicted, miou=miou)

    def _files(self, rows: Sequence[HistoryRow]) -> None:
        write_history(rows, self._run.history, self._classes)
        save_curves(rows, self._run.curves)

    def _scalars(self, row: HistoryRow) -> dict[str, float]:
        values = {
            "loss/train": row.train_loss,
            "loss/validation": row.val_loss,
            "miou/validation": row.val_miou,
            "pixel_accuracy/validation": row.val_pixel_accuracy,
            "learning_rate": row.lr,
            "images_per_second": row.images_per_second,
        }
        if row.average_loss is not None and row.average_miou is not None:
            values |= {"loss/average": row.average_loss, "miou/average": row.average_miou}
        for name, iou in zip(self._classes.names, row.val_iou, strict=True):
            if iou is not None:
                values[f"iou/{name.replace('/', '_')}"] = iou
        return values
