"""What choose.md's plot and table are made of: results of accuracy.py, latency.py and recipes, joined."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

WAYS = {
    "torch": "PyTorch, float32",
    "openvino": "OpenVINO, float32",
    "openvino-int8": "OpenVINO, 8-bit numbers",
}

Kind = Literal["pretrained", "drawn", "seen", "recipe"]
"""How a network came to its accuracy."""

_IOU_OF = "IoU of "
"""What a class's figure is called in a recipe's result."""


@dataclass(frozen=True)
class Point:
    """A network in the plot.

    Attributes:
        name: Its label.
        milliseconds: A picture takes.
        miou: In percent.
        low: Lower end of its 95% interval.
        high: And the upper one.
        kind: How it came about.
    """

    name: str
    milliseconds: float
    miou: float
    low: float
    high: float
    kind: Kind


def recipe_row(path: Path) -> dict[str, Any]:
    """A recipe's result as a row of accuracy.py's."""
    result = json.loads(path.read_text())
    run = result["runs"][0]
    settings, figures = run["settings"], run["figures"]
    ious = {name: figure["value"] for name, figure in figures.items()}
    return {
        "name": f"recipe {result['recipe']}",
        "network": settings["model"],
        "arguments": settings["model_args"],
        "weights": "recipe",
        "miou": result["value"],
        "interval": result["interval"],
        "iou": {name.removeprefix(_IOU_OF): iou for name, iou in ious.items() if name.startswith(_IOU_OF)},
        "steps": run["steps"],
    }


def table(accuracy: list[dict[str, Any]], latency: list[dict[str, Any]], thin: str) -> list[str]:
    """Lines of Markdown: every network with its accuracy and its times, the most accurate first."""
    lines = [
        f"| network | begins with | steps | mIoU, % | IoU of {thin} | ms, {' | ms, '.join(WAYS.values())} |",
        "|---" * (5 + len(WAYS)) + "|",
    ]
    for row in sorted(accuracy, key=lambda row: -row["miou"]):
        low, high = (100 * end for end in row["interval"])
        times = milliseconds_of(row, latency)
        cells = [
            row["name"],
            row["weights"],
            f"{row['steps']:,}",
            f"{100 * row['miou']:.1f} ({low:.1f} to {high:.1f})",
            f"{100 * row['iou'][thin]:.1f}",
            *(f"{times[way]:.3g}" if way in times else "" for way in WAYS),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def milliseconds_of(row: dict[str, Any], latency: list[dict[str, Any]]) -> dict[str, float]:
    """By the way, a network's median time in the second result; nothing where it is not in it."""
    for other in latency:
        if (other["network"], other["arguments"]) == (row["network"], row["arguments"]):
            return {way: found["median"] for way, found in other["milliseconds"].items()}
    return {}


def join(accuracy: list[dict[str, Any]], latency: list[dict[str, Any]], way: str) -> list[Point]:
    """The networks of the first result with the times of the second, by network and arguments.

    Raises:
        SystemExit: One has no time that way, or no interval.
    """
    times = [milliseconds_of(row, latency) for row in accuracy]
    missing = [row["name"] for row, found in zip(accuracy, times, strict=True) if way not in found]
    if missing:
        raise SystemExit(
            f"no time in {way} for {', '.join(missing)}: run benchmarks/latency.py --also with these files"
        )
    return [
        Point(
            row["name"],
            found[way],
            100 * row["miou"],
            *(100 * end for end in row["interval"]),
            kind=kind_of(row["weights"]),
        )
        for row, found in zip(accuracy, times, strict=True)
    ]


def kind_of(weights: str) -> Kind:
    """By the weights that a row says it began with."""
    kinds: dict[str, Kind] = {"ImageNet": "pretrained", "drawn": "drawn", "recipe": "recipe"}
    return "seen" if weights.startswith("encoder of ") else kinds[weights]


def front(points: Sequence[Point]) -> list[Point]:
    """Those with equal work that no other is both faster and more accurate than, fastest first."""
    best: list[Point] = []
    alike = [p for p in points if p.kind in ("pretrained", "drawn")]
    for point in sorted(alike, key=lambda p: (p.milliseconds, -p.miou)):
        if not best or point.miou > best[-1].miou:
            best.append(point)
    return best


def steps(best: Sequence[Point], *, until: float) -> list[tuple[float, float]]:
    """Corners of the front: what accuracy there is for a time."""
    ends = [*(p.milliseconds for p in best[1:]), until]
    return [(time, p.miou) for p, end in zip(best, ends, strict=True) for time in (p.milliseconds, end)]
