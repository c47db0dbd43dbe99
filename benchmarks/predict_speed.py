"""How long does an answer take, in each backend, beside eager PyTorch and the peers?

Each contestant lives in a process of its own with all cores, and they take turns (A B C A B C ...) while the
others sleep, so that a machine that slows down slows all of them; ratios are taken within a round. Then: how
long a cold start takes, and what reading and writing add to a whole `pixelwise predict`.

    python benchmarks/predict_speed.py --photos FOLDER [--model FILE] [--peers-python PYTHON]
    python benchmarks/predict_speed.py --quick     # does the script work? No JSON

Writes `benchmarks/results/predict_speed-DATE.json`. Exit code 1: a ratio falls short of what is required.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch
from machine import peak_rate, spread, write_result
from predict_speed_contestants import CLASSES

from pixelwise.models import build_model
from pixelwise.models.summary import multiply_adds
from pixelwise.torch_runtime import choose_precision

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

WHOLE = ("onnxruntime-int8", "openvino-int8")
HALF = ("torch-bf16", "openvino-bf16")
"""Where the processor multiplies bfloat16."""
REAL = ("onnxruntime", "openvino")
OURS = ("eager", "torch", "onnxruntime-plain", *REAL, *WHOLE, *HALF)
AT_416 = (
    "smp-deeplabv3plus",
    "torchvision-deeplabv3_mobilenet_v3_large",
    "torchvision-lraspp_mobilenet_v3_large",
)

# (network, size, batch): (contestants that count, times eager that must be, and the aim).
CASES: dict[tuple[str, int, int], tuple[tuple[str, ...], float | None, float | None]] = {
    ("unet-xception", 160, 1): (REAL, 3.5, 5.0),
    ("unet-xception", 160, 8): ((*HALF, *WHOLE), 10.0, 14.0),
    ("mobilenet-segnet", 416, 1): ((*HALF, *WHOLE), 5.0, 8.0),
    ("deeplabv3plus", 416, 1): ((*REAL, *HALF, *WHOLE), 4.0, 6.0),
    ("deeplabv3plus", 416, 8): ((*REAL, *HALF, *WHOLE), None, None),
    ("unet", 256, 1): ((*REAL, *HALF, *WHOLE), 3.0, 5.0),
}

# Written before the measurement.
EXPECTED = (
    "Cores with AVX2 alone have no bfloat16 and gain little from 8-bit products: 2 to 3 times eager for "
    "unet-xception, 2 for the others, under 1.5 for the fat convolutions of unet. Cores with AVX-512 in "
    "float32: 3.5 times eager for unet-xception, 2 to 3 for the others. Those with tiles of bfloat16 "
    "(AMX): 10 times and more with it, and 8-bit numbers no faster than that."
)


class Contestant:
    """A process that answers when it is told to."""

    def __init__(self, name: str, python: str, network: str, size: int, batch: int) -> None:
        self.name = name
        self.seconds: list[list[float]] = []
        command = [python, str(HERE / "predict_speed_contestants.py"), name, network, str(size), str(batch)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("pipes were asked for")
        self._to, self._from = self._process.stdin, self._process.stdout
        self.facts = self._line()

    def answer(self, count: int) -> None:
        """Answers that often and keeps the seconds."""
        self._to.write(f"{count}\n")
        self._to.flush()
        self.seconds.append(self._line())

    def close(self) -> None:
        """Ends the process."""
        self._to.close()
        self._process.wait()

    def _line(self) -> Any:
        for line in self._from:
            if line.startswith(("{", "[")):
                return json.loads(line)
        raise SystemExit(f"{self.name} ended early")


def main() -> None:
    """Measures everything and prints tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", help="a folder of JPEGs for the whole path from JPEG to PNG")
    parser.add_argument("--model", default=str(ROOT / "models" / "pets.safetensors"), help="predicts them")
    parser.add_argument("--peers-python", help="a Python with segmentation_models.pytorch and torchvision")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    rounds = 1 if options.quick else options.rounds
    cases = dict(list(CASES.items())[:1]) if options.quick else CASES
    peak = peak_rate()
    rows = [measure(case, options.peers_python, rounds, peak) for case in cases]
    start = cold_start(1 if options.quick else 5)
    print_start(start)
    path = (
        whole_path(options.photos, options.model, 64 if options.quick else 1000) if options.photos else None
    )
    if options.quick:
        return
    write_result(
        "predict_speed",
        question=__doc__.splitlines()[0],
        command="python benchmarks/predict_speed.py --photos FOLDER --peers-python PYTHON",
        expected=EXPECTED,
        peak_float32_gmacs_per_second=peak / 1e9,
        cases=rows,
        cold_start_seconds=start,
        jpeg_to_png=path,
    )
    sys.exit(1 if any(row["short"] for row in rows) else 0)


