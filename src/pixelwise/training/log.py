"""What a run writes as it goes: history.csv, curves.png, TensorBoard events."""

from __future__ import annotations

from collections.abc import Sequence

from tensorboardX import SummaryWriter

from pixelwise.report.curves import save_curves
from pixelwise.report.history import HistoryRow, write_history
from pixelwise.training.run import RunFolder
from pixelwise.types import Classes


class RunLog:
    """Writes the course of a run into its folder.

    The three are derived from the checkpoint's rows: a run killed between its checkpoint and these files
    writes them again when it resumes, TensorBoard's from the first epoch on.
    """

    def __init__(self, run: RunFolder, classes: Classes, rows: Sequence[HistoryRow]) -> None:
        self._run = run
        self._classes = classes
        for stale in run.tensorboard.glob("events.out.tfevents.*"):
            stale.unlink()
        self._writer = SummaryWriter(str(run.tensorboard))
        for row in rows:
            self._scalars(row)
        if rows:
            self._files(rows)

    def epoch(self, rows: Sequence[HistoryRow]) -> None:
        """Records the newest row."""
        self._scalars(rows[-1])
        self._files(rows)

    def close(self) -> None:
        """Flushes TensorBoard's file."""
        self._writer.close()

    def _files(self, rows: Sequence[HistoryRow]) -> None:
        write_history(rows, self._run.history, self._classes)
        save_curves(rows, self._run.curves)

    def _scalars(self, row: HistoryRow) -> None:
        values = {
            "loss/train": row.train_loss,
            "loss/validation": row.val_loss,
            "miou/validation": row.val_miou,
            "pixel_accuracy/validation": row.val_pixel_accuracy,
            "learning_rate": row.lr,
            "images_per_second": row.images_per_second,
        }
        for name, iou in zip(self._classes.names, row.val_iou, strict=True):
            if iou is not None:
                values[f"iou/{name.replace('/', '_')}"] = iou
        for name, value in values.items():
            self._writer.add_scalar(name, value, row.step)
        self._writer.flush()
