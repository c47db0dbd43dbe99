"""How long does an answer take, in each backend, beside eager PyTorch and the peers?

Each contestant lives in a process of its own with all cores, and they take turns (A B C A B C ...) while the
others sleep, so that a machine that slows down slows all of them; ratios are taken within a round. Then: how
long a cold start takes, and what reading and writing add to a whole `pixelwise predict`.

    python benchmarks/predict_speed.py --photos FOLDER [--peers-python PYTHON] [--keras-python PYTHON]
    python benchmarks/predict_speed.py --only mobilenet-segnet,deeplabv3plus     # a part, on a slow machine
    python benchmarks/predict_speed.py --quick     # does the script work? No JSON

The machine's peak is a contestant too: in each round `peaks.py` measures the multiply-adds a second of fat
3x3 convolutions through OpenVINO (and torch), in float32, in bfloat16 where the processor multiplies it, and
in 8-bit numbers as pixelwise quantises. What a backend of ours computes, in multiply-adds of the rewritten
graph, is shown as a share of the peak of its own numbers; layers of a quantised network that stay in float
are held against the 8-bit peak as well.

Writes `benchmarks/results/predict_speed-DATE.json`, with `--only` the networks' names before the date. Exit
code 1: something falls short of what is required, and the last lines say what. Required are so many times
the speed of eager PyTorch, twice that of segmentation_models.pytorch's DeepLabV3+ where `--peers-python` is
given, and at most 25% beyond the network from JPEG to PNG where `--photos` is (`predict_speed_cases.py`).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from statistics import median
from typing import Any

import torch
from contestant import Contestant
from machine import ROOT, command, spread, write_result
from predict_speed_cases import AT_416, CASES, EXPECTED, HALF, KERAS, OURS, Case, kind, shortfalls, title
from predict_speed_contestants import CLASSES
from predict_speed_whole import cold_start, print_start, whole_path

from pixelwise.models import build_model
from pixelwise.models.summary import multiply_adds
from pixelwise.torch_runtime import choose_precision

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Measures everything and prints tables."""
    options = parse()
    rounds = 1 if options.quick else options.rounds
    cases = [case for case in CASES if not options.only or case.network in options.only]
    cases = cases[:1] if options.quick else cases
    pythons = dict.fromkeys(KERAS, options.keras_python) | dict.fromkeys(AT_416, options.peers_python)
    peak = Contestant("peak", [sys.executable, str(HERE / "peaks.py")])
    rows = [measure(case, pythons, rounds, peak) for case in cases]
    peak.close()
    start = cold_start(1 if options.quick else 5)
    print_start(start)
    path = (
        whole_path(options.photos, options.model, 64 if options.quick else 1000) if options.photos else None
    )
    if options.quick:
        return
    short = shortfalls(rows, path)
    write_result(
        "-".join(["predict_speed", *options.only]),
        question=__doc__.splitlines()[0],
        command=command(),
        expected=EXPECTED,
        peak_gmacs_per_second=in_giga(peak.answers),
        peak_facts=peak.facts,
        cases=rows,
        cold_start_seconds=start,
        jpeg_to_png=path,
        short=short,
    )
    print("\n".join(f"short: {one}" for one in short) or "nothing is short of what is required")
    sys.exit(1 if short else 0)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--photos", help="a folder of JPEGs for the whole path from JPEG to PNG")
    parser.add_argument("--model", default=str(ROOT / "models" / "pets.safetensors"), help="predicts them")
    parser.add_argument("--peers-python", help="a Python with segmentation_models.pytorch and torchvision")
    parser.add_argument("--keras-python", help="a Python with Keras and TensorFlow")
    parser.add_argument(
        "--only", type=networks, default=[], metavar="NETWORK[,NETWORK]", help="these cases alone"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one round of the first case")
    return parser.parse_args()


def networks(text: str) -> list[str]:
    """Names with commas between them."""
    names = text.split(",")
    for name in names:
        if name not in CLASSES:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(CLASSES)}")
    return names


def measure(case: Case, pythons: dict[str, str | None], rounds: int, peak: Contestant) -> dict[str, Any]:
    """One network at one size and batch: the JSON's row, printed too."""
    half, _ = choose_precision(torch.device("cpu"))
    names = [(n, sys.executable) for n in OURS if n not in HALF or half == torch.bfloat16]
    names += [(name, python) for name in case.peers if (python := pythons[name]) is not None]
    script, words = str(HERE / "predict_speed_contestants.py"), (str(case.size), str(case.batch))
    contestants = [Contestant(name, [python, script, name, case.network, *words]) for name, python in names]
    count = max(1, min(20, round(2.0 / contestants[0].ask("1")[0])))
    seconds: dict[str, list[float]] = {contestant.name: [] for contestant in contestants}
    peaks: list[dict[str, float]] = []
    for _ in range(rounds):
        peaks.append(peak.ask("measure"))
        for contestant in contestants:
            seconds[contestant.name].append(median(contestant.ask(str(count))))
    for contestant in contestants:
        contestant.close()
    network = build_model(case.network, num_classes=CLASSES[case.network])
    work = multiply_adds(network, (case.size, case.size), published=False) * case.batch
    found = {}
    for name, times in seconds.items():
        found[name] = {
            "milliseconds": spread([1e3 * s for s in times]),
            "times_eager": ratios(seconds["eager"], times),
        }
        if name in OURS:
            highest = [rates[kind(name)] for rates in peaks]
            shares = [work / s / most for s, most in zip(times, highest, strict=True)]
            found[name] |= {"share_of_peak": spread(shares), "peak_of": kind(name)}
    best = max((name for name in case.counted if name in found), key=lambda n: times_eager(found[n]))
    row = {
        "network": case.network,
        "size": case.size,
        "batch": case.batch,
        "must": case.must,
        "aim": case.aim,
        "best": times_eager(found[best]),
        "best_is": best,
        "best_beside": {
            name: ratios(times, seconds[best]) for name, times in seconds.items() if name not in OURS
        },
        "peak_gmacs_per_second": in_giga(peaks),
        "contestants": found,
        "facts": {contestant.name: contestant.facts for contestant in contestants},
    }
    print_case(row)
    return row


def ratios(slower: list[float], faster: list[float]) -> dict[str, float]:
    """How many times as fast, within each round."""
    return spread([a / b for a, b in zip(slower, faster, strict=True)])


def times_eager(row: dict[str, Any]) -> float:
    """A contestant's median."""
    return row["times_eager"]["median"]


def in_giga(peaks: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Spreads over the rounds."""
    return {numbers: spread([rates[numbers] / 1e9 for rates in peaks]) for numbers in peaks[0]}


def print_case(row: dict[str, Any]) -> None:
    """As Markdown."""
    print(f"\n{title(row)}: {row['best_is']} {row['best']:.2f} times eager", end="")
    print(f" (must {row['must']}, aim {row['aim']})" if row["must"] else "")
    for name, found in row["contestants"].items():
        share = ""
        if "share_of_peak" in found:
            share = f"{100 * found['share_of_peak']['median']:.0f}% of {found['peak_of']}"
        ms = found["milliseconds"]
        spent = f"{ms['median']:.1f} ({ms['min']:.1f} to {ms['max']:.1f})"
        print(f"| `{name}` | {spent} | {times_eager(found):.2f} | {share} |")
    for name, times in row["best_beside"].items():
        print(f"{times['median']:.2f} times as fast ({times['min']:.2f} to {times['max']:.2f}) as {name}")
    peaks = row["peak_gmacs_per_second"]
    print("peak:", ", ".join(f"{numbers} {rate['median']:.0f} G/s" for numbers, rate in peaks.items()))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
