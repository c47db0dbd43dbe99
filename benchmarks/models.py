"""What does each network cost, and how much of the machine does it use? And the nearest ones of others?

For every network of `pixelwise models`, and some over encoders that people pick (`models_cases.py`):
parameters, multiply-adds, pictures a second in training and prediction at a common size, peak memory of the
process, and the share of the measured convolution peak. With `--peers-python` the same of the nearest
networks of segmentation_models.pytorch and torchvision, set up alike (`models_contestants.py`). Each network
has a process of its own. A network and its peers take turns, and the peak is measured in every round.

    python benchmarks/models.py --peers-python PYTHON      # 12 to 15 minutes on two cores
    python benchmarks/models.py --only "unet,unet on resnet18" --out FILE
    python benchmarks/models.py --quick                    # does the script work? Small pictures, no JSON

A turn is filled by time and has one step at least, so a slow network is measured by fewer steps. One that
fails is told, has a row that says so, and makes the exit code 1. Writes
`benchmarks/results/models-DATE.json`, or `--out`, and prints the table that `benchmarks/README.md` shows.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from statistics import median
from typing import Any

from contestant import Contestant, EndedEarly
from machine import command, spread, write_result
from models_cases import Case, all_cases, chosen, result_name
from network import CLASSES

HERE = Path(__file__).resolve().parent
TURN = {"predict": 0.5, "train": 1.5}
"""Seconds, at least."""

# Written before the measurement.
EXPECTED = (
    "Networks of 3x3 convolutions on many channels (segnet, fcn, unet, upernet) come near the convolution "
    "peak; those of depthwise convolutions (deeplabv3plus, unet-xception, lraspp) stay far below it, being "
    "bound by memory, and so does attention (segformer). Training costs four to six predictions. Beside "
    "segmentation_models.pytorch, whose decoders are narrower (unet on resnet18 has half the multiply-adds), "
    "ours is slower by about what it computes more, and segformer predicts faster by what it computes less "
    "than it publishes; lraspp is torchvision's own, and as fast."
)

WHAT = (
    "multiply-adds a second / those of the fastest of a few fat 3x3 convolutions, forward only, in the same "
    "numbers and round; a training step counts as three predictions; by what is computed, which may be less "
    "than the published graph"
)

COLUMNS = (
    *("network", "parameters", "multiply-adds", "trained a second", "predicted a second"),
    *("of the peak, training", "of the peak, predicting", "GiB predicting", "GiB training"),
)


def main() -> None:
    """Measures all networks and writes the result."""
    options = parse()
    rounds = 1 if options.quick else options.rounds
    cases = chosen(options.only, all_cases())
    peak = Contestant("peak", [sys.executable, str(HERE / "models_contestants.py"), "peak"])
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}", flush=True)
    rows: list[dict[str, Any]] = []
    for name, case in cases.items():
        group = Group(name, case, options)
        rows += group.measure(rounds, peak, dict.fromkeys(TURN, 0.0) if options.quick else TURN)
    peak.close()
    failed = [row for row in rows if "failed" in row]
    if not options.quick:
        write_result(
            result_name("models", options.only),
            out=options.out,
            question=(__doc__ or "").partition("\n")[0],
            command=command(),
            expected=EXPECTED,
            size=options.size,
            batch=options.batch,
            classes=CLASSES,
            rounds=rounds,
            share_of_peak_is=WHAT,
            networks=rows,
        )
    print("\n".join(f"failed: {row['failed']}" for row in failed) or "no network failed")
    sys.exit(1 if failed else 0)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--size", type=int, default=224, help="height and width of the pictures")
    parser.add_argument("--batch", type=int, default=4, help="pictures a step")
    parser.add_argument("--rounds", type=int, default=2, help="turns of each network")
    parser.add_argument("--peers-python", help="a Python with segmentation_models.pytorch and torchvision")
    parser.add_argument("--only", default="", metavar="NAME[,NAME]", help="these networks, and their peers")
    parser.add_argument("--out", type=Path, help="where the JSON goes")
    parser.add_argument("--quick", action="store_true", help="one step each on pictures of 64x64")
    options = parser.parse_args()
    if options.quick:
        options.size, options.batch = 64, 2
    return options


class Group:
    """A network of ours and its peers, alive at once.

    Whoever ends early is out of it, with a row that says why; the others go on.
    """

    def __init__(self, name: str, case: Case, options: argparse.Namespace) -> None:
        self._rows: dict[str, dict[str, Any]] = {
            name: {"name": name, "network": case.network, "arguments": case.arguments}
        }
        words = {name: [sys.executable, case.network, *case.arguments]}
        if options.peers_python:
            self._rows |= {peer: {"name": peer, "beside": name} for peer in case.peers}
            words |= {peer: [options.peers_python, peer] for peer in case.peers}
        self._batch: int = options.batch
        self._alive: dict[str, Contestant] = {}
        script, numbers = str(HERE / "models_contestants.py"), [str(options.size), str(options.batch)]
        for who, (python, network, *arguments) in words.items():
            try:
                self._alive[who] = Contestant(who, [python, script, network, *numbers, *arguments])
            except EndedEarly as end:
                self._rows[who]["failed"] = str(end)

    def measure(self, rounds: int, peak: Contestant, turn: dict[str, float]) -> list[dict[str, Any]]:
        """Rows of the JSON, printed too; ends all processes."""
        peaks: list[float] = []
        rates: dict[str, dict[str, list[float]]] = {who: {kind: [] for kind in turn} for who in self._alive}
        for _ in range(rounds):
            peaks += peak.ask("measure")
            for kind, least in turn.items():
                for who, contestant in list(self._alive.items()):
                    try:
                        rates[who][kind].append(self._batch / median(contestant.ask(f"{kind} {least}")))
                    except EndedEarly as end:
                        self._rows[who]["failed"] = str(end)
                        del self._alive[who]
        for who, contestant in self._alive.items():
            self._rows[who] |= self._found(contestant, rates[who], peaks)
            contestant.close()
        rows = list(self._rows.values())
        print("\n".join(map(line, rows)), flush=True)
        return rows

    def _found(
        self, contestant: Contestant, rates: dict[str, list[float]], peaks: list[float]
    ) -> dict[str, Any]:
        computed = contestant.facts["multiply_adds_computed"]
        shares = {
            kind: [times * computed * rate / peak for rate, peak in zip(rates[kind], peaks, strict=True)]
            for kind, times in (("predict", 1), ("train", 3))
        }
        steps = {"predict": 0, "train": 0}
        for answer, kind in zip(contestant.answers, list(steps) * len(peaks), strict=True):
            steps[kind] += len(answer)
        return {
            **contestant.facts,
            "steps": steps,
            "predicted_per_second": spread(rates["predict"]),
            "trained_per_second": spread(rates["train"]),
            "share_of_peak_predicting": spread(shares["predict"]),
            "share_of_peak_training": spread(shares["train"]),
            "peak_gmacs_per_second": spread([peak / 1e9 for peak in peaks]),
        }


def line(row: dict[str, Any]) -> str:
    """A row of the table, as Markdown; peers stand indented under ours."""
    name = f"— {row['name']}" if "beside" in row else f"`{row['name']}`"
    if "failed" in row:
        return f"| {name} | failed |" + " |" * (len(COLUMNS) - 2)
    cells = [
        name,
        f"{row['parameters'] / 1e6:.2f} M",
        f"{row['multiply_adds'] / 1e9:.2f} G",
        *(rate(row[f"{kind}_per_second"]) for kind in ("trained", "predicted")),
        *(f"{row[f'share_of_peak_{kind}']['median']:.0%}" for kind in ("training", "predicting")),
        *(f"{row['memory_mib'][kind] / 1024:.1f}" for kind in ("predicting", "training")),
    ]
    return f"| {' | '.join(cells)} |"


def rate(found: dict[str, float]) -> str:
    """Median, and least to most."""
    return f"{found['median']:.3g} ({found['min']:.3g} to {found['max']:.3g})"


if __name__ == "__main__":
    main()
