"""A ceiling as one picture, ceiling.png: mIoU by grid and method, and what each class keeps.

Draws with matplotlib's Agg canvas directly: no pyplot, no global state, no window. Knows no data set.
"""

from __future__ import annotations

import io
import math
import textwrap
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from pixelwise.ceiling import Ceiling, GridCeiling, Method
from pixelwise.files import write_whole

MOST_CLASSES = 30
"""Rows of the table; of more classes those are shown that lose most."""

_COLOURS: dict[Method, str] = {"soft": "#0072b2", "majority": "#009e73", "nearest": "#d55e00"}
_INK, _QUIET = "#262626", "#6b6b6b"
_LOSS = LinearSegmentedColormap.from_list("loss", ["#c44e00", "#f0a36b", "#fbe3d2", "#ffffff"])
"""From nothing left to all of it: what is lost stands out."""

_LONGEST_NAME = 18
_NUMBERED = 10
"""Points up to which each bears its figure, and each tick of the curves its name in full size."""


def save_ceiling_plot(ceiling: Ceiling, path: Path) -> None:
    """Writes the picture as a PNG.

    Raises:
        DataError: The folder cannot be written.
    """
    grids = sorted(ceiling.grids, key=lambda item: -item.cells)
    rows = _rows(ceiling)
    height = max(4.2, 1.5 + 0.27 * len(rows))
    width = 6.2 + max(3.6, 1.6 + 0.75 * len(grids))
    figure = Figure(figsize=(width, height), dpi=130, layout="constrained", facecolor="white")
    canvas = FigureCanvasAgg(figure)
    curves, table = figure.subplots(1, 2, width_ratios=(5.2, width - 6.2))
    _draw_curves(curves, ceiling, grids)
    _draw_table(table, ceiling, grids, rows)
    sentence = textwrap.fill(ceiling.recommendation, round(13 * width), break_on_hyphens=False)
    figure.suptitle(_plain(sentence), x=0.01, ha="left", fontsize=9.5, color=_INK)
    png = io.BytesIO()
    canvas.print_png(png)
    write_whole(path, png.getvalue())


def _draw_curves(axes: Axes, ceiling: Ceiling, grids: list[GridCeiling]) -> None:
    places = range(len(grids))
    lowest = 1.0
    for method in ceiling.methods:
        number = ceiling.methods.index(method)
        values = [item.levels[number].miou for item in grids]
        shown = [math.nan if value is None else value for value in values]
        axes.plot(places, shown, color=_COLOURS[method], label=method, marker="o", ms=4, linewidth=1.8)
        lowest = min([lowest, *(value for value in values if value is not None)])
        if number == 0 and len(grids) <= _NUMBERED:
            for place, value in zip(places, values, strict=True):
                if value is not None:
                    axes.annotate(
                        f"{100 * value:.1f}",
                        (place, value),
                        xytext=(0, 6),
                        textcoords="offset points",
                        ha="center",
                        fontsize=8,
                        color=_COLOURS[method],
                    )
    axes.set_title("best mIoU", loc="left", color=_INK, fontsize=11)
    axes.legend(frameon=False, loc="lower left", fontsize=9)
    axes.set_xticks(list(places), _labels(grids), fontsize=9 if len(grids) <= _NUMBERED else 6)
    axes.set_xlabel(_axis_name(grids), color=_QUIET)
    axes.set_xlim(-0.4, len(grids) - 0.6)
    axes.set_ylim(max(0.0, math.floor(10 * lowest - 0.2) / 10), 1.03)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}%" if value <= 1 else ""))
    axes.grid(visible=True, axis="y", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_QUIET, length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color("#bdbdbd")


def _draw_table(axes: Axes, ceiling: Ceiling, grids: list[GridCeiling], rows: list[int]) -> None:
    shares = [[item.levels[0].iou[place] for item in grids] for place in rows]
    shown = [[math.nan if share is None else share for share in row] for row in shares]
    axes.imshow(shown, cmap=_LOSS, vmin=0.0, vmax=1.0, aspect="auto", interpolation="nearest")
    for y, row in enumerate(shares):
        for x, share in enumerate(row):
            text = "-" if share is None else f"{100 * share:.0f}"
            colour = "white" if share is not None and share < 0.2 else _INK
            axes.text(x, y, text, ha="center", va="center", fontsize=8, color=colour)
    few = f", the {len(rows)} of {len(ceiling.classes)} that lose most" * (len(rows) < len(ceiling.classes))
    axes.set_title(f"best IoU in percent, {ceiling.methods[0]}{few}", loc="left", color=_INK, fontsize=11)
    axes.set_yticks(
        range(len(rows)), [_plain(_short(ceiling.classes[place])) for place in rows], fontsize=8.5
    )
    axes.set_xticks(range(len(grids)), _labels(grids), fontsize=9)
    axes.set_xlabel(_axis_name(grids), color=_QUIET)
    axes.set_xticks([x - 0.5 for x in range(1, len(grids))], minor=True)
    axes.set_yticks([y - 0.5 for y in range(1, len(rows))], minor=True)
    axes.grid(visible=True, which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="both", colors=_INK, length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _rows(ceiling: Ceiling) -> list[int]:
    """The classes to show: all in their order, or those with the lowest mean of their IoUs."""
    everyone = range(len(ceiling.classes))
    if len(everyone) <= MOST_CLASSES:
        return list(everyone)
    means = [
        math.fsum(2.0 if (iou := item.levels[0].iou[place]) is None else iou for item in ceiling.grids)
        for place in everyone
    ]
    return sorted(sorted(everyone, key=lambda place: means[place])[:MOST_CLASSES])


def _labels(grids: list[GridCeiling]) -> list[str]:
    if all(item.grid.size is None for item in grids):
        return [str(item.grid.stride) for item in grids]
    return [item.grid.name.replace(" / ", "\n/ ") for item in grids]


def _axis_name(grids: list[GridCeiling]) -> str:
    if all(item.grid.size is None for item in grids):
        return "stride of the answer, at each picture's own size"
    return f"input size, width x height / stride ({grids[0].grid.policy})"


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def _plain(text: str) -> str:
    """A class name may hold dollars, which would be formulas."""
    return text.replace("$", r"\$")
