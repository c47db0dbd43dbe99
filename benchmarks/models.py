"""What does each network cost, and how much of the machine does it use?

For all networks that can be built: parameters, multiply-adds, pictures a second in training and prediction at
a common size, peak memory of the process, and the share of the measured convolution peak. Each network has a
process of its own, one after the other, as `pixelwise train` and `predict` set it up (channels_last, kept
blocks, float32 or bfloat16 as the hardware has it); the peak of the same numbers is measured in the same
process, before and after.

    python benchmarks/models.py                 # 10 minutes on two cores
    python benchmarks/models.py --quick         # does the script work? No JSON

Writes `benchmarks/results/models-DATE.json` and prints the table that `benchmarks/README.md` shows.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import Any

from machine import command, spread, write_result
from network import CLASSES, Network, peak_memory, timed

# Written before the measurement.
EXPECTED = (
    "Networks of 3x3 convolutions on many channels (segnet, fcn, unet) come near the convolution peak; those "
    "of depthwise convolutions (deeplabv3plus, unet-xception) stay far below it, being bound by memory. "
    "Training costs three to four predictions."
)


def main() -> None:
    """Measures all networks, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=224, help="height and width of the pictures")
    parser.add_argument("--batch", type=int, default=4, help="pictures a step")
    parser.add_argument("--steps", type=int, default=5, help="measured steps and predictions of each network")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.size, arguments.batch, arguments.steps = 64, 2, 1
    if arguments.only:
        print(json.dumps(measure(arguments.only, arguments.size, arguments.batch, arguments.steps)))
        return
    from pixelwise.models import MODELS

    rows = []
    for name in MODELS:
        words = [sys.executable, __file__, "--only", name, "--size", str(arguments.size)]
        words += ["--batch", str(arguments.batch), "--steps", str(arguments.steps)]
        done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(line(rows[-1]), flush=True)
    if arguments.quick:
        return
    write_result(
        "models",
        question="What does each network cost, and how much of the machine does it use?",
        command=command(),
        expected=EXPECTED,
        size=arguments.size,
        batch=arguments.batch,
        classes=CLASSES,
        networks=rows,
    )


def measure(name: str, size: int, count: int, steps: int) -> dict[str, Any]:
    """One network in this process."""
    network = Network(name, size=size, batch=count)
    peaks = [network.peak()]
    predictions = timed(network.predict, steps)
    memory_of_prediction = peak_memory()
    trainings = timed(network.train, steps)
    peaks.append(network.peak())
    work, peak = network.multiply_adds(published=False), max(peaks)
    return {
        "name": name,
        "parameters": network.parameters(),
        "multiply_adds": network.multiply_adds(published=True),
        "multiply_adds_computed": work,
        "predicted_per_second": spread([count / s for s in predictions]),
        "trained_per_second": spread([count / s for s in trainings]),
        "share_of_peak_predicting": spread([work * count / s / peak for s in predictions]),
        "share_of_peak_training": spread([3 * work * count / s / peak for s in trainings]),
        "peak_gmacs_per_second": peak / 1e9,
        "memory_mib": {"after_prediction": memory_of_prediction, "after_training": peak_memory()},
        **network.facts,
    }


def line(row: dict[str, Any]) -> str:
    """A row of the table, as Markdown."""
    cells = [
        f"`{row['name']}`",
        f"{row['parameters'] / 1e6:.2f} M",
        f"{row['multiply_adds'] / 1e9:.2f} G",
        f"{row['trained_per_second']['median']:.2f}",
        f"{row['predicted_per_second']['median']:.2f}",
        f"{100 * row['share_of_peak_training']['median']:.0f}%",
        f"{100 * row['share_of_peak_predicting']['median']:.0f}%",
        f"{row['memory_mib']['after_prediction'] / 1024:.1f}",
        f"{row['memory_mib']['after_training'] / 1024:.1f}",
    ]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
