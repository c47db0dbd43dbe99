"""An export's proof as tables for a terminal."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from pixelwise.parity.report import Report


def parity_tables(report: Report) -> RenderableType:
    """What changed by runtime and size, what each backend needs, and the file."""
    parts: list[RenderableType] = [_differences(report), _speeds(report), Text(_file(report))]
    if report.kept:
        parts.append(Text(f"left in float: {', '.join(report.kept)}"))
    parts += [Text(sentence) for sentence in report.left_out]
    for compared in report.compared:
        if compared.start is not None:
            parts.append(Text(f"{compared.backend}: the difference starts at {compared.start}"))
    parts += [Text(f"warning: {sentence}") for sentence in report.warnings]
    return Group(*parts)


def _differences(report: Report) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("runtime", no_wrap=True)
    table.add_column("size", no_wrap=True)
    for name in ("pixels", "changed class", "largest change", "mIoU before", "after"):
        table.add_column(name, justify="right")
    for compared in report.compared:
        for d in compared.differences:
            before, after = ("", "") if d.miou is None else (f"{100 * m:.2f}%" for m in d.miou)
            largest = "" if d.largest is None else f"{d.largest:.2g}"
            cells = (f"{d.pixels:,}", f"{100 * d.share:.4f}%", largest, before, after)
            table.add_row(escape(compared.backend), d.size, *cells)
    return table


def _speeds(report: Report) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("backend", no_wrap=True)
    for name in ("p50", "p95", "times eager", "images/s, batch 8", "peak memory"):
        table.add_column(name, justify="right")
    eager = report.speeds[0].p50
    for s in report.speeds:
        memory = "" if s.memory is None else f"{s.memory / 2**20:.0f} MiB"
        cells = (f"{1e3 * s.p50:.1f} ms", f"{1e3 * s.p95:.1f} ms", f"{eager / s.p50:.2f}")
        table.add_row(escape(s.backend), *cells, f"{s.images_per_second:.1f}", memory)
    return table


def _file(report: Report) -> str:
    inside = (
        ""
        if report.form.resize is None
        else ", pictures resized to {} x {} inside".format(*report.form.resize)
    )
    opset = "" if report.opset is None else f", opset {report.opset}"
    of = "logit" if report.form.answer == "logits" and report.form.resize is None else "probability"
    largest = "" if report.form.answer == "labels" else f"largest change: of a {of}\n"
    return (
        f"{largest}{report.form.precision}, answers {report.form.answer}{inside}{opset}, "
        f"{report.file_bytes / 1e6:.2f} MB"
    )
