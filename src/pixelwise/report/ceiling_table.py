"""A ceiling as a table for a terminal: a row a class, a column a grid. Knows no torch, and prints nothing."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from pixelwise.ceiling import Ceiling
from pixelwise.ceiling.advice import LOST
from pixelwise.ceiling.result import MEANING


def ceiling_table(ceiling: Ceiling) -> RenderableType:
    """IoU of each class in percent by the first method, mIoU by all of them, and what that means."""
    methods = ceiling.methods
    table = Table(
        box=box.SIMPLE_HEAD,
        title=f"best IoU, {methods[0]}",
        title_justify="left",
        title_style="",
        padding=(0, 0, 0, 1),
    )
    table.add_column("class", no_wrap=True, overflow="ellipsis", min_width=8)
    table.add_column("share of\npixels", justify="right", no_wrap=True)
    for item in ceiling.grids:
        title = item.grid.name.replace(" ", "\n", 1)
        table.add_column(escape(title), justify="right", no_wrap=True)
    for place, name in enumerate(ceiling.classes):
        cells = [_cell(item.levels[0].iou[place]) for item in ceiling.grids]
        table.add_row(escape(name), _percent(ceiling.pixel_share[place]), *cells)
    table.add_section()
    for number, method in enumerate(methods):
        means = [_percent(item.levels[number].miou) for item in ceiling.grids]
        table.add_row(f"mIoU, {method}", "", *means, style="bold" if number == 0 else "")
    table.add_row("cells a picture", "", *(f"{item.cells:,.0f}" for item in ceiling.grids), style="dim")
    absent = sorted({name for item in ceiling.grids for name in item.levels[0].absent})
    lines = [f"absent, and left out of the means: {', '.join(absent)}"] if absent else []
    lines += ["figures in percent", *(MEANING[method] for method in methods), ceiling.rule]
    return Group(table, Text("\n".join(lines), style="dim"))


def _cell(share: float | None) -> Text:
    lost = share is not None and share < LOST
    return Text(_percent(share), style="red" if lost else "")


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"
