"""Small drawings as inline SVG: signs, swatches, bars, histograms. Numbers in, markup out.

Sizes and fills are attributes and classes, never `style`, which the page's policy forbids.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from pixelwise.drawing import Colour
from pixelwise.report.page.markup import Html, element

_HIDDEN = {"aria-hidden": "true", "focusable": "false"}

_DISC = '<circle cx="8" cy="8" r="7.25"/>'
_SIGNS = {
    "error": '<path d="M5 .75h6L15.25 5v6L11 15.25H5L.75 11V5z"/>'
    '<path class="mark" d="m5.2 5.2 5.6 5.6m0-5.6-5.6 5.6"/>',
    "warning": '<path d="M8 1.2 15.4 14.6H.6z"/><path class="mark" d="M8 6v4.2m0 2v.1"/>',
    "suspect": f'{_DISC}<path class="mark" d="M5.9 6.2a2.1 2.1 0 1 1 3.1 1.9q-1 .6-1 1.7m0 2.1v.1"/>',
    "note": f'{_DISC}<path class="mark" d="M8 7.3v4.4m0-7.2v.1"/>',
    "sound": f'{_DISC}<path class="mark" d="m4.7 8.3 2.3 2.3 4.4-5"/>',
}


def sign(name: str) -> Html:
    """A sign that differs by its shape: `error`, `warning`, `suspect`, `note` or `sound`.

    It is hidden from readers of the screen; the word always stands beside it.
    """
    attributes = {"class": f"sign {name}", "viewBox": "0 0 16 16", **_HIDDEN}
    return element("svg", Html(_SIGNS[name]), attributes=attributes)


def swatch(colour: Colour) -> Html:
    """A class's colour as a small square."""
    red, green, blue = colour
    square = {"width": "12", "height": "12", "fill": f"rgb({red},{green},{blue})"}
    attributes = {"class": "swatch", "viewBox": "0 0 12 12", **_HIDDEN}
    return element("svg", element("rect", attributes=square), attributes=attributes)


def bar(share: float, *, kind: str) -> Html:
    """A bar for a number that stands beside it.

    Args:
        share: Of the longest bar, in 0..1.
        kind: A class of the stylesheet.
    """
    full = {"class": "track", "width": "100", "height": "8"}
    width = min(max(100 * share, 1.0), 100.0) if share > 0 else 0.0  # a little of something can be seen
    part = {"class": kind, "width": number(width), "height": "8"}
    attributes = {"class": "bar", "viewBox": "0 0 100 8", "preserveAspectRatio": "none", **_HIDDEN}
    return element(
        "svg", element("rect", attributes=full), element("rect", attributes=part), attributes=attributes
    )


def histogram(
    edges: Sequence[float], counts: Sequence[int], *, marks: Sequence[float], name: str, title: str, text: str
) -> Html:
    """The bins as bars whose area is their count, and lines at some values.

    Args:
        edges: n + 1 rising limits.
        counts: n numbers, of at least 0.
        marks: Values in the edges' range, e.g. the median.
        name: Unique in the page, for `id`.
        title: What is shown, in a few words, for those who cannot see it.
        text: What there is to see, likewise.
    """
    first, span = edges[0], (edges[-1] - edges[0]) or 1.0
    widths = [(right - left) / span for left, right in itertools.pairwise(edges)]
    heights = [count / width if width > 0 else 0.0 for count, width in zip(counts, widths, strict=True)]
    highest = max(heights, default=0.0) or 1.0
    bars: list[Html] = []
    for left, right, count, width, height in zip(edges[:-1], edges[1:], counts, widths, heights, strict=True):
        if not count:
            continue
        tall = max(98 * height / highest, 1.0)
        place = {
            "x": number(1000 * (left - first) / span),
            "y": number(100 - tall),
            "width": number(max(1000 * width - 3, 1.0)),  # a little room between the bars
            "height": number(tall),
        }
        hover = element("title", f"{figure(left)} to {figure(right)}: {count:,}")
        bars.append(element("rect", hover, attributes={"class": "bin", **place}))
    lines = [
        element("line", attributes={"class": "median", "x1": at, "x2": at, "y1": "0", "y2": "100"})
        for at in (number(1000 * (value - first) / span) for value in marks if math.isfinite(value))
    ]
    attributes = {
        "class": "histogram",
        "viewBox": "0 0 1000 100",
        "preserveAspectRatio": "none",
        "role": "img",
        "aria-labelledby": f"{name}-title",
        "aria-describedby": f"{name}-text",
    }
    return element(
        "svg",
        element("title", title, attributes={"id": f"{name}-title"}),
        element("desc", text, attributes={"id": f"{name}-text"}),
        *bars,
        *lines,
        attributes=attributes,
    )


def number(value: float) -> str:
    """For an attribute: `33.33`, `5`."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def figure(value: float) -> str:
    """For people: `1,234`, `63.5`, `1.33`, `0.0123`."""
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"
