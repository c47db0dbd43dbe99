"""How many labelled pictures a second do `check` and `ceiling` look at, and what do 100,000 of them take?

    python benchmarks/check.py --data ../shared/data/camvid [--many 100000]

Each command is a process of its own, from start to exit, as a user runs it; the page and its thumbnails are
in the time of `check`. `--many` draws as many small pictures, all different, into a temporary folder, and
says how much memory the process had at most, beside that for a hundredth of them.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from machine import command, spread, write_result
from PIL import Image

from pixelwise.data import open_dataset

ROUNDS = 3


def main() -> None:
    """Measures and writes the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="a labelled data set")
    parser.add_argument("--flags", default="", help="of the data set, e.g. '--val-last 195'")
    parser.add_argument("--many", type=int, default=0, help="pictures to draw")
    parser.add_argument("--out", type=Path, help="result file")
    arguments = parser.parse_args()
    pictures = len(open_dataset(arguments.data).reader)
    flags = shlex.split(arguments.flags)
    result: dict[str, Any] = {}
    for name, more in (("check", ["--afresh"]), ("check again", []), ("ceiling", ["--split", "all"])):
        rates: list[float] = []
        with tempfile.TemporaryDirectory() as folder:
            if name == "check again":
                run(["check", str(arguments.data), *flags, "--out", folder])
            for _ in range(ROUNDS):
                words = [name.split()[0], str(arguments.data), *flags, *more, "--out", folder]
                rates.append(pictures / run(words)[0])
                print(f"{name}: {rates[-1]:.1f} pictures/s", flush=True)
        result[name] = {"pictures_per_second": spread(rates)}
    if arguments.many:
        result["many"] = [many(count) for count in (arguments.many // 100, arguments.many)]
    write_result(
        "check",
        out=arguments.out,
        question="labelled pictures a second through check and ceiling, and memory for many",
        command=command(),
        pictures=pictures,
        workers=os.cpu_count(),
        **result,
    )


def run(words: list[str]) -> tuple[float, float]:
    """Seconds and peak MiB of one command."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "pixelwise", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        raise SystemExit(f"pixelwise {shlex.join(words)} ended with {process.returncode}")
    return time.monotonic() - began, used.ru_maxrss / 1024


def many(count: int) -> dict[str, Any]:
    """Time and memory of both commands over `count` drawn pictures."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "set"
        draw(root, count)
        figures: dict[str, Any] = {"pictures": count}
        for name in ("check", "ceiling"):
            out = Path(folder) / name
            more = ["--split", "all"] if name == "ceiling" else []
            seconds, mib = run([name, str(root), "--out", str(out), *more])
            figures[name] = {"seconds": round(seconds, 1), "peak_mib": round(mib)}
            print(f"{count:,} pictures: {name} {seconds:.0f} s, {mib:.0f} MiB", flush=True)
    return figures


def draw(root: Path, count: int) -> None:
    """Pictures of 64x64: a box of another brightness on soft noise, each at its own place."""
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    (root / "classes.txt").write_text("ground\nbox\n")
    generator = np.random.default_rng(0)
    for number in range(count):
        coarse = generator.integers(40, 140, (8, 8, 3), np.uint8)
        picture = np.asarray(Image.fromarray(coarse).resize((64, 64), Image.Resampling.BICUBIC)).copy()
        mask = np.zeros((64, 64), np.uint8)
        top, left, high, wide = generator.integers((4, 4, 12, 12), (28, 28, 30, 30)).tolist()
        picture[top : top + high, left : left + wide] += np.uint8(90)
        mask[top : top + high, left : left + wide] = 1
        Image.fromarray(picture).save(root / "images" / f"{number:06d}.png", compress_level=1)
        Image.fromarray(mask).save(root / "masks" / f"{number:06d}.png", compress_level=1)


if __name__ == "__main__":
    main()
