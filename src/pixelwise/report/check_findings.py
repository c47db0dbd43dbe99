"""The findings of a check as markup: what is wrong, the command that mends it, and where it can be seen.

Knows neither how a finding was made nor the page around it.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence

from PIL import Image

from pixelwise.check.commands import list_name
from pixelwise.check.finding import Example, Finding, Severity
from pixelwise.report.page.markup import NOTHING, Html, element, joined
from pixelwise.report.page.svg import sign
from pixelwise.report.visible import visible

HEADINGS = {
    Severity.ERROR: ("Errors", "error", "errors", "Training would stop, or learn something wrong."),
    Severity.WARNING: (
        "Warnings",
        "warning",
        "warnings",
        "Training runs, but accuracy or the honesty of its figures suffers.",
    ),
    Severity.SUSPECT: ("Suspects", "suspect", "suspects", "Perhaps nothing: a person should look."),
    Severity.NOTE: ("Notes", "note", "notes", "Good to know; nothing is wrong."),
}
"""Of each severity: the heading, the word for one and for several, and what it means."""

_FORMATS = {b"\xff\xd8\xff": ("jpeg", "JPEG"), b"\x89PNG\r\n\x1a\n": ("png", "PNG")}

_OPEN_PICTURES, _OPEN_NAMES = 6, 8
"""Examples that are seen at once; the others wait to be opened."""


def findings_of(
    severity: Severity, findings: Sequence[Finding], thumbnails: Mapping[tuple[int, int], bytes]
) -> Html:
    """The section of one severity; nothing where there is no such finding.

    Args:
        severity: Which.
        findings: All of the report, for their places.
        thumbnails: As `check_page`.
    """
    heading, _, _, meaning = HEADINGS[severity]
    articles = [
        _article(place, finding, {key[1]: content for key, content in thumbnails.items() if key[0] == place})
        for place, finding in enumerate(findings)
        if finding.severity is severity
    ]
    if not articles:
        return NOTHING
    title = element(
        "h2",
        sign(severity.value),
        heading,
        " ",
        element("span", str(len(articles)), attributes={"class": "many"}),
        attributes={"id": f"{section_name(severity)}-title"},
    )
    return element(
        "section",
        title,
        element("p", meaning, attributes={"class": "quiet"}),
        *articles,
        attributes={"id": section_name(severity), "aria-labelledby": f"{section_name(severity)}-title"},
    )


def section_name(severity: Severity) -> str:
    """The section's `id`."""
    return HEADINGS[severity][2]


def command(text: str, label: str) -> Html:
    """A command to copy, under a label.

    One that holds what cannot be seen or written is shown with that spelt out, and says so.
    """
    shown = element("pre", element("code", *_words(text)))
    head = element("p", label, attributes={"class": "label"})
    if visible(text) == text:
        return element("div", head, shown, attributes={"class": "command", "data-copy": ""})
    warning = (
        "A name in it has characters that cannot be copied, written here with a \\: type that part anew."
    )
    return element(
        "div", head, shown, element("p", warning, attributes={"class": "quiet"}), attributes=_COMMAND
    )


_COMMAND = {"class": "command"}


def _words(text: str) -> list[Html | str]:
    """Words with hyphens are marked: browsers would end a line after the first hyphen of `--map`."""
    parts: list[Html | str] = []
    for place, word in enumerate(text.split(" ")):
        parts.append(" " if place else "")
        parts.append(element("span", word, attributes={"class": "word"}) if "-" in word else word)
    return parts


