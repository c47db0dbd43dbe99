"""Draws the plot in choose.md, accuracy on CamVid against the time of a picture, and prints its table.

    python docs/guide/draw_choose.py benchmarks/results/accuracy-camvid-DATE.json \
        benchmarks/results/latency-DATE.json [--recipes recipes/results/camvid*.json] [--way openvino-int8]

A network of both files is a point; one that is only in the first ends the run, because a plot that leaves
networks out says more than it knows. The time's axis is logarithmic, since the networks lie a factor of a
hundred apart; accuracy's is linear and does not begin at zero, so each point has the bar of its 95% interval:
points whose bars overlap are not told apart by this data. The line joins those that no other network beats in
both. All these points had the same work, which the text tells. In grey, and compared by no line, stand what
had more: decoders over an encoder that has been trained on CamVid before, and, as diamonds, recipes.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
from choose_rows import WAYS, Kind, Point, front, join, recipe_row, steps, table
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import Bbox

IMAGES = Path(__file__).resolve().parents[1] / "images"
PRETRAINED, DRAWN, LONGER, FRONT = "#0b6e99", "#c2571a", "#4a4a4a", "#9a9a9a"

MARKS: dict[Kind, tuple[str, str, str]] = {
    "pretrained": (PRETRAINED, "o", "encoder from ImageNet"),
    "drawn": (DRAWN, "o", "from drawn weights"),
    "seen": (LONGER, "o", "encoder trained on CamVid before"),
    "recipe": (LONGER, "D", "recipes, trained for longer"),
}
"""Colour, marker and label."""


def main() -> None:
    """Writes the plot."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("accuracy", type=Path)
    parser.add_argument("latency", type=Path)
    parser.add_argument("--recipes", type=Path, nargs="+", default=[], help="results of recipes")
    parser.add_argument("--thin", default="pole", help="the class whose IoU stands in the table too")
    parser.add_argument("--way", choices=WAYS, default="openvino")
    parser.add_argument("--out", type=Path, default=IMAGES / "choose.png")
    options = parser.parse_args()
    accuracy, latency = (json.loads(path.read_text()) for path in (options.accuracy, options.latency))
    rows = [*accuracy["networks"], *(recipe_row(path) for path in options.recipes)]
    points = join(rows, latency["networks"], options.way)
    figure, axis = plt.subplots(figsize=(9, 6), layout="constrained")
    height, width = latency["size"]
    processor = latency["hardware"]
    axis.set_xlabel(
        f"milliseconds a picture of {width}x{height} ({WAYS[options.way]}, batch 1, "
        f"{processor['cores']} cores of {processor['processor']}), logarithmic"
    )
    axis.set_ylabel("mIoU on CamVid's validation pictures, 11 classes, % (bars: 95% interval)")
    draw(figure, axis, points)
    figure.savefig(options.out, dpi=110)
    print("\n".join(table(rows, latency["networks"], options.thin)))
    print(f"\nwrote {options.out}: {', '.join(p.name for p in front(points))} are on the front")


def draw(figure: Figure, axis: Axes, points: Sequence[Point]) -> None:
    """Axes, front, points and labels."""
    times = [point.milliseconds for point in points]
    axis.set_xscale("log")
    axis.set_xlim(min(times) / 1.5, max(times) * 1.5)
    bottom, top = min(p.low for p in points), max(p.high for p in points)
    axis.set_ylim(max(0.0, 5 * math.floor((bottom - 2) / 5)), min(100.0, 5 * math.ceil((top + 2) / 5)))
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.grid(color="#e6e6e6", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    best = front(points)
    line = steps(best, until=axis.get_xlim()[1])
    axis.plot(
        *zip(*line, strict=True), color=FRONT, linewidth=1.5, label="no other network beats these in both"
    )
    for kind, (colour, marker, label) in MARKS.items():
        some = [p for p in points if p.kind == kind]
        if some:
            axis.errorbar(
                [p.milliseconds for p in some],
                [p.miou for p in some],
                yerr=[[p.miou - p.low for p in some], [p.high - p.miou for p in some]],
                fmt=marker,
                color=colour,
                markersize=7,
                elinewidth=1,
                capsize=2,
                label=label,
            )
    figure.legend(loc="outside upper left", ncols=3, frameon=False, fontsize=9)
    place_labels(figure, axis, points, bold={p.name for p in best}, line=line)


def place_labels(
    figure: Figure,
    axis: Axes,
    points: Sequence[Point],
    *,
    bold: set[str],
    line: Sequence[tuple[float, float]],
) -> None:
    """Names beside their points: the nearest place at which they cover no label, point, bar or the front.

    The crowded ones go first, as they have the fewest places; a label that is far from its point gets a line.

    Raises:
        SystemExit: There is no such place: the plot is too small for so many networks.
    """
    figure.canvas.draw()  # positions are known from here on, and labels must not move them
    figure.set_layout_engine("none")
    to_pixels = axis.transData.transform
    at = {p.name: to_pixels((p.milliseconds, p.miou)) for p in points}
    taken = [
        Bbox.from_extents(x - 6, to_pixels((1, p.low))[1], x + 6, to_pixels((1, p.high))[1]).padded(2)
        for p in points
        for x, _ in [at[p.name]]
    ]
    for before, after in itertools.pairwise(line):
        corners = to_pixels([before, after])
        taken.append(Bbox([corners.min(axis=0), corners.max(axis=0)]).padded(1))
    inside = axis.get_window_extent()

    def crowd(point: Point) -> int:
        return -sum(math.dist(at[point.name], other) < 100 for other in at.values())

    for point in sorted(points, key=crowd):
        weight = "bold" if point.name in bold else "normal"
        for distance, angle in candidates():
            label = attach(axis, point, distance, angle, weight)
            label.get_window_extent()  # moves it to where it will be
            box = Text.get_window_extent(label).padded(1)  # of the name; its line may cross others
            whole = inside.contains(box.x0, box.y0) and inside.contains(box.x1, box.y1)
            if whole and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                break
            label.remove()
        else:
            raise SystemExit(f"there is no room for the label {point.name}: draw a larger plot")


def candidates() -> list[tuple[float, float]]:
    """Distances in points and angles in degrees, nearest first and to the right of a point first."""
    angles = (0, 30, -30, 180, 150, -150, 60, -60, 120, -120, 90, -90)
    return [(distance, angle) for distance in (9, 16, 26, 40, 60, 85, 115) for angle in angles]


def attach(axis: Axes, point: Point, distance: float, angle: float, weight: str) -> Annotation:
    """A name at a distance from its point."""
    x, y = distance * math.cos(math.radians(angle)), distance * math.sin(math.radians(angle))
    side = "center" if abs(x) < 1 else ("left" if x > 0 else "right")
    return axis.annotate(
        point.name,
        (point.milliseconds, point.miou),
        xytext=(x, y),
        textcoords="offset points",
        ha=side,
        va="center",
        fontsize=9,
        fontweight=weight,
        arrowprops={"arrowstyle": "-", "color": "#808080", "linewidth": 0.7} if distance > 20 else None,
    )


if __name__ == "__main__":
    main()
