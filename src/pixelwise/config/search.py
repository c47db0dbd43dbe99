"""What a tuner may try: `lr=1e-4..1e-2:log`, `loss=ce,ce + dice`, read and checked. Knows no tuner."""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
import types
import typing
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Union

from pixelwise.config.augment import AugmentConfig
from pixelwise.config.checks import require
from pixelwise.config.data import DataConfig
from pixelwise.config.single import with_settings
from pixelwise.config.train import TrainConfig
from pixelwise.errors import ConfigError

_LONGEST = 2000
_MOST_CHOICES = 64
_HIGHEST_WHOLE = 2**31

_DIGITS = 4
"""Significant digits of a tried number: finer differences are noise, and a command line must be readable."""

_SAME_NETWORK = ("device", "checkpoint_seconds", "log_pictures", "mlflow", "wandb", "best_by")
"""Settings that train the same network, or choose another epoch of it."""

_RANGE = re.compile(r"\s*[-+0-9.eE_]*\d\.?\.\.[-+0-9.eE_]*(:\w*)?\s*")


@dataclass(frozen=True, kw_only=True)
class Range:
    """A number between two others, both included.

    Attributes:
        name: Of the setting.
        low: Below `high`.
        high: The highest value.
        log: Whether every power of ten gets an equal share of the trials.
        whole: Whether the setting takes whole numbers only.
    """

    name: str
    low: float
    high: float
    log: bool
    whole: bool

    def __str__(self) -> str:
        low, high = (int(n) if self.whole else n for n in (self.low, self.high))
        return f"{self.name}={low!r}..{high!r}{':log' if self.log else ''}"

    def value(self, raw: float) -> float:
        """What the setting becomes for a number that was drawn."""
        return int(raw) if self.whole else float(raw)

    def rounded(self, raw: float) -> float:
        """A drawn number with fewer digits, inside all the same."""
        return self.value(raw if self.whole else min(max(float(f"{raw:.{_DIGITS}g}"), self.low), self.high))

    def raw(self, value: object) -> float | None:
        """The number that gives a setting's value, or None where it lies outside."""
        if isinstance(value, (int, float)) and self.low <= value <= self.high:
            return value
        return None


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One of some values.

    Attributes:
        name: Of the setting.
        texts: The values as they were written; at least two.
    """

    name: str
    texts: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name}={','.join(self.texts)}"

    def value(self, raw: str) -> Any:
        """What the setting becomes for one of the texts."""
        return _parse(_hints()[self.name], raw, self.name)

    def raw(self, value: object) -> str | None:
        """The text that gives a setting's value, or None where none does."""
        return next((text for text in self.texts if self.value(text) == value), None)


Setting = Range | Choice


def parse_search(texts: Iterable[str], base: TrainConfig) -> tuple[Setting, ...]:
    """Reads `NAME=LOW..HIGH`, `NAME=LOW..HIGH:log` and `NAME=a,b,c`; the values of a pair stand with a space.

    Args:
        texts: One per setting.
        base: The other settings, which every value must go with.

    Raises:
        ConfigError: A name that there is not, a range that is none, a value that the setting does not take.
    """
    settings: list[Setting] = []
    for text in texts:
        setting = _read(text, base)
        require(
            all(setting.name != other.name for other in settings),
            f"--search names {setting.name} twice: give each setting once",
        )
        settings.append(setting)
    require(bool(settings), "there is nothing to search: name a setting, e.g. --search lr=1e-4..1e-2:log")
    return tuple(settings)


def default_search(base: TrainConfig) -> tuple[Setting, ...]:
    """The five settings that most often matter, around the base: steps, restraint, variety, objective."""
    high = min(10 * base.lr, 99.0)
    return parse_search(
        (
            f"lr={base.lr / 10!r}..{high!r}:log",
            "weight_decay=1e-6..1e-2:log",
            "scale=1 1,0.8 1.25,0.5 2",
            "colour=0..0.6",
            "loss=ce,ce + dice,ce + lovasz",
        ),
        base,
    )