def measure(case: tuple[str, int, int], peers: str | None, rounds: int, peak: float) -> dict[str, Any]:
    """One network at one size and batch."""
    network, size, batch = case
    counted, must, aim = CASES[case]
    half, _ = choose_precision(torch.device("cpu"))
    names = [(n, sys.executable) for n in OURS if n not in HALF or half == torch.bfloat16]
    if peers and size == 416 and batch == 1 and network == "deeplabv3plus":
        names += [(name, peers) for name in AT_416]
    contestants = [Contestant(name, python, network, size, batch) for name, python in names]
    count = max(1, min(20, round(2.0 / first_time(contestants[0]))))
    for _ in range(rounds):
        for contestant in contestants:
            contestant.answer(count)
    for contestant in contestants:
        contestant.close()
    eager = [median(seconds) for seconds in contestants[0].seconds[1:]]
    work = (
        multiply_adds(build_model(network, num_classes=CLASSES[network]), (size, size), published=False)
        * batch
    )
    found = {}
    for contestant in contestants:
        times = [median(seconds) for seconds in contestant.seconds[-rounds:]]
        found[contestant.name] = {
            "milliseconds": spread([1e3 * s for s in times]),
            "times_eager": spread([e / s for e, s in zip(eager, times, strict=True)]),
        }
        if contestant.name in OURS and contestant.name not in (*HALF, *WHOLE):
            found[contestant.name]["share_of_peak"] = spread([work / s / peak for s in times])
    best = max(found[name]["times_eager"]["median"] for name in counted if name in found)
    print(f"\n{network} {size}x{size}, batch {batch}: best {best:.2f} times eager", end="")
    print(f" (must {must}, aim {aim})" if must else "")
    for name, row in found.items():
        share = f"{100 * row['share_of_peak']['median']:4.0f}%" if "share_of_peak" in row else ""
        ms, times = row["milliseconds"], row["times_eager"]
        spent = f"{ms['median']:.1f} ({ms['min']:.1f} to {ms['max']:.1f})"
        print(f"| `{name}` | {spent} | {times['median']:.2f} | {share} |")
    sys.stdout.flush()
    return {
        "network": network,
        "size": size,
        "batch": batch,
        "must": must,
        "aim": aim,
        "best": best,
        "short": must is not None and best < must,
        "contestants": found,
        "facts": {contestant.name: contestant.facts for contestant in contestants},
    }


def first_time(contestant: Contestant) -> float:
    """Seconds of one answer; kept as a round of its own, which no ratio uses."""
    contestant.answer(1)
    return contestant.seconds[0][0]


def cold_start(rounds: int) -> dict[str, dict[str, float]]:
    """Seconds of fresh processes: the import, `--help`, and the first prediction with an exported model."""
    from pixelwise.loading import load

    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.onnx"
        load(ROOT / "models" / "pets.safetensors").export(model)
        program = (
            "import sys, numpy, pixelwise\n"
            "pixelwise.load(sys.argv[1]).predict(numpy.zeros((300, 400, 3), numpy.uint8))"
        )
        commands = {
            "python alone": [sys.executable, "-c", "pass"],
            "import pixelwise": [sys.executable, "-c", "import pixelwise"],
            "pixelwise --help": [sys.executable, "-m", "pixelwise", "--help"],
            "first prediction, exported": [sys.executable, "-c", program, str(model)],
            "first prediction, model file": [
                *(sys.executable, "-c", program, str(ROOT / "models" / "pets.safetensors"))
            ],
        }
        taken: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(rounds):
            for name, command in commands.items():
                begin = time.perf_counter()
                subprocess.run(command, check=True, capture_output=True)
                taken[name].append(time.perf_counter() - begin)
    return {name: spread(seconds) for name, seconds in taken.items()}


def print_start(start: dict[str, dict[str, float]]) -> None:
    """As lines."""
    print()
    for name, seconds in start.items():
        print(f"{name}: {seconds['median']:.2f} s ({seconds['min']:.2f} to {seconds['max']:.2f})")


def whole_path(folder: str, model: str, count: int) -> dict[str, Any]:
    """`pixelwise predict` of many photos beside the network alone, for the fastest backend."""
    photos = sorted(Path(folder).glob("*.jpg"))
    photos = [photos[i % len(photos)] for i in range(count)]
    import numpy as np

    from pixelwise.loading import load

    rows: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as place:
        source = Path(place) / "photos"
        source.mkdir()
        for number, photo in enumerate(photos):
            (source / f"{number:05d}.jpg").symlink_to(photo.resolve())
        command = [sys.executable, "-m", "pixelwise", "predict", model, str(source), "--backend", "openvino"]
        command += ["--no-overlays", "--out", str(Path(place) / "out"), "--json"]
        few = Path(place) / "few"
        few.mkdir()
        (few / "0.jpg").symlink_to(photos[0].resolve())
        start_command = [str(few) if word == str(source) else word for word in command]
        segmenter = load(model, backend="openvino")
        images = np.zeros((8, *segmenter.header.size_policy.size, 3), np.uint8)
        for _ in range(3):
            seconds = []
            for words in (start_command, command):
                begin = time.perf_counter()
                subprocess.run(words, check=True, capture_output=True)
                seconds.append(time.perf_counter() - begin)
            begin = time.perf_counter()
            for _ in range(count // 8):
                segmenter.predictor.backend.logits(images)
            network = time.perf_counter() - begin
            rows.append({"start": seconds[0], "whole": seconds[1], "network": network})
    more = [(row["whole"] - row["start"]) / row["network"] - 1 for row in rows]
    print(f"\n{count} photos: {100 * median(more):.0f}% more than the network alone", rows)
    return {"photos": count, "runs": rows, "more_than_network": spread(more), "must": 0.25, "aim": 0.1}


if __name__ == "__main__":
    main()
