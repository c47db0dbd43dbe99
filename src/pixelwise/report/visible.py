"""Anybody's text made fit to be seen: on a page, and at a terminal, which obeys what it cannot show.

Knows characters only.
"""

from __future__ import annotations

import re

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters; tabs and ends of lines may stay
    "\u2028\u2029\u202a-\u202e\u2066-\u2069"  # ends of lines that are none; what turns writing round
    "\ud800-\udfff]"  # bytes of a file name that is not UTF-8, or halves of a character
)


def visible(text: str) -> str:
    r"""The text with everything that cannot be seen or written spelt out, such as `\x1b` or `\u202e`.

    A byte that made no UTF-8 in a file's name, which Python keeps as a lone surrogate, becomes `\xff`.
    """
    return _UNSEEN.sub(_spelt, text)


def in_a_line(text: str) -> str:
    r"""As `visible`, with ends of lines and tabs spelt out too: a name must not make a line of its own."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def _spelt(match: re.Match[str]) -> str:
    code = ord(match.group())
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