def _read(text: str, base: TrainConfig) -> Setting:
    require(len(text) <= _LONGEST, f"--search {text[:40]}… is longer than {_LONGEST} letters")
    name, equals, values = text.partition("=")
    name = name.strip().replace("-", "_")
    require(bool(equals and name), f"--search needs NAME=LOW..HIGH or NAME=a,b,c, got {text!r:.100}")
    _check_name(name, base)
    hint = _hints()[name]
    kind = _plain_hint(hint)
    if kind in (int, float) and ".." in values:
        setting = _range(name, values, whole=kind is int)
        ends: list[Any] = [setting.value(setting.low), setting.value(setting.high)]
    else:
        require(
            not _RANGE.fullmatch(values),
            f"{name} is no number, so {text!r:.100} is no range: give its values, {name}=a,b,c",
        )
        setting = Choice(name=name, texts=tuple(_split(values)))
        ends = [setting.value(item) for item in setting.texts]
        require(2 <= len(ends) <= _MOST_CHOICES, f"--search {name} needs 2 to {_MOST_CHOICES} values")
        require(
            all(end not in ends[:number] for number, end in enumerate(ends)),
            f"--search {text!r:.100} gives a value twice",
        )
    for end in ends:
        with_settings(base, {name: end})
    return setting


def _check_name(name: str, base: TrainConfig) -> None:
    data = {field.name for field in dataclasses.fields(DataConfig)}
    require(name not in data, f"{name} changes what is measured, so its trials could not be compared")
    require(name not in _SAME_NETWORK, f"{name} makes no other network: there is nothing to search in it")
    if name not in _hints():
        near = difflib.get_close_matches(name, _hints(), 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(_hints()))}"
        raise ConfigError(f"--search: there is no setting {name!r:.60}: {hint}")
    require(name != "epochs" or base.steps is None, "--steps decides how long is trained: search steps")


def _range(name: str, text: str, *, whole: bool) -> Range:
    low, _, rest = text.partition("..")
    high, colon, kind = rest.partition(":")
    require(
        not colon or kind.strip() == "log",
        f"--search {name}: only :log may follow a range, got {kind!r:.40}",
    )
    try:
        ends = [int(end) if whole else float(end) for end in (low, high)]
    except ValueError:
        number = "whole number" if whole else "number"
        raise ConfigError(
            f"--search {name}: LOW..HIGH needs two {number}s, got {text.strip()!r:.60}"
        ) from None
    require(
        all(math.isfinite(end) and (not whole or abs(end) <= _HIGHEST_WHOLE) for end in ends),
        f"--search {name}: {text.strip()!r:.60} is too wide",
    )
    require(ends[0] < ends[1], f"--search {name}: LOW must be below HIGH, got {text.strip()!r:.60}")
    require(
        not colon or ends[0] > 0,
        f"--search {name}: a range with :log must begin above 0, got {text.strip()!r:.60}",
    )
    return Range(name=name, low=ends[0], high=ends[1], log=bool(colon), whole=whole)


def _split(text: str) -> list[str]:
    """At commas outside parentheses, for a loss may have arguments."""
    items, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth <= 0:
            items.append("")
        else:
            items[-1] += letter
    return [" ".join(item.split()) for item in items]


def _parse(hint: Any, text: str, name: str) -> Any:
    """One value as its setting's type; what the setting allows is checked by the config."""
    optional = type(None) in typing.get_args(hint)
    if optional and text.lower() == "none":
        return None
    kind = _plain_hint(hint)
    if typing.get_origin(kind) is tuple:
        kinds, words = typing.get_args(kind), text.split()
        if kinds[1:] == (Ellipsis,):
            kinds = kinds[:1] * len(words)
        require(
            len(kinds) == len(words), f"--search {name} takes {len(kinds)} values together, got {text!r:.60}"
        )
        return tuple(_parse(item, word, name) for item, word in zip(kinds, words, strict=True))
    if kind is bool:
        require(text.lower() in ("true", "false"), f"--search {name} takes true or false, got {text!r:.60}")
        return text.lower() == "true"
    if kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            number = math.nan
        require(math.isfinite(number), f"--search {name} takes {kind.__name__} numbers, got {text!r:.60}")
        return number
    return text


def _plain_hint(hint: Any) -> Any:
    """The type of a setting, without the None that it may be."""
    if typing.get_origin(hint) in (Union, types.UnionType):
        return next(item for item in typing.get_args(hint) if item is not type(None))
    return hint


def _hints() -> dict[str, Any]:
    """The types of the settings that can be searched, by flat name."""
    hints = {**typing.get_type_hints(TrainConfig), **typing.get_type_hints(AugmentConfig)}
    return {name: hint for name, hint in hints.items() if name not in ("augment", "data", *_SAME_NETWORK)}
