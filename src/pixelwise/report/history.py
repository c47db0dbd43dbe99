"""The course of a training run, one row a validation, and its file history.csv.

Knows no training loop and no plot; a row is plain numbers.
"""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pixelwise.errors import DataError
from pixelwise.files import write_whole
from pixelwise.types import Classes


@dataclass(frozen=True, kw_only=True)
class HistoryRow:
    """What training gave from one validation to the next; usually that is one epoch.

    Attributes:
        epoch: After which epoch, from 1.
        step: Steps done since the start of training.
        lr: Learning rate of the last step.
        train_loss: Mean over the training pixels since the row before, while the weights moved.
        val_loss: Mean over the validation pixels.
        val_miou: In 0..1.
        val_pixel_accuracy: In 0..1.
        val_iou: In 0..1, one per class; None for a class absent from the validation pictures.
        average_loss: `val_loss` of the moving average of the weights; None where none is kept.
        average_miou: `val_miou` of it.
        images_per_second: Of training, without validation.
        wait_share: Share of the training time spent waiting for pictures, in 0..1.
        seconds: Time of training since the row before.
    """

    epoch: int
    step: int
    lr: float
    train_loss: float
    val_loss: float
    val_miou: float
    val_pixel_accuracy: float
    val_iou: tuple[float | None, ...]
    average_loss: float | None = None
    average_miou: float | None = None
    images_per_second: float
    wait_share: float
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Plain values; `from_json` reads them back to an equal row."""
        return {**dataclasses.asdict(self), "val_iou": list(self.val_iou)}

    @staticmethod
    def from_json(value: object) -> HistoryRow:
        """Reads what `to_json` gave; raises `DataError` for anything else."""
        if not isinstance(value, Mapping) or set(cast("Mapping[str, Any]", value)) != set(_NAMES):
            raise DataError(f"a row of a run's history has {', '.join(_NAMES)}; got {value!r:.100}")
        members = dict(cast("Mapping[str, Any]", value))
        return HistoryRow(**{**members, "val_iou": tuple(members["val_iou"])})


_NAMES = tuple(field.name for field in dataclasses.fields(HistoryRow))
_PLAIN = tuple(name for name in _NAMES if name != "val_iou")
_WHOLE = ("epoch", "step")
_OPTIONAL = ("average_loss", "average_miou")


def write_history(rows: Sequence[HistoryRow], path: Path, classes: Classes) -> None:
    """Writes all rows, with a column `val_iou/NAME` per class; whole or not at all.

    Raises:
        DataError: The folder cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_PLAIN, *(f"val_iou/{name}" for name in classes.names)])
    for row in rows:
        # repr of a float, which the csv module writes, reads back to the same bits
        writer.writerow([*(_cell(getattr(row, name)) for name in _PLAIN), *map(_cell, row.val_iou)])
    write_whole(path, text.getvalue().encode())


def _cell(value: float | None) -> float | str:
    return "" if value is None else value


def read_history(path: Path) -> list[HistoryRow]:
    """The rows of a history.csv.

    Raises:
        DataError: The file is missing, or is none that `write_history` wrote.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *lines = list(csv.reader(file))
        if tuple(header[: len(_PLAIN)]) != _PLAIN:
            raise ValueError(f"its columns are {', '.join(header)}")
        return [_row(line, len(header)) for line in lines]
    except (OSError, ValueError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not the history of a run: {error}") from error


def _row(cells: list[str], width: int) -> HistoryRow:
    if len(cells) != width:
        raise ValueError(f"a row has {len(cells)} cells instead of {width}")
    values: dict[str, Any] = {
        name: None if name in _OPTIONAL and not cell else int(cell) if name in _WHOLE else float(cell)
        for name, cell in zip(_PLAIN, cells, strict=False)
    }
    shares = tuple(float(cell) if cell else None for cell in cells[len(_PLAIN) :])
    return HistoryRow(**values, val_iou=shares)
