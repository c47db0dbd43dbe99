"""The doctor's answer at the terminal: findings in a list, the verdict last. Prints nothing itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.text import Text

from pixelwise.check.finding import Finding, Severity
from pixelwise.check.report import Report
from pixelwise.report.visible import in_a_line

_STYLES = {
    Severity.ERROR: "bold red",
    Severity.WARNING: "yellow",
    Severity.SUSPECT: "magenta",
    Severity.NOTE: "cyan",
}
_FEW = 3
"""Examples that are named; the page has more."""


def verdict(report: Report, page: Path) -> Iterator[Text]:
    """Line by line: every finding with its remedy and first examples, and the verdict at the end.

    Lines are to be printed as they are: a command that was cut or wrapped could not be copied.

    Args:
        report: What was found.
        page: Where the whole report is.
    """
    for finding in report.findings:
        yield from _finding(finding)
        yield Text()
    yield Text(report.verdict, style="bold green" if report.sound else "bold red")
    if report.remedy:
        yield Text.assemble("remedy  ", (in_a_line(report.remedy), "bold"))
    yield Text(f"report  {in_a_line(str(page))}", style="dim")


def _finding(finding: Finding) -> Iterator[Text]:
    yield Text.assemble((finding.severity.value, _STYLES[finding.severity]), "  ", in_a_line(finding.title))
    if finding.severity is not Severity.NOTE:
        yield Text(f"  {in_a_line(finding.text)}")
    for example in finding.examples[:_FEW]:
        yield Text(f"  {in_a_line(example.name)}  {in_a_line(example.text)}".rstrip(), style="dim")
    if finding.count > len(finding.examples[:_FEW]) > 0:
        yield Text(f"  … {finding.count:,} {finding.unit} in all", style="dim")
    if finding.remedy:
        yield Text.assemble("  $ ", (in_a_line(finding.remedy), "bold"))
