"""A whole HTML file that asks nobody for anything: its style, its script and its pictures are in it.

The Content-Security-Policy names the one stylesheet and the one script by their digests, so that nothing that
a data set's names smuggle in could run, be styled or be fetched. Knows nothing of what a page is about.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from pixelwise.report.page.markup import Html, element, joined


def document(title: str, body: Html) -> str:
    """The file's text, to be written as UTF-8.

    Args:
        title: Of the window.
        body: All that is in `<body>`.
    """
    style, script = _part("style.css"), _part("script.js")
    policy = "; ".join(
        (
            "default-src 'none'",
            "img-src data:",
            f"style-src {_digest(style)}",
            f"script-src {_digest(script)}",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    head = element(
        "head",
        element("meta", attributes={"charset": "utf-8"}),
        element("meta", attributes={"http-equiv": "Content-Security-Policy", "content": policy}),
        element("title", title),
        element("meta", attributes={"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("meta", attributes={"name": "color-scheme", "content": "light dark"}),
        element("meta", attributes={"name": "referrer", "content": "no-referrer"}),
        # Without it a browser asks the server, where there is one, for a picture that is not there.
        element("link", attributes={"rel": "icon", "href": "data:,"}),
        element("style", Html(style)),
    )
    page = element("html", head, element("body", body, element("script", Html(script))), attributes=_LANGUAGE)
    return joined((Html("<!doctype html>\n"), page)).source


_LANGUAGE = {"lang": "en"}


def _part(name: str) -> str:
    return (files("pixelwise.report.page") / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
