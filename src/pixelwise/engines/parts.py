"""What is done of a job with many writers: a manifest in parts, each of a chunk and written whole.

`manifest/job.json` says what the job is; `manifest/RUN-CHUNK.jsonl` holds a line for each picture that was
done or failed. Whoever goes on reads no part into memory for good: 12 bytes a picture say which part has it.
Knows no network and no engine; a path in a part is never opened, only compared with what would be written.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from threading import Lock
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from pixelwise.data.ahead import in_order
from pixelwise.engines.store import Store
from pixelwise.errors import DataError
from pixelwise.inference.manifest import Record, check_job, parsed

FOLDER = "manifest"
JOB = f"{FOLDER}/job.json"

_FORMAT = 1
_PART = re.compile(r"(\d{6})-[0-9a-f]{24}\.jsonl")
_READERS = 16
_KEPT = 8


@dataclass(frozen=True)
class Done:
    """A picture that is done.

    Attributes:
        record: As in a manifest of one process.
        sizes: Bytes of each result, by kind.
        stamp: Of the picture, where its store has such a thing.
    """

    record: Record
    sizes: Mapping[str, int]
    stamp: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**self.record.to_json(), "files_bytes": dict(self.sizes), "stamp": self.stamp}

    @staticmethod
    def from_json(value: Any) -> Done | None:
        """What `to_json` gave; None for anything else."""
        record = Record.from_json(value)
        if record is None:
            return None
        try:
            sizes = {str(kind): int(size) for kind, size in value["files_bytes"].items()}
            return Done(record, sizes, str(value["stamp"]))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            return None


@dataclass(frozen=True)
class Part:
    """What came of a chunk: pictures that were done in it, and why others could not be, by address."""

    done: list[Done]
    failed: dict[str, str]


class Parts:
    """The manifest below the folder of the results.

    Attributes:
        identity: What the job is, as a text.

    Args:
        store: Of the results.
        identity: What the job is, as a text.
        run: Which call of the job writes; later ones are believed rather than earlier ones.
    """

    def __init__(self, store: Store, identity: str, run: int) -> None:
        self._store, self.identity, self.run = store, identity, run
        self._read: OrderedDict[str, dict[str, Done]] = OrderedDict()
        self._lock = Lock()

    def write(self, chunk: str, part: Part) -> None:
        """Writes down what came of a chunk; its results must be there already."""
        lines = [json.dumps(done.to_json(), ensure_ascii=False) for done in part.done]
        lines += [
            json.dumps({"photo": address, "error": error}, ensure_ascii=False)
            for address, error in part.failed.items()
        ]
        content = "".join(f"{line}\n" for line in lines)
        self._store.write(f"{FOLDER}/{self.name(chunk)}", content.encode("utf-8", "backslashreplace"))

    def name(self, chunk: str) -> str:
        """Of the part that this run writes of a chunk."""
        return f"{self.run:06d}-{chunk}.jsonl"

    def read(self, name: str) -> Part | None:
        """A part; None where there is none."""
        if self._store.size(f"{FOLDER}/{name}") is None:
            return None
        part = Part([], {})
        for line in self._store.read(f"{FOLDER}/{name}").decode("utf-8", "replace").split("\n"):
            value = parsed(line)
            done = Done.from_json(value)
            if done is not None:
                part.done.append(done)
            elif isinstance(value, dict) and "error" in value:
                value = cast("dict[str, Any]", value)
                part.failed[str(value.get("photo"))] = str(value["error"])
        return part

    def done_in(self, name: str) -> Mapping[str, Done]:
        """A part's pictures that are done, by address; the last few parts are kept."""
        with self._lock:
            if name not in self._read:
                part = self.read(name)
                self._read[name] = {done.record.photo: done for done in part.done} if part else {}
                if len(self._read) > _KEPT:
                    self._read.popitem(last=False)
            self._read.move_to_end(name)
            return self._read[name]


@dataclass(frozen=True, eq=False)
class Index:
    """Which part has a picture: 12 bytes for each.

    Attributes:
        names: Of the parts.
        keys: `(N,) uint64`, sorted: a digest of each picture's address.
        places: `(N,) uint32`: the part's place in `names`.
    """

    names: list[str]
    keys: npt.NDArray[np.uint64]
    places: npt.NDArray[np.uint32]

    def part_of(self, address: str) -> str | None:
        """The name of the part; None where none has it. That it has it is to be looked up there."""
        key = _key(address)
        at = int(np.searchsorted(self.keys, np.uint64(key)))
        if at == len(self.keys) or int(self.keys[at]) != key:
            return None
        return self.names[int(self.places[at])]


def begin(store: Store, job: Mapping[str, Any], *, resume: bool) -> tuple[Parts, Index]:
    """Opens a manifest for another run.

    Args:
        store: Of the results.
        job: What decides the results besides the pictures: plain JSON values. A job that goes on must be the
            same.
        resume: Go on with what is there; else what is there is forgotten.

    Returns:
        Where this run writes, and what was done before.

    Raises:
        DataError: The job that is there is another one, or its manifest cannot be read or written.
    """
    begun = store.size(JOB) is not None
    names = _part_names(store, begun=begun)
    if resume and begun:
        check_job(store.place, parsed(store.read(JOB).decode("utf-8", "replace")), job)
    else:
        for _ in in_order(lambda name: store.remove(f"{FOLDER}/{name}"), names, workers=_READERS):
            pass
        names = []
        header = {"pixelwise_manifest": _FORMAT, "job": job}
        store.write(JOB, json.dumps(header, ensure_ascii=False).encode())
    last = max((int(name[:6]) for name in names), default=0)
    parts = Parts(store, json.dumps(job, sort_keys=True), last + 1)
    return parts, _index(parts, names)


def _part_names(store: Store, *, begun: bool) -> list[str]:
    """Sorted, so that later runs come later."""
    try:
        return sorted(entry.name for entry in store.entries(FOLDER) if _PART.fullmatch(entry.name))
    except DataError:
        if begun:
            raise
        return []  # stores differ in what they say of a folder that is not there


def _index(parts: Parts, names: list[str]) -> Index:
    def keys_of(name: str) -> npt.NDArray[np.uint64]:
        part = parts.read(name)
        return np.array([_key(done.record.photo) for done in part.done] if part else [], np.uint64)

    return _joined(names, list(in_order(keys_of, names, workers=_READERS)))


def _joined(names: list[str], keys: Iterable[npt.NDArray[np.uint64]]) -> Index:
    """Of a picture in several parts, the last is kept."""
    some = [np.empty(0, np.uint64), *keys]
    every = np.concatenate(some)[::-1]
    places = np.repeat(np.arange(len(names), dtype=np.uint32), [len(part) for part in some[1:]])[::-1]
    unique, first = np.unique(every, return_index=True)
    return Index(names, unique, places[first])


def _key(address: str) -> int:
    return int.from_bytes(blake2b(address.encode("utf-8", "surrogateescape"), digest_size=8).digest(), "big")
