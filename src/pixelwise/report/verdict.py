"""The doctor's answer at the terminal: findings in a list, the verdict last. Prints nothing itself."""

from __future__ import annotations

from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from pixelwise.check.finding import Finding, Severity
from pixelwise.check.report import Report

_STYLES = {
    Severity.ERROR: "bold red",
    Severity.WARNING: "yellow",
    Severity.SUSPECT: "magenta",
    Severity.NOTE: "cyan",
}
_FEW = 3
"""Examples that are named; the page has more."""


def verdict(report: Report, page: Path) -> RenderableType:
    """Every finding with its remedy and first examples, and the verdict below.

    Args:
        report: What was found.
        page: Where the whole report is.
    """
    style = "bold green" if report.sound else "bold red"
    return Group(
        *(_finding(finding) for finding in report.findings),
        Text(report.verdict, style=style),
        Text(f"report  {page}", style="dim"),
    )


def _finding(finding: Finding) -> RenderableType:
    head = Text.assemble((finding.severity.value, _STYLES[finding.severity]), "  ", finding.title)
    body: list[RenderableType] = [Text(finding.text)] if finding.severity is not Severity.NOTE else []
    shown = finding.examples[:_FEW]
    for example in shown:
        body.append(Text(f"{example.name}  {example.text}".rstrip(), style="dim"))
    if len(finding.examples) > _FEW:
        body.append(Text("…", style="dim"))
    if finding.remedy:
        body.append(Text.assemble("$ ", (finding.remedy, "bold")))
    return Group(head, *(Padding(part, (0, 0, 0, 2)) for part in body), Text())
