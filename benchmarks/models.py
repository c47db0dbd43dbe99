"""What does each network cost, and how much of the machine does it use?

For all networks that can be built: parameters, multiply-adds, pictures a second in training and prediction at
a common size, peak memory of the process, and the share of the measured convolution peak. Each network has a
process of its own, one after the other, as `pixelwise train` and `predict` set it up (channels_last, kept
blocks, float32 or bfloat16 as the hardware has it); the peak is measured in the same process, before and
after.

    python benchmarks/models.py                 # 10 minutes on two cores
    python benchmarks/models.py --quick         # does the script work? No JSON

Writes `benchmarks/results/models-DATE.json` and prints the table that `benchmarks/README.md` shows.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from typing import Any

from machine import peak_rate, spread, write_result

CLASSES = 21

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
        command = [sys.executable, __file__, "--only", name, "--size", str(arguments.size)]
        command += ["--batch", str(arguments.batch), "--steps", str(arguments.steps)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(line(rows[-1]), flush=True)
    if arguments.quick:
        return
    write_result(
        "models",
        question="What does each network cost, and how much of the machine does it use?",
        command=f"python benchmarks/models.py --size {arguments.size} --batch {arguments.batch}",
        expected=EXPECTED,
        size=arguments.size,
        batch=arguments.batch,
        classes=CLASSES,
        networks=rows,
    )


def measure(name: str, size: int, count: int, steps: int) -> dict[str, Any]:
    """One network in this process."""
    from pixelwise.torch_runtime import choose_precision, keep_large_blocks

    keep_large_blocks()  # before torch allocates anything
    import torch

    from pixelwise.losses import cross_entropy
    from pixelwise.models import build_model
    from pixelwise.models.summary import count_parameters, multiply_adds
    from pixelwise.training.rmsprop import KerasRMSprop

    precision, why = choose_precision(torch.device("cpu"))
    network = build_model(name, num_classes=CLASSES, seed=0)
    network = network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    optimizer = KerasRMSprop([p for p in network.parameters() if p.requires_grad], lr=1e-4)
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (count, 3, size, size), generator=generator).float()
    pictures = pictures.contiguous(memory_format=torch.channels_last)
    masks = torch.randint(0, CLASSES, (count, size, size), generator=generator).to(torch.uint8)

    def forward() -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
            return network(pictures)

    def predict() -> None:
        with torch.inference_mode():
            forward()

    def train() -> None:
        cross_entropy(forward(), masks).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    peaks = [peak_rate()]
    network.eval()
    predictions = timed(predict, steps)
    memory_of_prediction = peak_memory()
    network.train()
    trainings = timed(train, steps)
    peaks.append(peak_rate())
    work = multiply_adds(network, (size, size), published=False)
    peak = max(peaks)
    return {
        "name": name,
        "parameters": count_parameters(network),
        "multiply_adds": multiply_adds(network, (size, size)),
        "multiply_adds_computed": work,
        "predicted_per_second": spread([count / s for s in predictions]),
        "trained_per_second": spread([count / s for s in trainings]),
        "share_of_peak_predicting": spread([work * count / s / peak for s in predictions]),
        "share_of_peak_training": spread([3 * work * count / s / peak for s in trainings]),
        "peak_gmacs_per_second": peak / 1e9,
        "memory_mib": {"after_prediction": memory_of_prediction, "after_training": peak_memory()},
        "precision": why,
        "torch": torch.__version__,
    }


def timed(step: Any, count: int) -> list[float]:
    """Seconds of each of `count` calls, after one to warm up."""
    step()
    seconds = []
    for _ in range(count):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    return seconds


def peak_memory() -> float:
    """The most memory that this process ever held, in MiB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)  # Linux counts in KiB


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
