"""What does an engine cost? Pictures a second through one process, and through Ray with 1 and 2 workers.

    python benchmarks/scale.py --model FILE --photos FOLDER [--count 1200] [--rounds 3] [--out FILE]

Every way has the machine's two cores, computes with torch and writes masks and overlays:

- `plain`: one process as anybody runs it: a batch on each core, and threads that read and write beside.
- `ray, 1 worker`: one worker of two cores. `ray, 2 workers`: two workers of one core each.
- `plain, twice`: two processes with half of the pictures and a one-core network each, which leave no core
  idle. That is more than the plain run gets out of two cores, and what the two workers cost is told beside
  it too.

A job of millions takes hours, so the rate is that between a tenth and nine tenths of the results: by then
each worker has its model, and none lacks work yet. The time to the first result and the whole time are told
beside it. Rounds take the ways in turn, each round from another one on.

All results are compared byte for byte.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from machine import spread, write_result

from pixelwise.data.io import PICTURE_ENDINGS

ONE_CORE = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
CORES = 2


def main() -> None:
    """Measures in turn, so that whatever else the machine does hits all alike."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", type=Path, required=True, help="a model file of a run")
    parser.add_argument("--photos", type=Path, required=True, help="a folder of pictures")
    parser.add_argument("--count", type=int, default=1200, help="pictures of each call; repeated where few")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--chunk", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="the result's file")
    options = parser.parse_args()
    if len(os.sched_getaffinity(0)) != CORES:
        sys.exit(f"the comparison is of {CORES} cores: run it under `taskset -c 0,1`")

    with tempfile.TemporaryDirectory(prefix="scale-") as folder:
        place = Path(folder)
        photos, halves = _lay_out(options.photos, place, options.count)
        ways: dict[str, Callable[[Path], dict[str, float]]] = {
            "plain": lambda out: _plain(options, [photos], out),
            "ray, 1 worker": lambda out: _ray(options, photos, out, workers=1, cpus=CORES),
            "ray, 2 workers": lambda out: _ray(options, photos, out, workers=CORES, cpus=1),
            "plain, twice": lambda out: _plain(options, halves, out),
        }
        measured, results = _rounds(options.rounds, ways, place / "out")
        bytes_of = {"photo": _mean_size(photos), **_sizes(results, options.count)}

    write_result(
        "scale",
        out=options.out,
        question="pictures a second of predict: one process, and Ray with 1 and 2 workers, on two cores",
        count=options.count,
        batch_size=options.batch_size,
        chunk=options.chunk,
        pictures_a_second=_spreads(measured, "rate"),
        seconds_to_the_first_result=_spreads(measured, "start"),
        seconds_in_all=_spreads(measured, "whole"),
        overhead={
            f"{other}, over {usual}": _overhead(measured, usual, other)
            for usual, other in (
                ("plain", "ray, 1 worker"),
                ("plain", "ray, 2 workers"),
                ("plain, twice", "ray, 2 workers"),
            )
        },
        mean_bytes_a_picture=bytes_of,
        results="byte for byte the same in every way and round",
        files=len(results),
    )


Measured = dict[str, list[dict[str, float]]]


def _rounds(
    rounds: int, ways: dict[str, Callable[[Path], dict[str, float]]], out: Path
) -> tuple[Measured, dict[str, bytes]]:
    """What was measured of each way, and the results, by their files' names."""
    measured: Measured = {name: [] for name in ways}
    results: dict[str, bytes] = {}
    names = list(ways)
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            measured[name].append(ways[name](out))
            now = _contents(out)
            results = results or now
            if now != results:
                differing = sum(now.get(file) != content for file, content in results.items())
                sys.exit(f"{name}: {differing} of {len(results)} files differ from another way's")
            shutil.rmtree(out)
            told = ", ".join(f"{key} {value:.2f}" for key, value in measured[name][-1].items())
            print(f"round {number + 1}, {name}: {told}", flush=True)
    return measured, results


def _lay_out(source: Path, place: Path, count: int) -> tuple[Path, list[Path]]:
    """The pictures in one folder, and half of them in each of two, under names of their own."""
    found = sorted(path for path in source.rglob("*") if path.suffix.lower() in PICTURE_ENDINGS)
    if not found:
        sys.exit(f"{source}: no pictures")
    whole, halves = place / "photos", [place / "half0", place / "half1"]
    for folder in (whole, *halves):
        folder.mkdir()
    for number in range(count):
        path = found[number % len(found)]
        name = f"{number:07d}{path.suffix}"
        shutil.copyfile(path, whole / name)
        os.link(whole / name, halves[number % 2] / name)
    return whole, halves


def _plain(options: argparse.Namespace, folders: list[Path], out: Path) -> dict[str, float]:
    twice = len(folders) > 1
    begin = time.time()
    running = [
        subprocess.Popen(
            _command(options, folder, out / str(number) if twice else out),
            env={**os.environ, **(ONE_CORE if twice else {})},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for number, folder in enumerate(folders)
    ]
    codes = [process.wait() for process in running]
    if any(codes):
        sys.exit("predict failed")
    if twice:  # brought together, to be compared
        for number in range(len(folders)):
            for path in (out / str(number)).rglob("*.*"):
                target = out / path.relative_to(out / str(number))
                target.parent.mkdir(exist_ok=True)
                path.rename(target)
            shutil.rmtree(out / str(number))
    return _facts(out, begin)


def _ray(
    options: argparse.Namespace, photos: Path, out: Path, *, workers: int, cpus: int
) -> dict[str, float]:
    more = ["--engine", "ray", "--ray-workers", str(workers), "--ray-cpus", str(cpus)]
    begin = time.time()
    command = [*_command(options, photos, out), *more, "--ray-chunk", str(options.chunk)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return _facts(out, begin)


def _command(options: argparse.Namespace, photos: Path, out: Path) -> list[str]:
    words = [sys.executable, "-m", "pixelwise", "predict", options.model, photos, "--out", out]
    return [*map(str, words), "--batch-size", str(options.batch_size)]


def _facts(out: Path, begin: float) -> dict[str, float]:
    """The rate in the middle, when the first result was there, and how long all of it took."""
    whole = time.time() - begin
    times = sorted(path.stat().st_mtime for path in (out / "masks").rglob("*.png"))
    first, last = len(times) // 10, len(times) - 1 - len(times) // 10
    return {
        "rate": (last - first) / (times[last] - times[first]),
        "start": times[0] - begin,
        "whole": whole,
    }


def _spreads(measured: Measured, key: str) -> dict[str, Any]:
    return {name: spread([one[key] for one in some]) for name, some in measured.items()}


def _overhead(measured: Measured, usual: str, other: str) -> float:
    """The share of time that `other` takes beyond `usual`: the median over the rounds."""
    pairs = zip(measured[usual], measured[other], strict=True)
    return round(median(one["rate"] / two["rate"] - 1 for one, two in pairs), 4)


def _contents(out: Path) -> dict[str, bytes]:
    files = [path for kind in ("masks", "overlays") for path in (out / kind).rglob("*") if path.is_file()]
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


def _mean_size(folder: Path) -> int:
    sizes = [path.stat().st_size for path in folder.iterdir()]
    return sum(sizes) // len(sizes)


def _sizes(results: dict[str, bytes], count: int) -> dict[str, Any]:
    kinds = {name.partition("/")[0] for name in results}
    return {
        kind: sum(len(content) for name, content in results.items() if name.startswith(f"{kind}/")) // count
        for kind in sorted(kinds)
    }


if __name__ == "__main__":
    main()
