"""How far a long count has come, in a small file, so that it can go on.

The file says what is counted: the data set's files, classes, grids and methods. A count goes on only where
all of that is the same. The price of not reading every file twice: files are known by size, modification and
change time, so a set that was copied elsewhere counts as another one. Knows no mask.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from pixelwise.ceiling.tally import Tally
from pixelwise.data.ahead import in_order
from pixelwise.data.json_file import read_json
from pixelwise.data.reader import Reader
from pixelwise.errors import DataError
from pixelwise.files import stamp, write_whole
from pixelwise.progress import Progress

NAME = "ceiling.state.json"
"""Of the file, in the folder of the results."""

MOST_REASONS = 10
"""Samples that were left out whose reasons are kept; the others are counted."""

_FORMAT = 1
_MOST_BYTES = 64 << 20
_MEMBERS = ("cells", "truth", "missed", "added")


@dataclass(eq=False)
class State:
    """What is done.

    Attributes:
        tally: Counts of the samples that could be read.
        done: Samples that were looked at, from the first on.
        skipped: How many of them could not be read.
        reasons: Why, of the first of these.
    """

    tally: Tally
    done: int = 0
    skipped: int = 0
    reasons: list[str] = field(default_factory=list[str])

    def skip(self, reason: str) -> None:
        """Counts a sample that is left out."""
        self.done += 1
        self.skipped += 1
        if len(self.reasons) < MOST_REASONS:
            self.reasons.append(reason)

    def add(self, counts: Tally) -> None:
        """Counts a sample."""
        self.done += 1
        self.tally.add(counts)


def save_state(path: Path, state: State, job: Mapping[str, Any]) -> None:
    """Writes the file whole.

    Args:
        path: The file.
        state: What is done.
        job: What is counted, as plain JSON values.

    Raises:
        DataError: The folder cannot be written.
    """
    counts = state.tally
    document = {
        "pixelwise_ceiling": _FORMAT,
        "job": job,
        "done": state.done,
        "skipped": state.skipped,
        "reasons": state.reasons,
        "pictures": counts.pictures,
        "pixels": counts.pixels,
        **{name: cast("npt.NDArray[np.int64]", getattr(counts, name)).tolist() for name in _MEMBERS},
    }
    write_whole(path, json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogateescape"))


def load_state(path: Path, job: Mapping[str, Any], empty: Tally, samples: int) -> State | None:
    """What is done of this count; None where there is no file.

    Args:
        path: The file.
        job: What is to be counted.
        empty: Of the shapes that the counts must have.
        samples: How many there are.

    Raises:
        DataError: Something else was counted, or the file is not what `save_state` writes.
    """
    if not path.is_file():
        return None
    found = read_json(path, limit=_MOST_BYTES)
    before = found.get("job")
    if found.get("pixelwise_ceiling") != _FORMAT or not isinstance(before, dict):
        raise _foreign(path)
    _check_job(path, cast("dict[str, Any]", before), job)
    numbers = [found.get(name) for name in ("done", "skipped", "pictures", "pixels")]
    if not all(type(number) is int and 0 <= number < 1 << 62 for number in numbers):
        raise _foreign(path)
    done, skipped, pictures, pixels = cast("list[int]", numbers)
    arrays = {name: _counts(found.get(name), getattr(empty, name), path) for name in _MEMBERS}
    reasons = found.get("reasons")
    if done != pictures + skipped or done > samples or not isinstance(reasons, list):
        raise _foreign(path)
    kept = [str(reason) for reason in cast("list[Any]", reasons)[:MOST_REASONS]]
    return State(Tally(pictures=pictures, pixels=pixels, **arrays), done, skipped, kept)


def data_digest(
    reader: Reader, indices: Sequence[int], *, workers: int, progress: Progress | None = None
) -> str:
    """A text that is equal for the same files, unchanged, in the same order, read with the same table."""

    def stamps(index: int) -> str:
        entry = reader.entries[index]
        return f"{entry.name}\n{stamp(entry.image)}\n{stamp(entry.labels)}\n"

    digest = hashlib.sha256(f"{reader.format} {reader.table.digest()}\n".encode())
    for path in reader.shared:
        digest.update(f"{stamp(path)}\n".encode("utf-8", "surrogateescape"))
    for done, text in enumerate(in_order(stamps, indices, workers=workers, ahead=64), start=1):
        digest.update(text.encode("utf-8", "surrogateescape"))
        if progress is not None:
            progress("looking for changed files", done, len(indices))
    return digest.hexdigest()


def _check_job(path: Path, before: Mapping[str, Any], job: Mapping[str, Any]) -> None:
    now = json.loads(json.dumps(job))
    differing = sorted(key for key in {*before, *now} if before.get(key) != now.get(key))
    if differing:
        said = "files that have changed since" if differing == ["data"] else f"other {', '.join(differing)}"
        raise DataError(
            f"{path} was begun with {said}, so its counts would not belong to these: take another folder "
            "with --out, or leave out --resume and begin anew"
        )


def _counts(value: Any, like: npt.NDArray[np.int64], path: Path) -> npt.NDArray[np.int64]:
    try:
        array = np.array(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise _foreign(path) from error
    if array.shape != like.shape or array.dtype != np.int64 or (array < 0).any():
        raise _foreign(path)
    return array


def _foreign(path: Path) -> DataError:
    return DataError(
        f"{path} is no state of a count that pixelwise wrote: remove it, or leave out --resume and begin anew"
    )
