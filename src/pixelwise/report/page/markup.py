"""HTML that cannot be forgotten to be escaped: a plain string is text, and only `Html` is markup.

Names of files and classes are anybody's text. What no reader could see, or what UTF-8 cannot hold, is spelt
out. Knows nothing of what a page is about.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters; tabs and ends of lines may stay
    "\u2028\u2029\u202a-\u202e\u2066-\u2069"  # ends of lines that are none; what turns writing round
    "\ud800-\udfff]"  # bytes of a file name that is not UTF-8, or halves of a character
)

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


def visible(text: str) -> str:
    r"""The text with everything that cannot be seen or written spelt out, such as `\x1b` or `\u202e`.

    A byte that made no UTF-8 in a file's name, which Python keeps as a lone surrogate, becomes `\xff`.
    """
    return _UNSEEN.sub(_spelt, text)


def _spelt(match: re.Match[str]) -> str:
    code = ord(match.group())
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _escaped(text: str) -> str:
    return html.escape(visible(text), quote=True)
