"""What one trial of a study was and came to. Plain values; knows neither Optuna nor training."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pixelwise.report.history import HistoryRow

State = Literal["complete", "pruned", "failed"]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A trial that ended.

    Attributes:
        number: From 0; its run lies in `trial-NUMBER`.
        state: `pruned` ended early because it was worse than half of the others at that epoch, `failed`
            because its settings do not work.
        raw: What was drawn for each setting, as the study keeps it: a number, or the text of a choice.
        miou: Best validation mIoU in 0..1; None for a failed one.
        best_epoch: The epoch that had it, from 1; 0 for a failed one.
        course: The epochs that ended with a validation, from 1, each with its mIoU.
        seconds: Time spent training, validation left out.
        note: Why it ended early, where it did.
    """

    number: int
    state: State
    raw: Mapping[str, float | str]
    miou: float | None = None
    best_epoch: int = 0
    course: tuple[tuple[int, float], ...] = ()
    seconds: float = 0.0
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {
            **dataclasses.asdict(self),
            "raw": dict(self.raw),
            "course": [list(point) for point in self.course],
        }


def course_of(rows: Sequence[HistoryRow]) -> tuple[tuple[int, float], ...]:
    """Epoch and mIoU of each validation: the weights', or their average's where that is better."""
    return tuple((row.epoch, max(row.val_miou, row.average_miou or 0.0)) for row in rows)


def ended_early(
    number: int, raw: Mapping[str, float | str], rows: Sequence[HistoryRow], *, state: State, note: str
) -> Trial:
    """A trial that was pruned or failed after these epochs."""
    course = course_of(rows)
    best_epoch, best = max(course, key=lambda point: point[1], default=(0, None))
    pruned = state == "pruned"
    return Trial(
        number=number,
        state=state,
        raw=raw,
        miou=best if pruned else None,
        best_epoch=best_epoch if pruned else 0,
        course=course,
        seconds=sum(row.seconds for row in rows),
        note=note,
    )
