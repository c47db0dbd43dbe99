"""Decodes every sample once and says what is wrong with the set, before anything is trained on it.

Knows samples and their errors; what becomes of the decoded arrays is its caller's business, so that
filling the cache and checking the data are the same pass.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwise.data.ahead import in_order
from pixelwise.data.codec import UnreadableError
from pixelwise.data.dataset import Dataset
from pixelwise.data.mapping import LabelTable, UnknownValueError
from pixelwise.data.mendable import MendableError, data_error
from pixelwise.data.reader import Reader
from pixelwise.data.sizes import SizesDifferError
from pixelwise.drawing import Colour
from pixelwise.errors import DataError
from pixelwise.progress import Progress

_HOPELESS = 64
"""If the first so many samples all fail, the rest is not waited for: the cause is one for all."""


@dataclass(frozen=True, eq=False)
class Checked:
    """A sample that was decoded, or the reason why it cannot be.

    Attributes:
        index: In the reader.
        error: None for a sound sample.
        image: `(H, W, 3) uint8`, resized if a size was asked for; empty where there is an error.
        mask: `(H, W) uint8` likewise.
        counts: `(256,) int64` pixels of each train id in `mask`.
    """

    index: int
    error: DataError | None
    image: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.uint8]
    counts: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Report:
    """What a pass over a data set found.

    Attributes:
        checked: Samples looked at.
        problems: Those that cannot be used, in order.
        pixels: `(256,) int64` pixels of each train id over all sound samples; `[255]` are the ignored ones.
    """

    checked: int
    problems: tuple[Checked, ...]
    pixels: npt.NDArray[np.int64]


def verify(dataset: Dataset, *, workers: int | None = None, progress: Progress | None = None) -> Report:
    """Decodes every picture and mask of the data set at full size; keeps none."""
    reader, total = dataset.reader, len(dataset.reader)
    problems: list[Checked] = []
    pixels = np.zeros(256, np.int64)
    for done, item in enumerate(
        check_samples(reader, range(total), workers=workers or dataset.config.workers), start=1
    ):
        pixels += item.counts
        if item.error is not None:
            problems.append(item)
        if progress is not None:
            progress("checking pictures", done, total)
    return Report(total, tuple(problems), pixels)


def check_samples(
    reader: Reader, indices: Sequence[int], *, workers: int, size: tuple[int, int] | None = None
) -> Iterator[Checked]:
    """Decodes the samples in order, in threads; `DataError`s come out as items.

    Raises:
        DataError: Each of the first samples is at fault for the same kind of reason.
    """

    def check(index: int) -> Checked:
        try:
            if size is not None:
                image, mask = reader.at(index, size)
            else:
                sample = reader[index]
                image, mask = sample.image, sample.mask
        except DataError as error:
            return Checked(index, error, _NOTHING, _NOTHING, np.zeros(256, np.int64))
        return Checked(index, None, image, mask, np.bincount(mask.ravel(), minlength=256).astype(np.int64))

    failed: list[Checked] | None = []
    for item in in_order(check, indices, workers=workers, ahead=4 * workers):
        if failed is not None and item.error is not None:
            failed.append(item)
            if len(failed) == _HOPELESS:
                raise DataError(
                    f"{reader.root}: each of the first {_HOPELESS} samples is at fault, so the rest was not "
                    f"looked at: {problems_text(failed, reader.table)}"
                )
        elif item.error is None:
            failed = None
        yield item


def problems_text(problems: Sequence[Checked], table: LabelTable) -> str:
    """All problems in one message: the first few by name, unknown mask values added up over the set."""
    errors = [item.error for item in problems if item.error is not None]
    unknown = [error for error in errors if isinstance(error, UnknownValueError)]
    texts: list[str] = []
    if unknown:
        texts.append(table.explain(_added(unknown), unknown[0].path, files=len(unknown)))
    others = [error for error in errors if not isinstance(error, UnknownValueError)]
    texts += [str(error) for error in others[:5]]
    if len(others) > 5:
        texts.append(f"and {len(others) - 5:,} more samples")
    if any(isinstance(error, UnreadableError) for error in others):
        texts.append("--skip-broken leaves unreadable files out")
    return "; ".join(texts)


def refuse(problems: Sequence[Checked], reader: Reader, total: int) -> None:
    """Raises one `DataError` for all problems, a `MendableError` if a change would mend them all."""
    if problems:
        text = problems_text(problems, reader.table)
        count = f"{len(problems):,} of {total:,} samples cannot be used: " if len(problems) > 1 else ""
        raise data_error(f"{count}{text}", _changes(problems, reader.table))


def _changes(problems: Sequence[Checked], table: LabelTable) -> dict[str, Any]:
    """What would mend all of the problems; nothing where one is left."""
    errors = [item.error for item in problems if item.error is not None]
    changes: dict[str, Any] = {}
    unknown = [error for error in errors if isinstance(error, UnknownValueError)]
    if unknown:
        changes = table.propose(_added(unknown), unknown[0].path).changes
        if not changes:
            return {}
    for error in errors:
        if isinstance(error, SizesDifferError | MendableError) and error.changes:
            changes |= error.changes
        elif not isinstance(error, UnknownValueError):
            return {}
    return changes


def _added(errors: Sequence[UnknownValueError]) -> Counter[int | Colour]:
    seen: Counter[int | Colour] = Counter()
    for error in errors:
        seen.update(error.seen)
    return seen


_NOTHING = np.zeros((0, 0), np.uint8)
