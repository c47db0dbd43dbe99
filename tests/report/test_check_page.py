"""The page of a check: well-formed, whole, safe whatever the names are, and readable by its colours."""

import base64
import hashlib
import itertools
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from drawn_report import (
    drawn_failure,
    drawn_findings,
    drawn_report,
    drawn_thumbnail,
    drawn_thumbnails,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.check.finding import Example, Finding, Severity
from pixelwise.report.check_figures import percent
from pixelwise.report.check_page import check_page, duration
from pixelwise.report.visible import visible

VOID = {"meta", "link", "img", "br", "circle", "path", "rect", "line"}
"""Elements without an end, or closed where they begin."""

EVIL = "</code></script><script>alert(1)</script>\"' onload='x"


class Page(HTMLParser):
    """The page's elements and texts; complains about what is not nested."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(source)
        self.close()
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), f"an attribute twice: {attrs}"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data))

    def all(self, *names):
        return [attributes for tag, attributes in self.elements if tag in names]

    @property
    def text(self):
        """What can be read, without style and script."""
        return "".join(data for tag, data in self.texts if tag not in ("style", "script"))


def many_findings():
    """20 findings of 24 examples."""
    return tuple(
        Finding(
            kind=f"kind_{i}",
            severity=list(Severity)[i // 5],
            title=f"finding {i}",
            text="",
            count=500,
            examples=tuple(Example(name=f"sample_{i}_{j}", index=j) for j in range(24)),
        )
        for i in range(20)
    )


REPORTS = {
    "usual": drawn_report(),
    "many": drawn_report(classes=150, findings=many_findings()),
    "clean": drawn_report(findings=()),
    "failed": drawn_failure(),
}


@pytest.fixture(params=REPORTS)
def report(request):
    return REPORTS[request.param]


def test_well_formed(report):
    source = check_page(report, drawn_thumbnails(report))
    page = Page(source)
    assert source.startswith("<!doctype html>\n<html lang=")
    names = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(set(names)) == len(names)
    # what is pointed at is there
    for _, attributes in page.elements:
        for key in ("aria-labelledby", "aria-describedby"):
            assert attributes.get(key, names[0]) in names
        if "href" in attributes and attributes["href"] != "data:,":
            assert attributes["href"].removeprefix("#") in names
    for head in page.all("th"):
        assert head["scope"] in ("col", "row")


def test_headings_go_down_one_step_at_a_time(report):
    page = Page(check_page(report, {}))
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels))
    assert len(page.all("main")) == 1


def test_asks_nobody_for_anything(report):
    source = check_page(report, drawn_thumbnails(report))
    page = Page(source)
    for tag, attributes in page.elements:
        for key in ("src", "href", "srcset", "data", "action", "poster", "xlink:href"):
            value = attributes.get(key) or "#"
            assert value.startswith(("#", "data:")), (tag, key, value[:60])
        assert "style" not in attributes  # the policy forbids it
        assert not any(key.startswith("on") for key in attributes)
    assert "//" not in "".join(str(v) for _, a in page.elements for v in a.values() if not is_data(v))
    style, script = (re.search(rf"<{t}>(.*?)</{t}>", source, re.DOTALL)[1] for t in ("style", "script"))
    assert not re.search(r"url\(|@import|@font-face|https?:", style)
    assert not re.search(r"fetch|XMLHttp|import|innerHTML|eval|https?:", script)


def is_data(value):
    return isinstance(value, str) and value.startswith("data:image/")


def test_the_policy_names_style_and_script_by_digest(report):
    source = check_page(report, {})
    [policy] = [m["content"] for m in Page(source).all("meta") if m.get("http-equiv")]
    assert policy.startswith("default-src 'none'; img-src data:; ")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        [content] = re.findall(rf"<{tag}>(.*?)</{tag}>", source, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    # it counts for what comes after it
    assert source.index("Content-Security-Policy") < source.index("<style>") < source.index("<script>")


def test_says_everything():
    report = drawn_report()
    text = Page(check_page(report, drawn_thumbnails(report))).text
    for finding in report.findings:
        for said in (finding.title, finding.text, finding.remedy, finding.kind):
            assert said in text
        for example in finding.examples:
            assert example.name in text
            assert example.text in text
            assert all(str(path) in text for path in example.files)
    for row in report.classes:
        assert row.name in text
    for note in report.notes:
        assert note in text
    for said in (report.verdict, report.command, "pixelwise 0.1.0", "1 min 15 s", "60,118,240", "451"):
        assert said in text
    assert "24 of 130 samples are shown" in text
    assert "26.5%" in text  # of 1 / (1 + 0.75 + ... + 0.75 ** 9)


@pytest.mark.parametrize(
    ("findings", "word", "sign"),
    [
        (drawn_findings(), "No", "error"),
        (drawn_findings()[3:], "Yes, with warnings", "warning"),
        (drawn_findings()[7:], "Yes", "sound"),
        ((), "Yes", "sound"),
    ],
)
def test_the_verdict_is_a_word_and_a_sign(findings, word, sign):
    source = check_page(drawn_report(findings=findings), {})
    assert f"<strong>{word}</strong>" in source
    assert f"<title>{word}: camvid" in source
    assert re.search(rf'<div class="verdict {sign}"><svg class="sign {sign}"', source)


def test_counts_lead_to_their_sections():
    source = check_page(drawn_report(findings=drawn_findings()[3:]), {})
    counts = re.search(r'<ul class="counts">.*?</ul>', source, re.DOTALL)[0]
    page = Page(counts)
    assert [a["href"] for a in page.all("a")] == ["#warnings", "#suspects", "#notes"]
    assert re.sub(r"\s+", " ", page.text).strip().split() == (
        "0 errors 4 warnings 3 suspects 2 notes".split()  # noqa: SIM905
    )


def test_thumbnails_stand_there_once_each():
    report = drawn_report(findings=many_findings())
    thumbnails = drawn_thumbnails(report)
    assert len(thumbnails) == 240
    pictures = Page(check_page(report, thumbnails)).all("img")
    found = {(picture["src"], picture["alt"]) for picture in pictures}
    assert len(pictures) == 240
    assert found == {
        (
            f"data:image/{'png' if content[1:4] == b'PNG' else 'jpeg'};base64,"
            + base64.b64encode(content).decode(),
            f"Thumbnail of {report.findings[place].examples[number].name}",
        )
        for (place, number), content in thumbnails.items()
    }
    assert all((picture["width"], picture["height"]) == ("24", "16") for picture in pictures)


def test_what_is_no_thumbnail_is_refused():
    report = drawn_report()
    with pytest.raises(ValueError, match="JPEG or PNG"):
        check_page(report, {(0, 0): b"<svg onload=alert(1)>"})
    for place in ((99, 0), (0, 99), (0, -1), (-1, 0)):
        with pytest.raises(ValueError, match="no example"):
            check_page(report, {place: drawn_thumbnail(0, "PNG")})


def test_the_others_can_be_opened():
    report = drawn_report()  # the fourth has 24 examples, twelve of them with a picture
    source = check_page(report, drawn_thumbnails(report))
    article = re.search(r'<article[^>]*id="finding-4".*?</article>', source, re.DOTALL)[0]
    before, after = article.split("<summary>18 more</summary>")
    assert (before.count("<img"), after.count("<img")) == (6, 6)
    assert (before.count("<li>"), after.count("<li>")) == (0, 12 + 48)  # 48 are the files


def test_without_thumbnails_names_are_listed():
    article = re.search(
        r'<article[^>]*id="finding-4".*?</article>', check_page(drawn_report(), {}), re.DOTALL
    )[0]
    before, _ = article.split("<summary>16 more</summary>")
    assert before.count("<li>") == 8
    assert "<figure>" not in article


def hostile(evil):
    report = drawn_report()
    examples = (Example(name=evil, text=evil, index=0, files=(Path(evil),)),)
    return replace(
        report,
        data=Path("/mnt") / evil.replace("/", "|"),
        format=evil,
        notes=(evil,),
        command=evil,
        version=evil,
        sides=tuple(replace(side, name=evil) for side in report.sides),
        classes=tuple(replace(row, name=evil) for row in report.classes[:2]),
        histograms=tuple(replace(item, name=evil, unit=evil) for item in report.histograms[:1]),
        findings=tuple(
            replace(finding, kind=evil, title=evil, text=evil, remedy=evil, examples=examples)
            for finding in report.findings
        ),
    )


def test_names_are_text_and_nothing_else():
    harmless, evil = hostile("(harmless)"), hostile(EVIL)
    one, other = (Page(check_page(report, drawn_thumbnails(report))) for report in (harmless, evil))
    # The same elements with the same attributes, whatever the names are
    assert [(tag, set(a)) for tag, a in one.elements] == [(tag, set(a)) for tag, a in other.elements]
    assert one.text.count("(harmless)") == other.text.count(EVIL) + other.text.count(EVIL.replace("/", "|"))
    assert any(EVIL in (picture["alt"] or "") for picture in other.all("img"))


@settings(max_examples=25, deadline=None)
@given(st.text(st.characters(codec=None, exclude_categories=()), min_size=1, max_size=30))
def test_any_text_can_be_written(text):
    text = text.replace("\0", "") or "x"
    source = check_page(hostile(text), {})
    assert source == source.encode("utf-8").decode("utf-8")
    page = Page(source)
    assert [tag for tag, _ in page.elements].count("script") == 1


def test_bytes_that_are_no_utf8_are_seen():
    name = b"caf\xe9.png".decode("utf-8", "surrogateescape")
    source = check_page(hostile(name), {})
    source.encode("utf-8")
    assert "caf\\xe9.png" in source
    # such a command cannot be copied, and says so
    assert "data-copy" not in re.sub(r"<script>.*?</script>", "", source, flags=re.DOTALL)
    assert "characters that cannot be copied" in source


def test_what_turns_writing_round_is_spelt_out():
    assert visible("photo\u202egnp.exe") == "photo\\u202egnp.exe"
    assert visible("a\x1b[31m\x7f\u2028\ud800") == "a\\x1b[31m\\x7f\\u2028\\ud800"
    assert visible("käse\t\n日本 😀") == "käse\t\n日本 😀"


def test_a_failed_check_shows_no_empty_parts():
    page = Page(check_page(drawn_failure(), {}))
    assert "it could not be opened" in page.text
    assert not page.all("table")
    assert {a["id"] for a in page.all("section")} == {"facts", "errors"}
    assert "Classes" not in page.text


def test_histograms_are_told_in_words():
    page = Page(check_page(drawn_report(), {}))
    drawings = [a for a in page.all("svg") if a.get("role") == "img"]
    assert len(drawings) == 4
    assert (
        "462 pictures in 24 bins from 360 to 361 pixels; most, 462, from 360 to 360.0. 1st percentile 360, "
        "median 360, 99th percentile 360." in page.text
    )
    assert all(said in page.text for said in ("0.66", "1.22", "1.77"))


def test_the_bins_fill_the_drawing():
    # 24 bins: each begins a twenty-fourth of 1000 further on; the highest, of 52, is 98 of 100
    source = check_page(drawn_report(), {})
    drawing = re.findall(r'<svg class="histogram".*?</svg>', source, re.DOTALL)[2]
    bins = Page(drawing).all("rect")
    assert len(bins) == 22  # of 24 two are empty
    assert [b["x"] for b in bins[:2]] == ["41.67", "83.33"]
    assert max(float(b["height"]) for b in bins) == 98
    assert float(bins[1]["height"]) == pytest.approx(98 * 3 / 52, abs=0.01)
    [median] = Page(drawing).all("line")
    assert float(median["x1"]) == pytest.approx(1000 * (76.5 - 20) / 120, abs=0.01)


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0%"), (1e-6, "<0.01%"), (0.0001, "0.0100%"), (0.04567, "4.57%"), (0.25, "25.0%"), (1, "100%")],
)
def test_shares(share, text):
    assert percent(share) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.03, "0.0 s"), (59.94, "59.9 s"), (59.96, "1 min 00 s"), (75, "1 min 15 s"), (7500, "2 h 05 min")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_contrast():
    """WCAG AA: 4.5 to 1 for text on every ground it stands on, 3 to 1 for what is drawn, in both schemes."""
    source = check_page(drawn_report(), {})
    blocks = re.findall(r":root \{(.*?)\}", source, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))
        assert len(colours) == 17
        for ground in ("paper", "panel", "error-soft", "warning-soft", "sound-soft"):
            for text in ("ink", "quiet"):
                assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
        for text in ("link", "error", "warning", "suspect", "note", "sound"):
            assert contrast(colours[text], colours["paper"]) >= 4.5, text
        for kind in ("error", "warning", "sound"):
            assert contrast(colours[kind], colours[f"{kind}-soft"]) >= 4.5, kind
        for drawn in ("train", "val"):
            assert contrast(colours[drawn], colours["track"]) >= 3, drawn


def contrast(one, other):
    a, b = sorted((luminance(one), luminance(other)), reverse=True)
    return (a + 0.05) / (b + 0.05)


def luminance(colour):
    linear = [
        v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4
        for v in (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_one_command_for_all_stands_behind_the_findings():
    remedy = "pixelwise train data/camvid --map 255=1 --snap 3 --leave-out check/blank.txt"
    page = Page(check_page(replace(drawn_report(), remedy=remedy), {}))
    sections = [attributes.get("id") for attributes in page.all("section")]
    assert sections.index("notes") < sections.index("together") < sections.index("classes")
    assert "#together" in [attributes.get("href") for attributes in page.all("a")]
    assert remedy in page.text
    assert "together" not in check_page(drawn_report(), {})


@pytest.mark.parametrize("given", [".", "../pets"])
def test_a_page_is_called_by_the_folders_own_name(given, tmp_path, monkeypatch):
    (tmp_path / "pets").mkdir()
    monkeypatch.chdir(tmp_path / "pets")
    page = Page(check_page(replace(drawn_report(), data=Path(given)), {}))
    assert ("bdi", "pets") in page.texts
    assert ("title", "No: pets \N{EN DASH} pixelwise check") in page.texts
