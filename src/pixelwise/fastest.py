"""Which backend is the fastest here for a model: measured once, and remembered.

What was measured holds for one kind of network, size, batch, machine and set of versions; anything else is
measured anew. Forgetting is harmless: the file can be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
import platformdirs

from pixelwise.backends import Backend
from pixelwise.backends.tensorrt import PACKAGES as TENSORRT
from pixelwise.errors import BackendError, DataError
from pixelwise.files import write_whole
from pixelwise.header import ModelHeader

ROUNDS = 5
"""Answers that are timed of each, after one that is not."""

KEPT = 200
"""Measurements that are remembered; the oldest go first."""


@dataclass(frozen=True)
class Choice:
    """What was chosen.

    Attributes:
        backend: The name of the fastest.
        seconds: Of a picture in a batch, median, by backend.
        remembered: Whether this was measured before.
        failed: Why others could not be measured, by backend.
    """

    backend: str
    seconds: Mapping[str, float]
    remembered: bool
    failed: Mapping[str, str]

    def __str__(self) -> str:
        others = [
            f"{name} {1e3 * s:.1f} ms"
            for name, s in sorted(self.seconds.items(), key=lambda pair: pair[1])
            if name != self.backend
        ]
        others += [f"{name}: {why}" for name, why in self.failed.items()]
        when = "remembered" if self.remembered else "measured now"
        beside = f" ({'; '.join(others)})" if others else ""
        return f"{self.backend} computes, {1e3 * self.seconds[self.backend]:.1f} ms a picture, {when}{beside}"


def choose(
    contestants: Mapping[str, Callable[[], Backend]],
    header: ModelHeader,
    *,
    batch_size: int,
    place: str,
    at_once: Mapping[str, int] | None = None,
    memory: Path | None = None,
) -> tuple[Choice, Backend]:
    """The fastest of several backends for batches of this size, opened.

    Args:
        contestants: By name, what opens each.
        header: Of the model.
        batch_size: Pictures at once.
        place: Device and threads, in words: part of what a measurement holds for.
        at_once: Batches that each computes at the same time, by name; one where not given.
        memory: The file that remembers; in the user's cache folder where not given.

    Raises:
        BackendError: None of them can be opened.
    """
    memory = memory or Path(platformdirs.user_cache_dir("pixelwise")) / "backends.json"
    calls = {name: (at_once or {}).get(name, 1) for name in contestants}
    key = _key(header, batch_size, calls, place)
    known = _read(memory)
    before = known.get(key, {})
    if before and set(before) <= set(contestants):
        name = _fastest(before)
        try:
            return Choice(name, before, True, {}), contestants[name]()
        except BackendError:
            pass  # it worked when it was measured; measure again
    opened: dict[str, Backend] = {}
    failed: dict[str, str] = {}
    for name, open_it in contestants.items():
        try:
            opened[name] = open_it()
        except BackendError as error:
            failed[name] = str(error)
    seconds = _measure(opened, header, batch_size, calls, failed)
    if not seconds:
        raise BackendError(f"no backend can compute this model: {'; '.join(failed.values())}")
    _remember(memory, known, key, seconds)
    name = _fastest(seconds)
    return Choice(name, seconds, False, failed), opened[name]


def _fastest(seconds: Mapping[str, float]) -> str:
    return min(seconds, key=lambda name: seconds[name])


def _measure(
    opened: Mapping[str, Backend],
    header: ModelHeader,
    batch_size: int,
    calls: Mapping[str, int],
    failed: dict[str, str],
) -> dict[str, float]:
    """Seconds a picture, in turn, so that whatever else the machine does hits all alike.

    Those whose first answer fails, as where TensorRT can build no engine, are written into `failed` instead.
    """
    size = header.size_policy.size
    images = np.random.default_rng(0).integers(0, 256, (batch_size, *size, 3), np.uint8)
    with ThreadPoolExecutor(max(calls.values())) as threads:

        def answer(name: str) -> None:
            for _ in threads.map(opened[name].logits, [images] * calls[name]):
                pass

        taken: dict[str, list[float]] = {}
        for name in opened:
            try:
                answer(name)  # the first one prepares: memory, kernels, engines
                taken[name] = []
            except BackendError as error:
                failed[name] = str(error)
        for _ in range(ROUNDS):
            for name, times in taken.items():
                begin = time.perf_counter()
                answer(name)
                times.append((time.perf_counter() - begin) / (batch_size * calls[name]))
    return {name: statistics.median(times) for name, times in taken.items()}


def _key(header: ModelHeader, batch_size: int, calls: Mapping[str, int], place: str) -> str:
    versions = []
    for package in ("pixelwise", "torch", "onnxruntime", "onnxruntime-gpu", "openvino", *TENSORRT):
        try:
            versions.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    facts = {
        "network": header.to_json()["architecture"],
        "classes": len(header.classes),
        "size": header.size_policy.size,
        "batch": batch_size,
        "backends": dict(sorted(calls.items())),
        "place": place,
        "machine": [platform.machine(), _processor(), os.cpu_count(), *_gpus()],
        "versions": versions,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    if not facts.is_file():
        return platform.processor()
    lines = [line for line in facts.read_text().splitlines() if line.startswith(("model", "flags"))]
    return "\n".join(sorted(set(lines)))


def _gpus() -> list[str]:
    """Models of NVIDIA's GPUs, as its driver tells them on Linux; nothing elsewhere."""
    files = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    lines = [line for file in files for line in file.read_text().splitlines()]
    return [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]


def _read(memory: Path) -> dict[str, dict[str, float]]:
    """What is remembered; nothing where the file is absent or is something else."""
    try:
        found = json.loads(memory.read_text())
        return {
            str(key): {str(name): float(value) for name, value in row.items()}
            for key, row in found.items()
            if row
        }
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        return {}


def _remember(memory: Path, known: dict[str, dict[str, float]], key: str, seconds: dict[str, float]) -> None:
    kept = dict(list((known | {key: seconds}).items())[-KEPT:])
    try:
        write_whole(memory, json.dumps(kept, indent=1).encode())
    except DataError:
        return  # a cache that cannot be written is measured again next time
