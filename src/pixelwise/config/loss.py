"""The grammar of a loss: `ce + 0.5*dice`, `tversky(alpha=0.3, beta=0.7)`. Knows no loss and no torch.

sum       := term ("+" term)*
term      := [number "*"] name ["(" [name "=" value ("," name "=" value)*] ")"]
value     := number | word
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pixelwise.errors import ConfigError

_LONGEST = 1000
"""Characters; a sum of all terms with all their parameters has 300."""

_NUMBER = r"[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?"
_WORD = r"[A-Za-z_][A-Za-z0-9_]*"
_TOKEN = re.compile(rf"\s*(?:(?P<number>{_NUMBER})|(?P<word>{_WORD})|(?P<sign>[-+*(),=]))")


@dataclass(frozen=True)
class LossTerm:
    """One summand: its name, its factor (above 0), and its own parameters."""

    name: str
    factor: float = 1.0
    arguments: Mapping[str, int | float | str] = field(default_factory=dict[str, "int | float | str"])


def parse_loss(text: str) -> tuple[LossTerm, ...]:
    """The summands of a loss, in the order of the text.

    Raises:
        ConfigError: The text is no sum of terms, a factor is not above 0, or a term stands there twice.
    """
    terms = _Parser(text).sum()
    names = [term.name for term in terms]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(
            f"the loss {text!r} has {twice[0]} twice: give it once, with the sum of its factors"
        )
    return terms


class _Parser:
    """Reads a text from left to right; one token ahead."""

    def __init__(self, text: str) -> None:
        self._text = text
        if len(text) > _LONGEST:
            raise ConfigError(f"a loss has at most {_LONGEST} characters, got {len(text)}")
        self._tokens: list[tuple[str, str, int]] = []
        place, end = 0, len(text.rstrip())
        while place < end:
            match = _TOKEN.match(text, place)
            if match is None:
                raise self._error(f"{text[place:].strip()[:20]!r} is not understood")
            kind = match.lastgroup or ""
            self._tokens.append((kind, match.group(kind), match.end()))
            place = match.end()
        self._next = 0

    def sum(self) -> tuple[LossTerm, ...]:
        terms = [self._term()]
        while self._take("+"):
            terms.append(self._term())
        if self._next < len(self._tokens):
            raise self._error(f"{self._tokens[self._next][1]!r} cannot follow a term")
        return tuple(terms)

    def _term(self) -> LossTerm:
        factor = 1.0
        if self._kind() == "number":
            factor = self._number()
            if not factor > 0:
                raise self._error("a factor must be above 0")
            self._expect("*")
        if self._kind() != "word":
            raise self._error("a term begins with the name of a loss, or with a factor and *")
        name, arguments = self._advance(), dict[str, "int | float | str"]()
        if self._take("(") and not self._take(")"):
            while True:
                key = self._advance() if self._kind() == "word" else ""
                if not key or key in arguments:
                    raise self._error(f"{name} takes parameters as (NAME=VALUE, …), each once")
                self._expect("=")
                arguments[key] = self._value()
                if self._take(")"):
                    break
                self._expect(",")
        return LossTerm(name, factor, arguments)

    def _value(self) -> int | float | str:
        if self._kind() == "word":
            return self._advance()
        negative = self._take("-")
        if self._kind() != "number":
            raise self._error("a parameter's value is a number or a word")
        number = self._number()
        return -number if negative else number

    def _number(self) -> int | float:
        text = self._advance()
        number = int(text) if text.isdigit() else float(text)
        if not abs(number) < 1e300:
            raise self._error("a number is too large")
        return number

    def _kind(self) -> str:
        return self._tokens[self._next][0] if self._next < len(self._tokens) else "end"

    def _advance(self) -> str:
        self._next += 1
        return self._tokens[self._next - 1][1]

    def _take(self, sign: str) -> bool:
        found = self._next < len(self._tokens) and self._tokens[self._next][1] == sign
        self._next += found
        return found

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise self._error(f"{sign!r} is missing")

    def _error(self, reason: str) -> ConfigError:
        read = self._text[: self._tokens[self._next - 1][2]] if getattr(self, "_next", 0) else ""
        where = f" after {read[-40:].strip()!r}" if read else ""
        return ConfigError(
            f'the loss {self._text[:60]!r} is no sum like "ce + 0.5*dice" or "ohem(share=0.25)": '
            f"{reason}{where}"
        )
