"""The course of a run as one picture, curves.png: losses, validation mIoU, learning rate.

Draws with matplotlib's Agg canvas directly: no pyplot, no global state, no window. Knows no training loop.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from pixelwise.report.history import HistoryRow

_TRAIN, _VAL, _QUIET = "#0072b2", "#d55e00", "#6b6b6b"
_INK = "#262626"


def save_curves(rows: Sequence[HistoryRow], path: Path) -> None:
    """Writes the curves of the rows as a PNG; figures that are not finite leave a gap."""
    figure = Figure(figsize=(12, 3.8), dpi=130, layout="constrained", facecolor="white")
    canvas = FigureCanvasAgg(figure)
    loss, miou, rate = figure.subplots(1, 3, width_ratios=(1.25, 1.25, 0.8))
    epochs = [row.epoch for row in rows]
    _draw_loss(loss, rows, epochs)
    _draw_miou(miou, rows, epochs)
    _line(rate, epochs, [row.lr for row in rows], colour=_QUIET, label="learning rate")
    rate.set_title("learning rate", loc="left", color=_INK)
    rate.set_ylim(bottom=0)
    rate.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
    for axes in (loss, miou, rate):
        _tidy(axes, epochs)
    fresh = path.with_name(f".{path.name}.tmp")
    try:
        canvas.print_png(fresh)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def _draw_loss(axes: Axes, rows: Sequence[HistoryRow], epochs: list[int]) -> None:
    """Training and validation loss; the lowest validation loss is marked."""
    values = [row.val_loss for row in rows]
    _line(axes, epochs, [row.train_loss for row in rows], colour=_TRAIN, label="training")
    _line(axes, epochs, values, colour=_VAL, label="validation")
    _mark(axes, epochs, values, best=min, text="{:.4f}")
    axes.set_title("loss", loc="left", color=_INK)
    axes.legend(frameon=False, loc="upper right")


def _draw_miou(axes: Axes, rows: Sequence[HistoryRow], epochs: list[int]) -> None:
    """Validation mIoU; the highest is marked."""
    values = [row.val_miou for row in rows]
    _line(axes, epochs, values, colour=_VAL, label="validation")
    _mark(axes, epochs, values, best=max, text="{:.1%}")
    axes.set_title("validation mIoU", loc="left", color=_INK)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))


def _line(axes: Axes, epochs: list[int], values: list[float], *, colour: str, label: str) -> None:
    """One curve, with dots where there are few epochs, so that a single one is seen."""
    shown = [value if math.isfinite(value) else math.nan for value in values]
    marker = "o" if len(epochs) <= 40 else ""
    axes.plot(epochs, shown, color=colour, label=label, linewidth=1.8, marker=marker, markersize=3.5)


def _mark(
    axes: Axes, epochs: list[int], values: list[float], *, best: Callable[[list[float]], float], text: str
) -> None:
    """A ring and the figure at the best finite value."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return
    value = best(finite)
    epoch = epochs[values.index(value)]
    axes.plot([epoch], [value], "o", markersize=9, markerfacecolor="none", markeredgecolor=_INK)
    # The figure stands on the side where there is room: away from the nearer end of the x axis.
    right_half = epoch > (epochs[0] + epochs[-1]) / 2
    axes.annotate(
        text.format(value),
        (epoch, value),
        xytext=(-8 if right_half else 8, -16 if best is max else -17),
        textcoords="offset points",
        ha="right" if right_half else "left",
        fontsize=10,
        color=_INK,
    )


def _tidy(axes: Axes, epochs: list[int]) -> None:
    axes.set_xlabel("epoch", color=_QUIET)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))
    first, last = (epochs[0], epochs[-1]) if epochs else (0, 1)
    room = max(0.5, 0.03 * (last - first))
    axes.set_xlim(first - room, last + room)
    axes.margins(y=0.15)
    axes.grid(visible=True, axis="y", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_QUIET, length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color("#bdbdbd")
