"""The answer of `pixelwise check` as one HTML file that needs nothing else.

Arranges; the findings and the figures are made in files of their own. Writes no file.
"""

from __future__ import annotations

from collections.abc import Mapping

from pixelwise.check.finding import Severity
from pixelwise.check.report import Report
from pixelwise.report.check_figures import class_table, distributions, key_facts
from pixelwise.report.check_findings import HEADINGS, command, findings_of, section_name
from pixelwise.report.page.document import document
from pixelwise.report.page.markup import NOTHING, Html, element, joined
from pixelwise.report.page.svg import sign


def check_page(report: Report, thumbnails: Mapping[tuple[int, int], bytes]) -> str:
    """The page's text, to be written as UTF-8; it can hold nothing that UTF-8 cannot.

    Args:
        report: What the check found.
        thumbnails: (place of a finding in the report, place of its example) -> a JPEG or PNG of some 256
            pixels. Examples without one are named in a list.

    Raises:
        ValueError: A thumbnail is neither, or belongs to no example.
    """
    for finding, example in thumbnails:
        if not (
            0 <= finding < len(report.findings) and 0 <= example < len(report.findings[finding].examples)
        ):
            raise ValueError(f"thumbnail {(finding, example)} belongs to no example of the report")
    name = report.data.name
    if name in ("", ".."):  # a folder that has a name all the same
        name = report.data.resolve().name or str(report.data)
    findings = [findings_of(severity, report.findings, thumbnails) for severity in Severity]
    body = joined(
        (
            element("a", "Skip to the findings", attributes={"class": "skip", "href": "#content"}),
            _header(report, name),
            element(
                "div",
                _contents(report),
                element(
                    "main",
                    key_facts(report),
                    *findings,
                    _together(report),
                    class_table(report.classes),
                    distributions(report.histograms),
                    attributes={"id": "content", "tabindex": "-1"},
                ),
                attributes={"class": "columns"},
            ),
            _footer(report),
        )
    )
    word, _ = _answer(report)
    return document(f"{word}: {name} \N{EN DASH} pixelwise check", body)


def _answer(report: Report) -> tuple[str, str]:
    """The answer in a word or two, and its sign."""
    if not report.sound:
        return "No", "error"
    return ("Yes, with warnings", "warning") if report.count(Severity.WARNING) else ("Yes", "sound")


def _header(report: Report, name: str) -> Html:
    word, kind = _answer(report)
    said = element(
        "div",
        element("p", "Ready to train on?", attributes={"class": "label"}),
        element("p", element("strong", word), attributes={"class": "word"}),
        element("p", f"{report.verdict}.", attributes={"class": "sentence"}),
    )
    return element(
        "header",
        element("p", "pixelwise check", attributes={"class": "label"}),
        element("h1", element("bdi", name)),
        element("p", element("bdi", str(report.data)), attributes={"class": "path quiet"}),
        element("div", sign(kind), said, attributes={"class": f"verdict {kind}"}),
        element("ul", *(_count(report, severity) for severity in Severity), attributes={"class": "counts"}),
    )


def _count(report: Report, severity: Severity) -> Html:
    _, one, several, _ = HEADINGS[severity]
    count = report.count(severity)
    content = joined(
        (
            sign(severity.value),
            element("span", str(count), attributes={"class": "number"}),
            " ",
            element("span", one if count == 1 else several),
        )
    )
    if not count:
        return element("li", element("span", content, attributes={"class": "count none"}))
    target = {"class": f"count {severity.value}", "href": f"#{section_name(severity)}"}
    return element("li", element("a", content, attributes=target))


def _together(report: Report) -> Html:
    """The command that does it all; nothing where there is none."""
    if not report.remedy:
        return NOTHING
    return element(
        "section",
        element("h2", _TOGETHER, attributes={"id": "together-title"}),
        element(
            "p",
            "The flags that errors and warnings ask for, as far as they go together. What a person must "
            "decide is not among them. Check again with the same flags before you train.",
            attributes={"class": "quiet"},
        ),
        command(report.remedy, "Remedy"),
        attributes={"id": "together", "aria-labelledby": "together-title"},
    )


_TOGETHER = "All remedies at once"


def _contents(report: Report) -> Html:
    """Links to every section and finding."""
    links = [_link("facts", "Data set", NOTHING)]
    for severity in Severity:
        below = [
            element(
                "li",
                element("a", finding.title, attributes={"href": f"#finding-{place + 1}"}),
            )
            for place, finding in enumerate(report.findings)
            if finding.severity is severity
        ]
        if below:
            heading = f"{HEADINGS[severity][0]} ({len(below)})"
            links.append(_link(section_name(severity), heading, element("ul", *below)))
    if report.remedy:
        links.append(_link("together", _TOGETHER, NOTHING))
    if report.classes:
        links.append(_link("classes", "Classes", NOTHING))
    if report.histograms:
        links.append(_link("distributions", "Distributions", NOTHING))
    links.append(_link("about", "About this check", NOTHING))
    return element("nav", element("ul", *links), attributes={"aria-label": "Contents"})


def _link(target: str, text: str, below: Html) -> Html:
    return element("li", element("a", text, attributes={"href": f"#{target}"}), below)


def _footer(report: Report) -> Html:
    facts = (
        ("Made", report.made.replace("T", " ")),
        ("Took", duration(report.seconds)),
        ("Version", f"pixelwise {report.version}"),
    )
    pairs = (element("div", element("dt", name), element("dd", value)) for name, value in facts)
    return element(
        "footer",
        element("h2", "About this check"),
        command(report.command, "Command") if report.command else NOTHING,
        element("dl", *pairs),
        attributes={"id": "about"},
    )


def duration(seconds: float) -> str:
    """`8.4 s`, `1 min 15 s`, `2 h 05 min`."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
