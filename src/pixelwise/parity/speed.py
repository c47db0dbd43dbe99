"""How long an answer takes and how much memory, of an export in each runtime beside eager PyTorch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pixelwise.errors import BackendError
from pixelwise.parity.compare import Answer

ROUNDS, SECONDS = 40, 4.0
"""A contestant answers this often, or until the time is used up, but five times at least."""

MEMORY_TIMEOUT = 300
"""Seconds that a process may take that only loads a model and answers twice."""


@dataclass(frozen=True, kw_only=True)
class Speed:
    """What one backend needs.

    Attributes:
        backend: Its name.
        p50: Median seconds of an answer for one picture at the network's size.
        p95: Of 20 answers, the second slowest takes about this.
        images_per_second: With pictures in batches of 8.
        memory: The most bytes that a process held which loads the model and answers twice; None where the
            system does not tell.
    """

    backend: str
    p50: float
    p95: float
    images_per_second: float
    memory: int | None


def speeds(
    answers: Mapping[str, Answer], image: npt.NDArray[np.uint8], memory: Mapping[str, int | None]
) -> list[Speed]:
    """Times all contestants in turn, so that whatever else the machine does hits them alike.

    Args:
        answers: By the backend's name.
        image: `(h, w, 3) uint8` RGB at the network's size.
        memory: Of each, see `peak_memory`.
    """
    single, eight = np.stack([image]), np.stack([image] * 8)
    one = _timed(answers, single, ROUNDS)
    many = _timed(answers, eight, max(5, ROUNDS // 8))
    return [
        Speed(
            backend=name,
            p50=float(np.median(one[name])),
            p95=float(np.quantile(one[name], 0.95)),
            images_per_second=8 / float(np.median(many[name])),
            memory=memory.get(name),
        )
        for name in answers
    ]


def _timed(
    answers: Mapping[str, Answer], batch: npt.NDArray[np.uint8], rounds: int
) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name in answers}
    for answer in answers.values():
        answer(batch)  # the first answer prepares: memory, kernels
    for number in range(rounds):
        for name, answer in answers.items():
            if number >= 5 and sum(taken[name]) > SECONDS:
                continue
            begin = time.perf_counter()
            answer(batch)
            taken[name].append(time.perf_counter() - begin)
    return taken


def peak_memory(path: Path, backend: str, size: tuple[int, int]) -> int | None:
    """The most bytes that a fresh process holds which opens this file and answers twice.

    Args:
        path: A model file or an exported one.
        backend: What computes.
        size: `(height, width)` of the picture.

    Returns:
        None where the system does not tell.

    Raises:
        BackendError: The process failed, or took too long.
    """
    command = [sys.executable, "-m", "pixelwise.parity.memory", str(path), backend, *map(str, size)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=MEMORY_TIMEOUT, check=True, env=environment
        )
    except subprocess.TimeoutExpired as error:
        raise BackendError(
            f"{backend} took more than {MEMORY_TIMEOUT} s to open {path.name} and answer twice"
        ) from error
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip().splitlines() or [f"exit code {error.returncode}"])[-1]
        raise BackendError(f"{backend} failed on {path.name} in a process of its own: {reason}") from error
    peak = json.loads(done.stdout.splitlines()[-1])["peak"]
    return None if peak is None else int(peak)
