"""How many pictures a second does our own training step manage, of every network?

The part of `train_speed.py` behind `--networks`. Each network has a process of its own, one after the other,
since the larger ones fill the memory:

    python train_speed_networks.py NETWORK SIZE BATCH ROUNDS

In each round the peak of fat convolutions is measured, in the numbers that are computed in, and then a few
steps, so that a machine that slows down slows both; shares of the peak are taken within a round.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

from machine import command, spread, write_result
from network import CLASSES, Network, ours, peak_memory, time_of, timed

BATCH = 8
"""Pictures a step, unless given: fewer than in the comparison with Keras, for the largest networks' sake."""

LEAST_SECONDS, MOST_STEPS = 2.0, 20
"""Of a round."""

# Written before the measurement.
EXPECTED = (
    "By what is computed, 35 to 50% of the peak in float32: the forward pass of fat convolutions (segnet, "
    "fcn, unet) comes near it, but the gradients of their kernels do not, and networks of depthwise "
    "convolutions (deeplabv3plus least of all) are bound by memory. By the published graph unet-xception "
    "counts for more than half as much again, being rewritten most. In bfloat16, whose peak is far "
    "higher, less than half of these shares."
)

WHAT = (
    "multiply-adds a second of training / of the fastest of a few fat 3x3 convolutions, forward only, in the "
    "same numbers and round; a step counts as three times the forward pass. Of the published graph it says "
    "what the network's own work is worth; of the rewritten graph, what is computed"
)

HEADER = """
| network | images/s | of the peak, computed | of the peak, published | GiB |
|---|---|---|---|---|
"""


def measure_all(names: list[str], *, size: int, batch: int, rounds: int) -> list[dict[str, Any]]:
    """A row for each network, printed as Markdown as it comes."""
    rows = []
    print(
        "| network | images/s | of the peak, computed | of the peak, published | GiB |\n|---|---|---|---|---|"
    )
    for name in names:
        words = [sys.executable, str(Path(__file__).resolve()), name, str(size), str(batch), str(rounds)]
        done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(line(rows[-1]), flush=True)
    return rows


def measure(name: str, size: int, batch: int, rounds: int) -> dict[str, Any]:
    """One network in this process."""
    network = Network(ours(name), size=size, batch=batch)
    first = timed(network.train, 1)[0]
    steps = max(1, min(MOST_STEPS, round(LEAST_SECONDS / first)))
    peaks, rates = [], []
    for _ in range(rounds):
        peaks.append(network.peak())
        rates.append(batch / median(time_of(network.train) for _ in range(steps)))
    work = {
        f"{graph}_graph": 3 * network.multiply_adds(published=graph == "published")
        for graph in ("published", "rewritten")
    }
    shares = {
        f"by_{graph}": spread([rate * macs / peak for rate, peak in zip(rates, peaks, strict=True)])
        for graph, macs in work.items()
    }
    return {
        "name": name,
        "parameters": network.parameters(),
        "steps_a_round": steps,
        "images_per_second": spread(rates),
        "multiply_adds_per_image_and_step": work,
        "share_of_peak": shares,
        "peak_gmacs_per_second": spread([peak / 1e9 for peak in peaks]),
        "peak_memory_mib": peak_memory(),
        **network.facts,
    }


def line(row: dict[str, Any]) -> str:
    """A row of the table, as Markdown."""
    images = row["images_per_second"]
    shares = [row["share_of_peak"][f"by_{graph}_graph"]["median"] for graph in ("rewritten", "published")]
    cells = [
        f"`{row['name']}`",
        f"{images['median']:.2f} ({images['min']:.2f} to {images['max']:.2f})",
        *(f"{share:.0%}" for share in shares),
        f"{row['peak_memory_mib'] / 1024:.1f}",
    ]
    return "| " + " | ".join(cells) + " |"


def write(rows: list[dict[str, Any]], *, size: int, batch: int, out: Path | None) -> None:
    """The JSON: `results/train_speed-networks-DATE.json`, or `out`."""
    write_result(
        "train_speed-networks",
        out=out,
        question="How many pictures a second does our own training step manage, of every network?",
        command=command(),
        expected=EXPECTED,
        size=size,
        batch=batch,
        classes=CLASSES,
        share_of_peak_is=WHAT,
        networks=rows,
    )


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], *map(int, sys.argv[2:5]))))