def _article(place: int, finding: Finding, thumbnails: Mapping[int, bytes]) -> Html:
    _, word, _, _ = HEADINGS[finding.severity]
    name = f"finding-{place + 1}"
    kind = element(
        "p",
        sign(finding.severity.value),
        element("span", word.capitalize()),
        " ",
        element("code", finding.kind),
        attributes={"class": "kind"},
    )
    return element(
        "article",
        kind,
        element("h3", finding.title, attributes={"id": f"{name}-title"}),
        element("p", finding.text, attributes={"class": "text"}) if finding.text else NOTHING,
        command(finding.remedy, "Remedy") if finding.remedy else NOTHING,
        _examples(finding, thumbnails),
        _files(finding.examples),
        _list(finding),
        attributes={
            "class": f"finding {finding.severity.value}",
            "id": name,
            "aria-labelledby": f"{name}-title",
        },
    )


def _list(finding: Finding) -> Html:
    """Where all the samples are named, for whoever leaves them out."""
    if not finding.leave_out:
        return NOTHING
    count = len(finding.leave_out)
    names = "its name stands" if count == 1 else f"all {count:,} names stand"
    return element(
        "p",
        f"For --leave-out {names} in ",
        element("code", list_name(finding.kind)),
        " beside this page.",
        attributes={"class": "quiet"},
    )


def _examples(finding: Finding, thumbnails: Mapping[int, bytes]) -> Html:
    pictured = [_pictured(finding.examples[place], thumbnails[place]) for place in sorted(thumbnails)]
    named = [_named(example) for place, example in enumerate(finding.examples) if place not in thumbnails]
    names_first = 0 if pictured else _OPEN_NAMES
    shown = joined((_grid(pictured[:_OPEN_PICTURES]), _names(named[:names_first])))
    hidden = len(pictured[_OPEN_PICTURES:]) + len(named[names_first:])
    if not finding.examples:
        return NOTHING
    of = (
        element(
            "p",
            f"{len(finding.examples)} of {finding.count:,} {finding.unit} are shown.",
            attributes={"class": "quiet of"},
        )
        if finding.count > len(finding.examples)
        else NOTHING
    )
    if not hidden:
        return joined((shown, of))
    more = element(
        "details",
        element("summary", f"{hidden} more"),
        _grid(pictured[_OPEN_PICTURES:]),
        _names(named[names_first:]),
    )
    return joined((shown, more, of))


def _grid(figures: Sequence[Html]) -> Html:
    return element("div", *figures, attributes={"class": "grid"}) if figures else NOTHING


def _names(items: Sequence[Html]) -> Html:
    return element("ul", *items, attributes={"class": "names"}) if items else NOTHING


def _pictured(example: Example, content: bytes) -> Html:
    ending, name = next((known for start, known in _FORMATS.items() if content.startswith(start)), ("", ""))
    if not ending:
        raise ValueError(f"{example.name}: a thumbnail must be a JPEG or PNG, got {content[:8]!r}")
    with Image.open(io.BytesIO(content), formats=[name]) as picture:  # reads no more than its header
        width, height = picture.size
    attributes = {
        "src": f"data:image/{ending};base64,{base64.b64encode(content).decode()}",
        "alt": f"Thumbnail of {example.name}",
        "width": str(width),
        "height": str(height),
        "decoding": "async",
    }
    caption = element("figcaption", _name(example), _text(example))
    return element("figure", element("img", attributes=attributes), caption)


def _named(example: Example) -> Html:
    return element("li", _name(example), _text(example))


def _name(example: Example) -> Html:
    return element("bdi", example.name, attributes={"class": "name"})


def _text(example: Example) -> Html:
    return (
        joined((" ", element("span", example.text, attributes={"class": "quiet"})))
        if example.text
        else NOTHING
    )


def _files(examples: Sequence[Example]) -> Html:
    """The files to open, one a line, so that they can be copied."""
    paths = dict.fromkeys(str(path) for example in examples for path in example.files)
    if not paths:
        return NOTHING
    many = f"{len(paths)} files" if len(paths) > 1 else "1 file"
    return element(
        "details",
        element("summary", f"{many} to open"),
        element(
            "ul", *(element("li", element("bdi", path)) for path in paths), attributes={"class": "files"}
        ),
        attributes={"class": "to-open"},
    )
