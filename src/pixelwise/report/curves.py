"""The course of a run as one picture, curves.png: losses, validation mIoU, learning rate.

Draws with matplotlib's Agg canvas directly: no pyplot, no global state, no window. Knows no training loop.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from pixelwise.files import write_whole
from pixelwise.report.history import HistoryRow

_TRAIN, _VAL, _AVERAGE, _QUIET = "#0072b2", "#d55e00", "#009e73", "#6b6b6b"
_INK = "#262626"


def save_curves(rows: Sequence[HistoryRow], path: Path) -> None:
    """Writes the curves of the rows as a PNG; figures that are not finite leave a gap.

    Raises:
        DataError: The folder cannot be written.
    """
    figure = Figure(figsize=(12, 3.8), dpi=130, layout="constrained", facecolor="white")
    canvas = FigureCanvasAgg(figure)
    loss, miou, rate = figure.subplots(1, 3, width_ratios=(1.25, 1.25, 0.8))
    epochs = [row.epoch for row in rows]

    values = [row.val_loss for row in rows]
    _line(loss, epochs, [row.train_loss for row in rows], colour=_TRAIN, label="training")
    _line(loss, epochs, values, colour=_VAL, label="validation")
    _head(loss, "loss", "lowest validation loss " + _mark(loss, epochs, values, best=min, text="{:.4f}"))
    _legend(loss)
    _widen(loss, 0.1)

    values = [row.val_miou for row in rows]
    averages = [row.average_miou for row in rows if row.average_miou is not None]
    _line(miou, epochs, values, colour=_VAL, label="weights")
    if averages and len(averages) == len(rows):  # kept in every epoch of a run, or in none
        _line(miou, epochs, averages, colour=_AVERAGE, label="their average")
        _legend(miou)
        values = max(values, averages, key=_highest)
    _head(miou, "validation mIoU", "best " + _mark(miou, epochs, values, best=max, text="{:.2%}"))
    miou.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}%"))
    _widen(miou, 0.1)

    values = [row.lr for row in rows]
    _line(rate, epochs, values, colour=_QUIET, label="learning rate")
    _head(rate, "learning rate", f"now {values[-1]:.3g}" if values else "")
    rate.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    rate.set_ylim(0, 1.1 * max(values, default=1) or 1)

    for axes in (loss, miou, rate):
        _tidy(axes, epochs)
    png = io.BytesIO()
    canvas.print_png(png)
    write_whole(path, png.getvalue())


def _head(axes: Axes, title: str, text: str) -> None:
    """A title, and one fact in small under it."""
    axes.set_title(title, loc="left", color=_INK, pad=24)
    axes.text(0, 1.04, text, transform=axes.transAxes, fontsize=9, color=_QUIET)


def _legend(axes: Axes) -> None:
    """Above the axes, where no curve can run through it."""
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1.02, 1.07), ncols=2, fontsize=9)


def _highest(values: list[float]) -> float:
    return max((value for value in values if math.isfinite(value)), default=-math.inf)


def _line(axes: Axes, epochs: list[int], values: list[float], *, colour: str, label: str) -> None:
    """One curve, with dots where there are few epochs, so that a single one is seen."""
    shown = [value if math.isfinite(value) else math.nan for value in values]
    few = len(epochs) <= 40
    axes.plot(
        epochs,
        shown,
        color=colour,
        label=label,
        linewidth=1.8 if few else 1.1,
        marker="o" if few else "",
        ms=3.5,
    )


def _mark(
    axes: Axes, epochs: list[int], values: list[float], *, best: Callable[[list[float]], float], text: str
) -> str:
    """A ring around the best finite value, and that value in words."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return "unknown"
    value = best(finite)
    epoch = epochs[values.index(value)]
    axes.plot([epoch], [value], "o", markersize=9, markerfacecolor="none", markeredgecolor=_INK)
    return f"{text.format(value)} in epoch {epoch}"


def _widen(axes: Axes, least: float) -> None:
    """Room above and below, and never so little that noise fills the picture."""
    low, high = axes.dataLim.intervaly
    if not (math.isfinite(low) and math.isfinite(high)):  # nothing finite was drawn
        low, high = 0.0, 1.0
    room = max(0.08 * (high - low), (least - (high - low)) / 2)
    axes.set_ylim(low - room, high + room)


def _tidy(axes: Axes, epochs: list[int]) -> None:
    axes.set_xlabel("epoch", color=_QUIET)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))
    first, last = (epochs[0], epochs[-1]) if epochs else (0, 1)
    room = max(0.5, 0.03 * (last - first))
    axes.set_xlim(first - room, last + room)
    axes.grid(visible=True, axis="y", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_QUIET, length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color("#bdbdbd")
