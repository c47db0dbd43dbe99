"""What does an engine cost? Pictures a second through one process, and through Ray with 1 and 2 workers.

    python benchmarks/scale.py --model FILE --photos FOLDER [--count 400] [--rounds 3] [--out FILE]

Every way computes with torch on one core a worker and writes masks and overlays; `plain` is one process on
one core, and `plain, twice` two such processes at once, each with half of the pictures: what two cores can
do. The clock runs from the first result to the last, for a cluster starts in seconds and a job of millions
takes hours; what the start takes is told beside it. The results of all ways are compared byte for byte.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from machine import spread, write_result

from pixelwise.data.io import PICTURE_ENDINGS

ONE_CORE = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def main() -> None:
    """Measures in turn, so that whatever else the machine does hits all alike."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path, required=True, help="a model file of a run")
    parser.add_argument("--photos", type=Path, required=True, help="a folder of pictures")
    parser.add_argument("--count", type=int, default=400, help="pictures of each call; repeated where few")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--chunk", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="the result's file")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="scale-") as folder:
        place = Path(folder)
        photos, halves = _lay_out(options.photos, place, options.count)
        ways = {
            "plain": lambda out: _plain(options, [photos], out),
            "plain, twice": lambda out: _plain(options, halves, out),
            "ray, 1 worker": lambda out: _ray(options, photos, out, 1),
            "ray, 2 workers": lambda out: _ray(options, photos, out, 2),
        }
        measured: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
        reference: dict[str, bytes] = {}
        for number in range(options.rounds):
            for name, way in ways.items():
                out = place / "out"
                measured[name].append(way(out))
                results = _contents(out)
                reference = reference or results
                if results != reference:
                    sys.exit(f"{name} wrote other results than plain: {len(results)} files")
                shutil.rmtree(out)
                print(f"round {number + 1}, {name}: {measured[name][-1]}", flush=True)
        bytes_of = {"photo": _mean_size(photos), **_sizes(reference, options.count)}

    rates = {name: spread([one["rate"] for one in some]) for name, some in measured.items()}
    starts = {name: spread([one["start"] for one in some]) for name, some in measured.items()}
    write_result(
        "scale",
        out=options.out,
        question="pictures a second of predict: one process, and Ray with 1 and 2 workers",
        count=options.count,
        batch_size=options.batch_size,
        chunk=options.chunk,
        pictures_a_second=rates,
        seconds_to_the_first_result=starts,
        overhead={
            "ray, 1 worker, over plain": _overhead(measured, "plain", "ray, 1 worker"),
            "ray, 2 workers, over plain, twice": _overhead(measured, "plain, twice", "ray, 2 workers"),
        },
        mean_bytes_a_picture=bytes_of,
        results="byte for byte the same",
    )


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
    environment = {**os.environ, **ONE_CORE}
    begin = time.time()
    running = [
        subprocess.Popen(
            _command(options, folder, out / str(number) if len(folders) > 1 else out),
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for number, folder in enumerate(folders)
    ]
    if any(process.wait() for process in running):
        sys.exit("predict failed")
    if len(folders) > 1:  # brought together, to be compared
        for number in range(len(folders)):
            for path in (out / str(number)).rglob("*.*"):
                target = out / path.relative_to(out / str(number))
                target.parent.mkdir(exist_ok=True)
                path.rename(target)
            shutil.rmtree(out / str(number))
    return _facts(out, begin)


def _ray(options: argparse.Namespace, photos: Path, out: Path, workers: int) -> dict[str, float]:
    more = ["--engine", "ray", "--ray-workers", str(workers), "--ray-chunk", str(options.chunk)]
    begin = time.time()
    command = [*_command(options, photos, out), *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return _facts(out, begin)


def _command(options: argparse.Namespace, photos: Path, out: Path) -> list[str]:
    words = [sys.executable, "-m", "pixelwise", "predict", options.model, photos, "--out", out]
    return [*map(str, words), "--batch-size", str(options.batch_size)]


def _facts(out: Path, begin: float) -> dict[str, float]:
    """The rate between the first result and the last, and when the first was there."""
    times = sorted(path.stat().st_mtime for path in (out / "masks").rglob("*.png"))
    return {"rate": (len(times) - 1) / (times[-1] - times[0]), "start": times[0] - begin}


def _overhead(measured: dict[str, list[dict[str, float]]], usual: str, other: str) -> float:
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
