"""How many pictures a second does training manage, beside Keras on TensorFlow and a plain port?

unet-xception, 32 pictures of 160x160, forward, cross-entropy, backward and RMSprop, on the processor. Each
contestant lives in a process of its own and they take turns (A B C D A B C D ...), so that a machine that
slows down slows all of them down; the others sleep meanwhile. Ratios are taken within a round.

    python benchmarks/train_speed.py --keras-python PATH_TO_A_PYTHON_WITH_TENSORFLOW
    python benchmarks/train_speed.py --networks all    # or their names: our own steps of every network
    python benchmarks/train_speed.py --quick        # two small rounds without Keras: does the script work?

The result is written to `benchmarks/results/train_speed-DATE.json` by this script only, with `--networks` to
`train_speed-networks-DATE.json` (`train_speed_networks.py`). Exit code 1: a ratio falls short of what is
required.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

import train_speed_networks
from machine import command, commit, hardware, spread

from pixelwise.models import MODELS, build_model
from pixelwise.models.summary import multiply_adds

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

# Written before the measurement: what the ratio of images a second must be, and what we expect it to be.
EXPECTED = {
    "keras-float32": {"required": 3.0, "expected": "about 3.5"},
    "keras-bfloat16": {
        "required": 2.0,
        "expected": "far above 2 where the processor has no bfloat16 instructions: TensorFlow emulates them",
    },
}

# Steps a round, and to warm up. Emulated bfloat16 takes most of a minute a step.
STEPS = {"ours": (3, 3), "plain": (1, 2), "keras-float32": (1, 2), "keras-bfloat16": (1, 1), "smp": (1, 2)}
PEAK = (1, 1)

Round = dict[str, dict[str, Any]]


class Contestant:
    """A process that trains when it is told to."""

    def __init__(self, name: str, python: str, *, count: int, size: int) -> None:
        self.name = name
        self.steps, warm_up = STEPS.get(name, PEAK)
        words = [
            python,
            str(HERE / "train_speed_contestants.py"),
            name,
            str(count),
            str(size),
            str(warm_up),
        ]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.facts = self._answer()

    def train(self) -> dict[str, Any]:
        """One turn: seconds of each step, the last loss, the most memory so far."""
        if self.process.stdin is None:
            raise RuntimeError("the contestant has no standard input")
        self.process.stdin.write(f"{self.steps}\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self.process.stdout.readline() if self.process.stdout is not None else ""
        if not line:
            sys.exit(f"{self.name} ended with code {self.process.wait()}; its last words are above")
        return json.loads(line)

    def close(self) -> None:
        """End of its input is the end of it."""
        self.process.communicate(timeout=60)


def evaluate(rounds: list[Round], count: int, size: int) -> dict[str, Any]:
    """Images a second, ratios within a round, and the share of the peak."""
    rates = {
        name: [count / median(turn[name]["seconds"]) for turn in rounds]
        for name in rounds[0]
        if name != "peak"
    }
    results: dict[str, Any] = {
        "images_per_second": {name: spread(values) for name, values in rates.items()},
        "seconds_per_step": {name: spread([count / v for v in values]) for name, values in rates.items()},
        "peak_memory_mib": {name: rounds[-1][name]["peak_memory_mib"] for name in rates},
        "ratio_of_ours_to": {
            name: spread([mine / theirs for mine, theirs in zip(rates["ours"], values, strict=True)])
            for name, values in rates.items()
            if name != "ours"
        },
    }
    network = build_model("unet-xception", num_classes=3)
    peaks = [turn["peak"]["loss"] for turn in rounds]
    work = {
        f"{graph}_graph": 3 * multiply_adds(network, (size, size), published=graph == "published")
        for graph in ("published", "rewritten")
    }
    results["share_of_peak"] = {
        "what": "multiply-adds a second of training / of the fastest of a few fat 3x3 float32 convolutions, "
        "forward only, in the same run; a step counts as three times the forward pass. Of the published "
        "graph it says what the network's own work is worth; of the rewritten graph, what ours computes",
        "peak_gmacs_per_second": spread([p / 1e9 for p in peaks]),
        "multiply_adds_per_image_and_step": work,
        **{
            f"{name}_by_{graph}": spread([r * macs / p for r, p in zip(rates[name], peaks, strict=True)])
            for graph, macs in work.items()
            for name in rates
            if name != "smp" and (name == "ours" or graph == "published_graph")
        },
    }
    return results


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--keras-python", help="an interpreter with Keras and TensorFlow")
    parser.add_argument("--smp-python", help="an interpreter with segmentation_models.pytorch")
    parser.add_argument(
        "--networks", nargs="+", metavar="NAME", help="our own steps of these networks alone, or of all"
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch", type=int, help=f"32; with --networks {train_speed_networks.BATCH}")
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--quick", action="store_true", help="two rounds of 2 pictures of 64x64")
    parser.add_argument("--out", type=Path, help="the JSON; with --quick there is none unless named")
    options = parser.parse_args()
    if options.networks == ["all"]:
        options.networks = list(MODELS)
    unknown = [name for name in options.networks or () if name not in MODELS]
    if unknown:
        parser.error(f"--networks: {unknown[0]!r} is none of {', '.join(MODELS)}, and not all")
    if options.networks and (options.keras_python or options.smp_python):
        parser.error("--networks measures our own steps alone: leave --keras-python and --smp-python out")
    if options.batch is None:
        options.batch = train_speed_networks.BATCH if options.networks else 32
    if options.quick:
        options.rounds, options.batch, options.size = 2, 2, 64
    elif options.out is None and not options.networks:
        options.out = HERE / "results" / f"train_speed-{datetime.date.today()}.json"
    return options


def of_networks(options: argparse.Namespace) -> int:
    """Our own steps of each network; nothing is required of them."""
    measured = {"size": options.size, "batch": options.batch}
    rows = train_speed_networks.measure_all(options.networks, **measured, rounds=options.rounds)
    if options.out or not options.quick:
        train_speed_networks.write(rows, **measured, out=options.out)
    return 0


def main() -> int:
    """Measures, prints, writes."""
    options = parse()
    if options.networks:
        return of_networks(options)
    pythons = {"ours": sys.executable, "plain": sys.executable}
    if options.keras_python:
        pythons |= {"keras-float32": options.keras_python, "keras-bfloat16": options.keras_python}
    if options.smp_python:
        pythons["smp"] = options.smp_python
    pythons["peak"] = sys.executable
    contestants = []
    for name, python in pythons.items():
        print(f"warming up {name}", flush=True)
        contestants.append(Contestant(name, python, count=options.batch, size=options.size))
    rounds: list[Round] = []
    for i in range(options.rounds):
        rounds.append({c.name: c.train() for c in contestants})
        seconds = {name: median(turn["seconds"]) for name, turn in rounds[-1].items() if name != "peak"}
        print(f"round {i + 1}:", ", ".join(f"{n} {s:.2f} s/step" for n, s in seconds.items()), flush=True)
    for contestant in contestants:
        contestant.close()

    results = evaluate(rounds, options.batch, options.size)
    met = {
        name: results["ratio_of_ours_to"][name]["median"] >= EXPECTED[name]["required"]
        for name in EXPECTED
        if name in pythons and not options.quick  # tiny maps are another question
    }
    report = {
        "question": __doc__.splitlines()[0] if __doc__ else "",
        "date": str(datetime.date.today()),
        "command": command(),
        **commit(),
        "hardware": hardware(),
        "load_average_at_the_end": os.getloadavg(),
        "batch": options.batch,
        "size": options.size,
        "versions": {c.name: c.facts for c in contestants},
        "expected": EXPECTED,
        "met": met,
        **results,
        "rounds": rounds,
    }
    text = json.dumps(report, indent=1)
    print(json.dumps({key: report[key] for key in ("met", *results)}, indent=1))
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text + "\n")
        print(f"wrote {options.out}")
    return 0 if all(met.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
