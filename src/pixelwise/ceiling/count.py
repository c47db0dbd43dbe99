"""The pass over a data set: every mask on all grids by all methods, in threads, and on from where it stopped.

Masks stream through at their own size and none is kept, so memory does not grow with the data set. Knows no
terminal.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.ceiling.advice import recommend
from pixelwise.ceiling.grid import Grid
from pixelwise.ceiling.result import Ceiling, figures, shares
from pixelwise.ceiling.state import State, data_digest, load_state, save_state
from pixelwise.ceiling.tally import METHODS, Method, Tally, tally
from pixelwise.data.codec import UnreadableError
from pixelwise.data.crew import Crew, WorkerKilledError
from pixelwise.data.dataset import Dataset
from pixelwise.data.reader import Reader
from pixelwise.data.verify import Checked, refuse
from pixelwise.errors import ConfigError, DataError, PixelwiseError
from pixelwise.progress import Progress

SECONDS = 5.0
"""Between two times that the state is written."""

_TINY = (16, 16)
"""To have a mask read is to have its picture read too; so small, a JPEG is hardly decoded."""


class CeilingInterrupted(PixelwiseError):
    """The count was asked to stop; where it has a state file, that is written."""


def measure_ceiling(
    dataset: Dataset,
    *,
    grids: Sequence[Grid],
    methods: Sequence[Method] = METHODS,
    split: str = "val",
    state: Path | None = None,
    resume: bool = False,
    note: Callable[[str], None] = lambda text: None,
    progress: Progress | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Ceiling:
    """The best figures that can be reached on a split, on each grid by each method.

    Args:
        dataset: What `open_dataset` gave; `skip_broken` and `workers` of its config count.
        grids: Where networks answer; see `make_grids`.
        methods: How labels are brought there and back.
        split: `train`, `val`, `all`, or one of the data set's own, e.g. `test`.
        state: A file in which the counts are kept meanwhile.
        resume: Go on with what that file has; else it is begun anew.
        note: Hears what people should know.
        progress: Told how far the work is.
        stop: Asked after every sample.

    Raises:
        ConfigError: No grid, no method, or no such split.
        DataError: Samples cannot be used (unreadable ones are left out under `skip_broken`), there is none,
            or the state is of another count.
        CeilingInterrupted: `stop` said so.
    """
    if not grids or not methods or len(set(methods)) < len(methods):
        raise ConfigError("a ceiling needs at least one grid, and at least one method, none of them twice")
    reader, config = dataset.reader, dataset.config
    indices = dataset.indices(split)
    if not indices:
        raise DataError(
            f"{reader.root}: there is no picture in the split {split!r}; choose another with --split"
        )
    classes = reader.classes.names
    counted = State(Tally.empty(grids=len(grids), methods=len(methods), classes=len(classes)))
    job = _job(reader, split, grids, methods)
    if state is not None:
        job["data"] = data_digest(reader, indices, workers=config.workers, progress=progress)
    if state is not None and resume:
        found = load_state(state, job, counted.tally, len(indices))
        if found is not None:
            counted = found
            note(f"going on after {counted.done:,} of {len(indices):,} pictures")

    def save() -> None:
        if state is not None:
            save_state(state, counted, job)

    _count(dataset, indices, counted, grids, methods, save=save, progress=progress, stop=stop)
    if counted.skipped:
        note(_skipped(counted))
    if not counted.tally.pictures:
        raise DataError(f"{reader.root}: none of the {len(indices):,} pictures of {split!r} can be read")
    levels = figures(counted.tally, grids=grids, methods=methods, classes=classes)
    return Ceiling(
        classes=classes,
        pictures=counted.tally.pictures,
        skipped=counted.skipped,
        pixel_share=shares(counted.tally.truth.tolist()),
        grids=levels,
        recommendation=recommend(levels, classes),
    )


def _job(reader: Reader, split: str, grids: Sequence[Grid], methods: Sequence[Method]) -> dict[str, Any]:
    """What must be the same for a count to go on."""
    return {
        "split": split,
        "classes": list(reader.classes.names),
        "grids": [grid.to_json() for grid in grids],
        "methods": list(methods),
    }


def _skipped(counted: State) -> str:
    left = counted.skipped - len(counted.reasons)
    more = f"; and {left:,} more" if left > 0 else ""
    return f"{counted.skipped:,} samples were left out: {'; '.join(counted.reasons)}{more}"


def _count(
    dataset: Dataset,
    indices: Sequence[int],
    counted: State,
    grids: Sequence[Grid],
    methods: Sequence[Method],
    *,
    save: Callable[[], None],
    progress: Progress | None,
    stop: Callable[[], bool],
) -> None:
    """Counts what is left, and saves now and then and at the end.

    A sample that cannot be used does not end the pass, so that all of them are told at once. But nothing is
    counted behind it: going on later begins with it.
    """
    reader, config = dataset.reader, dataset.config
    faults: list[Checked] = []
    left, done, saved = indices[counted.done :], counted.done, time.monotonic()
    crew = Crew(_Asked(reader, grids, methods), workers=config.workers, items=len(left))
    with crew, _stopping(save, stop, counted, len(indices)):
        for found in crew.in_order(_look, left):
            done += 1
            if isinstance(found, Checked) and not (
                config.skip_broken and isinstance(found.error, UnreadableError)
            ):
                faults.append(found)
            elif not faults:
                counted.skip(str(found.error)) if isinstance(found, Checked) else counted.add(found)
            if progress is not None:
                progress("counting masks", done, len(indices))
            if stop():
                raise _Stopped
            if time.monotonic() - saved >= SECONDS and not faults:
                save()
                saved = time.monotonic()
    save()
    refuse(faults, reader, len(indices))


class _Stopped(Exception):
    """`stop` said so."""


@contextlib.contextmanager
def _stopping(
    save: Callable[[], None], stop: Callable[[], bool], counted: State, of: int
) -> Generator[None, None, None]:
    """Saves when the count is stopped, and says so.

    A signal to the whole group of processes, as a service manager sends it, ends the workers too: then their
    end is no fault.
    """
    try:
        yield
    except (_Stopped, WorkerKilledError) as error:
        if isinstance(error, WorkerKilledError) and not stop():
            raise
        save()
        raise CeilingInterrupted(f"stopped after {counted.done:,} of {of:,} pictures") from None


@dataclass(frozen=True, eq=False)
class _Asked:
    """What is the same for every mask."""

    reader: Reader
    grids: Sequence[Grid]
    methods: Sequence[Method]


def _look(asked: _Asked, index: int) -> Tally | Checked:
    try:
        mask = asked.reader.for_network(index, _TINY)[1]
    except DataError as error:
        return Checked(index, error, _NOTHING, _NOTHING, np.zeros(256, np.int64))
    return tally(mask, grids=asked.grids, methods=asked.methods, classes=len(asked.reader.classes))


_NOTHING = np.zeros((0, 0), np.uint8)
