"""When the soak test kills: it watches a folder, a thousand times a second, for the moment it aims at."""

from __future__ import annotations

import os
import platform
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from soak_process import Process

POLL = 0.0005  # seconds
LONGEST = 120.0  # seconds that a moment is waited for
MOST = 9  # checkpoints that go by meanwhile; then any moment will do
SPARE = 65_536  # bytes by which a checkpoint is shorter than the last one, which has more rows of history

_CALLS = {"0": "read", "1": "write", "20": "writev", "74": "fsync", "77": "ftruncate", "82": "rename"}
_CALLS |= {"202": "futex", "264": "rename", "316": "rename", "257": "open"}
"""Of Linux on x86-64."""


@dataclass(frozen=True)
class Sight:
    """What a look at the folder shows."""

    parts: dict[str, int]
    checkpoint: int
    log: tuple[int, int]
    config: bool
    provenance: bool
    cache: int


Test = Callable[[Sight, Sight], bool]
"""Of what was seen when the process began (or last changed its checkpoint) and what is seen now."""


def aims(chance: random.Random, *, size: int) -> dict[str, Test]:
    """The moments, by name.

    Args:
        chance: Decides how much of a checkpoint is written when it is killed.
        size: Bytes of a whole checkpoint.
    """
    least = chance.uniform(0.05, 0.9) * size
    size -= SPARE

    def part(now: Sight, *names: str) -> int:
        return max((now.parts.get(name, -1) for name in names), default=-1)

    return {
        "cache being filled": lambda _, now: now.cache > 0,
        "config without provenance": lambda _, now: now.config and not now.provenance,
        "checkpoint being written": lambda _, now: least <= part(now, "checkpoint.safetensors") < size,
        "checkpoint written, not renamed": lambda _, now: part(now, "checkpoint.safetensors") >= size,
        "checkpoint just renamed": lambda then, now: now.checkpoint not in (0, then.checkpoint),
        "model being written": lambda _, now: (
            part(now, "last.safetensors", "best.safetensors", "average.safetensors") >= 0
        ),
        "history, curves or TensorBoard": lambda then, now: (
            part(now, "history.csv", "curves.png") >= 0 or now.log[1] > then.log[1] > 0
        ),
        "examples being written": lambda _, now: any(name.startswith("epoch-") for name in now.parts),
    }


def look(run: Path, cache: Path) -> Sight:
    """One look at the folder; what goes away meanwhile counts as gone."""
    parts: dict[str, int] = {}
    for folder in (run, run / "examples"):
        for entry in _entries(folder):
            if ".part." in entry.name:
                parts[entry.name.partition(".part.")[2]] = _size(entry)
    events = [_size(entry) for entry in _entries(run / "tensorboard")]
    filling = [entry for entry in _entries(cache / "pixelwise" / "pictures") if entry.name.startswith(".")]
    return Sight(
        parts=parts,
        checkpoint=_inode(run / "checkpoint.safetensors"),
        log=(len(events), sum(events)),
        config=(run / "config.json").exists(),
        provenance=(run / "provenance.json").exists(),
        cache=len(filling),
    )


def kill_at(process: Process, test: Test, see: Callable[[], Sight], *, wait: int) -> str | None:
    """Kills a process at a moment; returns the system call it was in, or None if it ended before.

    Args:
        process: It.
        test: The moment.
        see: Looks at its folder.
        wait: Checkpoints that it is left to write first.
    """
    then, end = see(), time.monotonic() + LONGEST
    seen, last = 0, then.checkpoint
    while time.monotonic() < end:
        now = see()
        seen += now.checkpoint != last
        last = now.checkpoint
        if wait > 0 and now.checkpoint not in (0, then.checkpoint):
            wait, then = wait - 1, now
        elif wait <= 0 and (test(then, now) or seen > MOST):
            return kill(process)
        if process.poll() is not None:
            return None
        time.sleep(POLL)
    return kill(process)


def kill(process: Process) -> str | None:
    """SIGKILL, and what the main thread was doing."""
    call = _call(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return call if process.returncode == -signal.SIGKILL else None


def _call(process: int) -> str:
    try:
        words = Path(f"/proc/{process}/syscall").read_text().split()
    except OSError:
        return "unknown"
    if words[0] == "running" or platform.machine() != "x86_64":
        return "computing" if words[0] == "running" else "unknown"
    return _CALLS.get(words[0], f"call {words[0]}")


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        return list(os.scandir(folder))
    except OSError:
        return []


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except OSError:
        return 0


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0
