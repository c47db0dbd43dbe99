"""HTML that cannot be forgotten to be escaped: a plain string is text, and only `Html` is markup.

Names of files and classes are anybody's text. What no reader could see, or what UTF-8 cannot hold, is spelt
out. Knows nothing of what a page is about.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pixelwise.report.visible import visible

_VOID = frozenset({"br", "img", "link", "meta"})

_INLINE = frozenset({"a", "bdi", "circle", "code", "line", "path", "rect", "span", "strong", "svg"})
"""After any other element a line ends, so that people can read the source; no browser shows it."""


@dataclass(frozen=True)
class Html:
    """Markup that is complete and safe as it stands."""

    source: str


NOTHING = Html("")


def element(name: str, *content: Html | str, attributes: Mapping[str, str] | None = None) -> Html:
    """An element; strings in it, and the values of its attributes, are escaped.

    Args:
        name: Of the element; never anybody's text.
        content: What is in it, in order.
        attributes: Their names are never anybody's text either; one of no value is `""`.
    """
    written = "".join(f' {key}="{_escaped(value)}"' for key, value in (attributes or {}).items())
    end = "" if name in _INLINE else "\n"
    if name in _VOID:
        return Html(f"<{name}{written}>{end}")
    return Html(f"<{name}{written}>{joined(content).source}</{name}>{end}")


def joined(parts: Iterable[Html | str]) -> Html:
    """One after the other; strings are escaped."""
    return Html("".join(part.source if isinstance(part, Html) else _escaped(part) for part in parts))


def _escaped(text: str) -> str:
    return html.escape(visible(text), quote=True)
