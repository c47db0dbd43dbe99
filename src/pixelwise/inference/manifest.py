"""What is done of a long job: one line of JSON for each photo, with checksums, so that it can go on.

The first line says what the job is: model, settings, outputs. Knows no network; a name in the file is never
opened, only compared with what would be written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from pixelwise.errors import DataError
from pixelwise.files import sha256_of, write_whole

NAME = "manifest.jsonl"
"""Of the file, in the folder of the results."""

_LONGEST_LINE = 1 << 20
_FORMAT = 1


@dataclass(frozen=True)
class Record:
    """A photo that is done.

    Attributes:
        photo: Its path, as it was given.
        checksum: SHA-256 of its bytes.
        files: Path of each result, relative to the folder of the results, by kind, e.g. `mask`.
        checksums: SHA-256 of each of them, by kind.
        area: The share of the photo that each class covers.
    """

    photo: str
    checksum: str
    files: Mapping[str, str]
    checksums: Mapping[str, str]
    area: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "photo": self.photo,
            "sha256": self.checksum,
            "files": dict(self.files),
            "files_sha256": dict(self.checksums),
            "area": dict(self.area),
        }

    @staticmethod
    def from_json(value: Any) -> Record | None:
        """What `to_json` gave; None for anything else."""
        try:
            return Record(
                photo=str(value["photo"]),
                checksum=str(value["sha256"]),
                files={str(kind): str(path) for kind, path in value["files"].items()},
                checksums={str(kind): str(sum_) for kind, sum_ in value["files_sha256"].items()},
                area={str(name): float(share) for name, share in value["area"].items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            return None


class Ledger(Protocol):
    """Where a job writes down what is done, and asks what was done before."""

    @property
    def identity(self) -> str:
        """What the job is, as a text."""
        ...

    def add(self, record: Record) -> None:
        """Writes down that a photo is done; its results must be there already."""
        ...

    def done(self, photo: str, checksum: str, files: Mapping[str, str]) -> Record | None:
        """The record of a photo that need not be done again."""
        ...


class Manifest:
    """The record of a job, in the folder of its results.

    Attributes:
        identity: What the job is, as a text.

    Args:
        folder: Of the results.
        job: What decides the results besides the photos: plain JSON values. A job that goes on must be the
            same.
        resume: Go on with what is there; else begin anew.

    Raises:
        DataError: The job that is there is another one, or the file cannot be written.
    """

    def __init__(self, folder: Path, job: Mapping[str, Any], *, resume: bool) -> None:
        self._folder, self._path = folder, folder / NAME
        self.identity = json.dumps(job, sort_keys=True)
        self._before = _read(self._path, job) if resume else {}
        header = json.dumps({"pixelwise_manifest": _FORMAT, "job": job}, ensure_ascii=False)
        lines = [json.dumps(record.to_json(), ensure_ascii=False) for record in self._before.values()]
        # Written anew, without a line that a crash cut.
        write_whole(self._path, "".join(f"{line}\n" for line in [header, *lines]).encode())
        try:
            self._file = self._path.open("a", encoding="utf-8")
        except OSError as error:
            raise _unwritable(self._path, error) from error

    def add(self, record: Record) -> None:
        """Writes down that a photo is done; its results must be there already.

        Raises:
            DataError: The disk is full.
        """
        try:
            self._file.write(json.dumps(record.to_json(), ensure_ascii=False) + "\n")
            self._file.flush()
        except OSError as error:
            raise _unwritable(self._path, error) from error

    def done(self, photo: str, checksum: str, files: Mapping[str, str]) -> Record | None:
        """The record of a photo, where it has not changed and all its results are as they were written.

        Args:
            photo: Its path.
            checksum: Of its bytes now.
            files: The results that are wanted, by kind, relative to the folder.
        """
        record = self._before.get(photo)
        if record is None or not is_unchanged(record, checksum, files):
            return None
        return record if has_results(record, self._folder) else None

    def close(self) -> None:
        """Nothing is added any more."""
        self._file.close()


def is_unchanged(record: Record, checksum: str, files: Mapping[str, str]) -> bool:
    """Whether a record is of a photo with these bytes, and of these results."""
    return record.checksum == checksum and dict(record.files) == dict(files)


def has_results(record: Record, folder: Path) -> bool:
    """Whether all results of a record lie in a folder as they were written."""
    return all(
        (folder / path).is_file() and sha256_of(folder / path) == record.checksums.get(kind)
        for kind, path in record.files.items()
    )


def _read(path: Path, job: Mapping[str, Any]) -> dict[str, Record]:
    """The records by photo; none where there is no manifest."""
    if not path.is_file():
        return {}
    found: dict[str, Record] = {}
    with path.open(encoding="utf-8", errors="replace") as file:
        check_job(str(path.parent), parsed(file.readline(_LONGEST_LINE)), job)
        while line := file.readline(_LONGEST_LINE):
            record = Record.from_json(parsed(line))
            if record is not None:
                found[record.photo] = record
    return found


def parsed(line: str) -> Any:
    """The value of a line; None where a crash cut it, or something else wrote it."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def check_job(place: str, header: Any, job: Mapping[str, Any]) -> None:
    """Refuses to go on with another job than was begun.

    Args:
        place: Of the results, for the message.
        header: What was written of the job that was begun: `{"job": ...}`.
        job: The one that goes on.

    Raises:
        DataError: They differ, or the header is none.
    """
    before = cast("dict[str, Any]", header).get("job") if isinstance(header, dict) else None
    if not isinstance(before, dict):
        raise DataError(
            f"what lies in {place} is no manifest of pixelwise: remove it, or take another folder with --out"
        )
    before = cast("dict[str, Any]", before)
    now = json.loads(json.dumps(job))
    differing = sorted(key for key in {*before, *now} if before.get(key) != now.get(key))
    if differing:
        raise DataError(
            f"{place} was begun with another {', '.join(differing)}, so its results would not be like "
            "these: take another folder with --out, or leave out --resume and begin anew"
        )


def _unwritable(path: Path, error: OSError) -> DataError:
    return DataError(
        f"{path} cannot be written ({error.strerror or error}): make room, and go on with --resume"
    )
