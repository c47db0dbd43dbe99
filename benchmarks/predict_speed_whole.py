"""What stands around the network in a whole prediction: the start of a process, and files read and written.

Used by `predict_speed.py`. Knows none of its contestants.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from machine import ROOT, spread

MUST, AIM = 0.25, 0.1
"""How much longer than the network alone the way from JPEG to PNG may take, and should."""


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
    return {"photos": count, "runs": rows, "more_than_network": spread(more), "must": MUST, "aim": AIM}
