"""What every result must say of itself: the machine, the code, and how its figures spread."""

from __future__ import annotations

import datetime
import json
import os
import platform
import shlex
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

INSTRUCTIONS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
"""That decide how fast float32, bfloat16 and 8-bit numbers are multiplied."""

PLACES = {
    "--photos": "FOLDER",
    "--model": "FILE",
    "--data": "FOLDER",
    "--out": "FILE",
    "--keras-python": "PYTHON",
    "--peers-python": "PYTHON",
    "--smp-python": "PYTHON",
}
"""Flags whose value is a place on one machine, and what stands for it in a result."""


def spread(values: list[float]) -> dict[str, float]:
    """Median and extremes, to four digits."""
    numbers = {"median": median(values), "min": min(values), "max": max(values)}
    return {key: float(f"{value:.4g}") for key, value in numbers.items()}


def hardware() -> dict[str, Any]:
    """Processor, threads and memory."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = set(fields.get("flags", "").split())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": fields.get("model name", platform.processor()),
        "family_model": f"{fields.get('cpu family')}/{fields.get('model')}",
        "cores": os.cpu_count(),
        "instructions": [f for f in INSTRUCTIONS if f in flags],
        "memory_gib": round(memory, 1),
        "system": platform.platform(),
    }


def commit() -> dict[str, Any]:
    """The checkout's commit, and which measured files differ from it."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    measured = ["benchmarks/*.py", "src/pixelwise"]
    return {
        "commit": git("rev-parse", "HEAD"),
        "changed": git("status", "--porcelain", "--", *measured).splitlines(),
    }


def command() -> str:
    """What was called, flag by flag; places are named by their kind (`PLACES`)."""
    words, flag = ["python", f"benchmarks/{Path(sys.argv[0]).name}"], ""
    for word in sys.argv[1:]:
        name, equals, _ = word.partition("=")
        if flag in PLACES:
            words.append(PLACES[flag])
        else:
            words.append(f"{name}={PLACES[name]}" if equals and name in PLACES else word)
        flag = "" if flag in PLACES else word
    return shlex.join(words)


def write_result(name: str, *, out: Path | None = None, **facts: Any) -> Path:
    """Writes `results/NAME-DATE.json`, or `out`: date, code and machine, and what was found."""
    date = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    path = out or ROOT / "benchmarks" / "results" / f"{name}-{date}.json"
    result = {"question": facts.pop("question"), "date": date, **commit(), "hardware": hardware(), **facts}
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(f"wrote {path}")
    return path


def peak_rate(*, half: bool = False) -> float:
    """Multiply-adds a second of fat convolutions in torch: the fastest of a few shapes and layouts.

    Args:
        half: Of bfloat16 instead of float32.
    """
    import torch

    best = 0.0
    numbers = torch.bfloat16 if half else torch.float32
    for n, channels, side in ((8, 256, 56), (32, 256, 20), (8, 512, 28)):
        for layout in (torch.contiguous_format, torch.channels_last):
            x = torch.ones(n, channels, side, side, dtype=numbers).contiguous(memory_format=layout)
            kernel = torch.ones(channels, channels, 3, 3, dtype=numbers).contiguous(memory_format=layout)
            with torch.no_grad():
                torch.conv2d(x, kernel, padding=1)
                for _ in range(2):
                    start = time.perf_counter()
                    torch.conv2d(x, kernel, padding=1)
                    seconds = time.perf_counter() - start
                    best = max(best, n * channels * channels * 9 * side * side / seconds)
    return best
