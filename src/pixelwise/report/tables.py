"""Metrics as tables for a terminal. rich decides what a terminal, a pipe or a narrow window can show.

Knows no data set and no network, and prints nothing itself.
"""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from pixelwise.boundary_score import BoundaryScores
from pixelwise.metrics import Metrics

_WIDE = 12
"""Classes up to which columns of the confusion matrix bear names; beyond, numbers that the rows explain."""


def metrics_table(metrics: Metrics) -> RenderableType:
    """Per-class figures in percent, the summary below, and the rule that the means follow."""
    table = Table(box=box.SIMPLE_HEAD, show_footer=True)
    table.add_column("class", footer="mean", no_wrap=True, overflow="ellipsis", min_width=8)
    for name, mean in (
        ("IoU", metrics.miou),
        ("Dice", metrics.mean_dice),
        ("precision", None),
        ("recall", metrics.mean_class_accuracy),
        ("share of pixels", None),
    ):
        table.add_column(name, footer=percent(mean) if mean is not None else "", justify="right")
    for row in zip(
        metrics.classes,
        metrics.iou,
        metrics.dice,
        metrics.precision,
        metrics.recall,
        metrics.pixel_share,
        strict=True,
    ):
        name, *shares = row
        style = "dim" if name in metrics.absent else ""
        table.add_row(escape(name), *(percent(share) for share in shares), style=style)
    return Group(table, _summary(metrics), Text(metrics.rule, style="dim"))


def boundary_table(scores: BoundaryScores) -> RenderableType:
    """Per-class boundary figures in percent, the mean below, and the rule that they follow."""
    table = Table(box=box.SIMPLE_HEAD, show_footer=True)
    table.add_column("boundary of", footer="mean", no_wrap=True, overflow="ellipsis", min_width=8)
    mean = "" if scores.mean_f_score is None else percent(scores.mean_f_score)
    for name, footer in (("F", mean), ("precision", ""), ("recall", "")):
        table.add_column(name, footer=footer, justify="right")
    for name, *shares in zip(scores.classes, scores.f_score, scores.precision, scores.recall, strict=True):
        style = "dim" if name in scores.absent else ""
        table.add_row(escape(name), *(percent(share) for share in shares), style=style)
    rule = f"Within {100 * scores.tolerance:.2f}% of each picture's diagonal. {scores.rule}"
    return Group(table, Text(rule, style="dim"))


def confusion_table(metrics: Metrics) -> RenderableType:
    """Where the pixels of each true class went, in percent of the row; readable up to some thirty classes."""
    named = len(metrics.classes) <= _WIDE
    table = Table(
        box=box.SIMPLE_HEAD,
        title="confusion: rows the truth, columns the prediction, percent of the row",
        title_justify="left",
        title_style="",
        padding=(0, 1) if named else (0, 0, 0, 1),
    )
    table.add_column("truth", no_wrap=True, overflow="ellipsis", min_width=6)
    for number, name in enumerate(metrics.classes):
        table.add_column(escape(name) if named else str(number), justify="right", no_wrap=True, min_width=3)
    table.add_column("pixels", justify="right", no_wrap=True)
    for number, (name, row) in enumerate(zip(metrics.classes, metrics.confusion, strict=True)):
        total = sum(row)
        cells = [_cell(count, total, right=number == column, exact=named) for column, count in enumerate(row)]
        label = name if named else f"{number} {name}"
        table.add_row(escape(label), *cells, short_count(total))
    return table


def percent(share: float | None) -> str:
    """`0.1234` as `12.34`, None as a dash."""
    return "-" if share is None else f"{100 * share:.2f}"


def short_count(count: int) -> str:
    """`1234567` as `1.2M`."""
    for limit, unit in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= limit:
            return f"{count / limit:.1f}{unit}"
    return str(count)


def _summary(metrics: Metrics) -> Text:
    lines = [
        f"mIoU {percent(metrics.miou)}   pixel accuracy {percent(metrics.pixel_accuracy)}   "
        f"mean class accuracy {percent(metrics.mean_class_accuracy)}   "
        f"frequency-weighted IoU {percent(metrics.frequency_weighted_iou)}",
        f"{metrics.pixels:,} pixels counted; figures in percent",
    ]
    if metrics.absent:
        lines.append(f"absent, and left out of the means: {', '.join(metrics.absent)}")
    return Text("\n".join(lines))


def _cell(count: int, total: int, *, right: bool, exact: bool) -> Text:
    """A share of its row: bold on the diagonal, a dot for nothing, red where a tenth or more went wrong."""
    if not total or not count:
        return Text("." if total else "-", style="dim")
    share = 100 * count / total
    text = f"{share:.1f}" if exact else (f"{share:.0f}" if share >= 0.5 else "<1")
    if right:
        return Text(text, style="bold")
    return Text(text, style="red" if share >= 10 else "")
