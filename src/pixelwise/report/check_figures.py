"""A data set in figures as markup: the key facts, the classes, the distributions.

Knows neither findings nor the page around it.
"""

from __future__ import annotations

from collections.abc import Sequence

from pixelwise.check.report import ClassRow, Histogram, Report, Side
from pixelwise.report.page.markup import NOTHING, Html, element
from pixelwise.report.page.svg import bar, figure, histogram, swatch


def key_facts(report: Report) -> Html:
    """Format, pictures, classes, the split, and the notes."""
    pictures = f"{report.pictures:,}"
    if report.reused:
        pictures += f" ({report.reused:,} unchanged since an earlier check)"
    facts = [("Format", report.format or "none: it could not be opened"), ("Pictures", pictures)]
    if report.classes:
        facts.append(("Classes", f"{len(report.classes)}"))
    pairs = (element("div", element("dt", name), element("dd", value)) for name, value in facts)
    notes = (element("li", note) for note in report.notes)
    return element(
        "section",
        element("h2", "Data set", attributes={"id": "facts-title"}),
        element("dl", *pairs),
        _split(report.sides) if report.sides else NOTHING,
        element("ul", *notes, attributes={"class": "notes"}) if report.notes else NOTHING,
        attributes={"id": "facts", "aria-labelledby": "facts-title"},
    )


def class_table(classes: Sequence[ClassRow]) -> Html:
    """A row for each class; nothing where there is none."""
    if not classes:
        return NOTHING
    longest = max(max(row.train_share, row.val_share) for row in classes) or 1.0
    heads = (
        ("Id", True),
        ("Class", False),
        ("Share of train", False),
        ("Share of val", False),
        ("Train pictures", True),
        ("Val pictures", True),
        ("Weight", True),
        ("Narrowest", True),
    )
    head = element(
        "tr",
        *(
            element("th", name, attributes={"scope": "col", **(_RIGHT if right else {})})
            for name, right in heads
        ),
    )
    rows = (_class_row(number, row, longest) for number, row in enumerate(classes))
    return element(
        "section",
        element("h2", "Classes", attributes={"id": "classes-title"}),
        element("p", _CLASSES_TEXT, attributes={"class": "quiet"}),
        _scrolled(
            "Classes", element("table", element("thead", head), element("tbody", *rows), attributes=_WIDE)
        ),
        attributes={"id": "classes", "aria-labelledby": "classes-title"},
    )


def distributions(histograms: Sequence[Histogram]) -> Html:
    """A histogram for each figure; nothing where there is none."""
    if not histograms:
        return NOTHING
    drawn = (_histogram(f"histogram-{place + 1}", item) for place, item in enumerate(histograms))
    return element(
        "section",
        element("h2", "Distributions", attributes={"id": "distributions-title"}),
        element("p", "Over the usable pictures. The line is the median.", attributes={"class": "quiet"}),
        element("div", *drawn, attributes={"class": "histograms"}),
        attributes={"id": "distributions", "aria-labelledby": "distributions-title"},
    )


_RIGHT = {"class": "right"}
_WIDE = {"class": "classes"}

_ABSENT = "\N{EN DASH}"

_CLASSES_TEXT = (
    "Shares are of the labelled pixels of each side. The weight is by median frequency over the training "
    "side. A tenth of a class's pixels lie in objects narrower than the last column says, in a picture of "
    "the median size."
)


def _split(sides: Sequence[Side]) -> Html:
    names = ("Side", "Pictures", "Usable", "Labelled pixels", "Ignored")
    head = element(
        "tr",
        element("th", names[0], attributes={"scope": "col"}),
        *(element("th", name, attributes={"scope": "col", **_RIGHT}) for name in names[1:]),
    )
    rows: list[Html] = []
    for side in sides:
        pixels = side.labelled + side.ignored
        ignored = percent(side.ignored / pixels) if pixels else _ABSENT
        cells = (f"{side.pictures:,}", f"{side.sound:,}", f"{side.labelled:,}", ignored)
        rows.append(
            element(
                "tr",
                element("th", side.name, attributes={"scope": "row"}),
                *(element("td", cell, attributes=_RIGHT) for cell in cells),
            )
        )
    return _scrolled("Split", element("table", element("thead", head), element("tbody", *rows)))


def _scrolled(name: str, table: Html) -> Html:
    """A box of its own that scrolls sidewise, by keys too, so that the page does not."""
    return element(
        "div", table, attributes={"class": "scrolled", "role": "region", "aria-label": name, "tabindex": "0"}
    )


def _class_row(number: int, row: ClassRow, longest: float) -> Html:
    shares = (
        element("td", bar(share / longest, kind=kind), " ", percent(share), attributes={"class": "share"})
        for share, kind in ((row.train_share, "train"), (row.val_share, "val"))
    )
    narrow = (
        _ABSENT
        if row.narrow is None
        else f"{row.narrow:.1f} px"
        if row.narrow < 9.95
        else f"{row.narrow:,.0f} px"
    )
    weight = _ABSENT if not row.weight else three(row.weight)
    return element(
        "tr",
        element("td", str(number), attributes=_RIGHT),
        element("th", swatch(row.colour), element("bdi", row.name), attributes={"scope": "row"}),
        *shares,
        *(
            element("td", cell, attributes=_RIGHT)
            for cell in (f"{row.train_pictures:,}", f"{row.val_pictures:,}", weight, narrow)
        ),
    )


def _histogram(name: str, item: Histogram) -> Html:
    low, middle, high = (figure(value) for value in (item.low, item.middle, item.high))
    unit = f" {item.unit}" if item.unit else ""
    fullest = max(range(len(item.counts)), key=item.counts.__getitem__)
    drawn = histogram(
        item.edges,
        item.counts,
        marks=(item.middle,),
        name=name,
        title=f"How {item.name} is distributed",
        text=f"{sum(item.counts):,} pictures in {len(item.counts)} bins from {figure(item.edges[0])} to "
        f"{figure(item.edges[-1])}{unit}; most, {item.counts[fullest]:,}, from "
        f"{figure(item.edges[fullest])} to {figure(item.edges[fullest + 1])}. 1st percentile {low}, "
        f"median {middle}, 99th percentile {high}.",
    )
    ends = element(
        "div",
        element("span", figure(item.edges[0])),
        element("span", figure(item.edges[-1])),
        attributes={"class": "ends", "aria-hidden": "true"},
    )
    pairs = (
        element("div", element("dt", label), element("dd", value))
        for label, value in (("Low (1%)", low), ("Median", middle), ("High (99%)", high))
    )
    shown = element("span", item.unit, attributes={"class": "many"}) if item.unit else NOTHING
    title = element("h3", item.name[:1].upper() + item.name[1:], " ", shown)
    return element(
        "figure",
        element("figcaption", title),
        drawn,
        ends,
        element("dl", *pairs, attributes={"class": "marks"}),
    )


def percent(share: float) -> str:
    """`12.3%`, `0.0120%`, `<0.01%`, `0%`."""
    value = 100 * share
    if not value:
        return "0%"
    return "<0.01%" if value < 0.01 else f"{three(value)}%"


def three(value: float) -> str:
    """Three figures that count, zeros among them, so that a column is even: `0.0800`, `25.0`, `400`."""
    return f"{value:#.3g}".rstrip(".") if value < 999.5 else f"{value:,.0f}"
