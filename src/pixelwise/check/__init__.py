"""The doctor: finds what is wrong with a data set before it costs a day. No torch here.

report = check("data/pets", DataConfig(), out=Path("check")).report
report.verdict, report.findings, report.classes
"""

from __future__ import annotations

from pixelwise.check.finding import Example, Finding, Severity
from pixelwise.check.report import Report
from pixelwise.check.run import Checked, check

__all__ = ["Checked", "Example", "Finding", "Report", "Severity", "check"]
