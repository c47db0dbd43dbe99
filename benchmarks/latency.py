"""How long does a picture take each network: torch, OpenVINO in float32, and OpenVINO in 8-bit numbers?

One picture of 360x480, as CamVid's are mostly trained and measured, 11 classes, batch 1, all cores. The
networks are those of `models_cases.py`; with `--also` those of results of `accuracy.py` and of recipes too,
whose plot needs them (`docs/guide/draw_choose.py`).

    python benchmarks/latency.py --also benchmarks/results/accuracy-*.json recipes/results/camvid*.json
    python benchmarks/latency.py --only lraspp,pidnet-s --out FILE
    python benchmarks/latency.py --labels --only …                           # to class ids besides
    python benchmarks/latency.py --quick                                     # does the script work? No JSON

Weights, picture and the pictures that 8-bit numbers are calibrated with are drawn: enough for a speed, of no
worth for accuracy. All is set up as in `predict_speed.py`, by the same code; the three processes of a network
take turns, and it is the network alone that is timed: no file is read, no mask written. A way that cannot
compute a network is told, has a row that says so, and makes the exit code 1. Writes
`benchmarks/results/latency-DATE.json`, or `--out`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from contestant import Contestant, EndedEarly
from machine import command, spread, write_result
from models_cases import Case, all_cases, chosen, result_name

from pixelwise.backends.openvino import has_bfloat16

SIZE, CLASSES = (360, 480), 11
WAYS = ("torch", "openvino", "openvino-int8")
"""Contestants of `predict_speed_contestants.py`."""

IN_BFLOAT16 = "openvino-bf16"
"""One more, where the processor multiplies it."""

TURN, MOST = 1.0, 20
"""Seconds of a turn, about, and the most answers in it; one at least."""

# Written before the measurement.
EXPECTED = (
    "OpenVINO in float32 takes two thirds of torch's time, less for networks of many small layers. 8-bit "
    "numbers halve that where layers are fat (segnet, fcn, unet) and gain little where they are depthwise, "
    "or where the processor has no instructions for them. Least time: lraspp, then pidnet-s and segformer-b0."
)


def main() -> None:
    """Measures all and writes the result."""
    options = parse()
    cases = chosen(options.only, with_results(all_cases(), options.also))
    if options.quick:
        cases = dict([next(iter(cases.items()))])
    ways = ways_here(options.labels)
    print(f"| network | {' | '.join(ways)} |\n|{'---|' * (1 + len(ways))}", flush=True)
    rounds = 1 if options.quick else options.rounds
    rows = [measure(name, case, rounds, ways) for name, case in cases.items()]
    if not options.quick:
        write_result(
            result_name("latency", options.only),
            out=options.out,
            question=(__doc__ or "").partition("\n")[0],
            command=command(),
            expected=EXPECTED,
            size=SIZE,
            batch=1,
            classes=CLASSES,
            calibration="drawn pictures: enough for a speed, of no worth for accuracy",
            networks=rows,
        )
    failed = [f"failed: {text}" for row in rows for text in row["failed"].values()]
    print("\n".join(failed) or "nothing failed")
    sys.exit(1 if failed else 0)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0], allow_abbrev=False)
    parser.add_argument(
        "--also",
        type=Path,
        nargs="+",
        default=[],
        help="results of accuracy.py or of recipes: their networks too",
    )
    parser.add_argument("--rounds", type=int, default=3, help="turns of each way")
    parser.add_argument("--labels", action="store_true", help="the time to class ids too")
    parser.add_argument("--only", default="", metavar="NAME[,NAME]", help="these networks")
    parser.add_argument("--out", type=Path, help="where the JSON goes")
    parser.add_argument("--quick", action="store_true", help="one turn of the first network")
    return parser.parse_args()


def ways_here(labels: bool) -> tuple[str, ...]:
    """What this machine can time; with `labels` to class ids too, as `pixelwise predict` decides them."""
    ways = (*WAYS, IN_BFLOAT16) if has_bfloat16() else WAYS
    return ways + tuple(f"{way}-labels" for way in ways) * labels


def with_results(cases: dict[str, Case], paths: Sequence[Path]) -> dict[str, Case]:
    """The cases, and those networks of results of accuracy.py and of recipes that are not among them."""
    known = {(case.network, case.arguments) for case in cases.values()}
    added: dict[str, Case] = {}
    for name, network, arguments in (row for path in paths for row in networks_of(path)):
        if (network, arguments) in known:
            continue
        known.add((network, arguments))
        added[f"{name} ({' '.join(arguments)})" if name in cases else name] = Case(network, arguments)
    return cases | added


def networks_of(path: Path) -> list[tuple[str, str, tuple[str, ...]]]:
    """Name, network and arguments of what a result of accuracy.py or of a recipe measured."""
    result = json.loads(path.read_text())
    if "recipe" in result:
        settings = result["runs"][0]["settings"]
        return [(result["recipe"], settings["model"], tuple(settings["model_args"]))]
    return [(row["name"], row["network"], tuple(row["arguments"])) for row in result["networks"]]


def measure(name: str, case: Case, rounds: int, ways: Sequence[str]) -> dict[str, Any]:
    """One network: the JSON's row, printed too."""
    script = str(Path(__file__).resolve().parent / "predict_speed_contestants.py")
    size = f"{SIZE[0]}x{SIZE[1]}"
    alive: dict[str, tuple[Contestant, int]] = {}
    failed: dict[str, str] = {}
    for way in ways:
        try:
            words = [sys.executable, script, way, case.network, size, "1", str(CLASSES), *case.arguments]
            contestant = Contestant(f"{name}, {way}", words)
            count = max(1, min(MOST, round(TURN / contestant.ask("1")[0])))
            alive[way] = (contestant, count)
        except EndedEarly as end:
            failed[way] = str(end)
    milliseconds: dict[str, list[float]] = {way: [] for way in alive}
    for _ in range(rounds):
        for way, (contestant, count) in list(alive.items()):
            try:
                milliseconds[way].append(1e3 * median(contestant.ask(str(count))))
            except EndedEarly as end:
                failed[way] = str(end)
                del alive[way], milliseconds[way]
    facts: dict[str, Any] = {}
    for contestant, _ in alive.values():
        facts |= contestant.facts
        contestant.close()
    row = {
        "name": name,
        "network": case.network,
        "arguments": case.arguments,
        "ways": ways,
        "milliseconds": {way: spread(times) for way, times in milliseconds.items()},
        "answers_a_round": {way: count for way, (_, count) in alive.items()},
        "versions": facts,
        "failed": failed,
    }
    print(line(row), flush=True)
    return row


def line(row: dict[str, Any]) -> str:
    """As Markdown: median, and least to most."""
    cells = [f"`{row['name']}`"]
    for way in row["ways"]:
        found = row["milliseconds"].get(way)
        cells.append(
            f"{found['median']:.3g} ({found['min']:.3g} to {found['max']:.3g})" if found else "failed"
        )
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
