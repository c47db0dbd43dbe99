"""`--map`: pairs of raw values and ids as people write them.

Knows the grammar and nothing of masks and classes; whether an id is one of a class is the table's business.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pixelwise.drawing import IGNORE
from pixelwise.errors import ConfigError

LARGEST = 65535
"""The largest raw value."""

_PAIR = re.compile(r"([0-9]+)(?:-([0-9]+))?=(?:([0-9]+)(?:-([0-9]+))?|(ignore))")


def parse_map(texts: Iterable[str]) -> dict[int, int]:
    """Reads `--map`: `255=1`, `11=ignore`, and ranges `1-150=0-149` or `34-254=ignore`.

    Raises:
        ConfigError: A text is not of that form, or a raw value is mapped twice.
    """
    pairs: dict[int, int] = {}
    for text in texts:
        found = _PAIR.fullmatch(text.strip())
        if found is None:
            raise ConfigError(
                f"--map takes RAW=ID, for example 255=1, 11=ignore or 1-150=0-149, but got {text!r}"
            )
        first, last, target, target_last, ignore = found.groups()
        raws = _span(first, last, text)
        ids = [IGNORE] * len(raws) if ignore else _span(target, target_last, text)
        if len(ids) == 1 and target_last is None:
            ids = ids * len(raws)
        if len(ids) != len(raws):
            raise ConfigError(f"--map {text}: {len(raws)} raw values cannot become {len(ids)} ids")
        for raw, value in zip(raws, ids, strict=True):
            if pairs.setdefault(raw, value) != value:
                raise ConfigError(f"--map says both {raw}={pairs[raw]} and {raw}={value}; keep one")
    return pairs


def _span(first: str, last: str | None, text: str) -> list[int]:
    low, high = int(first), int(last) if last is not None else int(first)
    if not low <= high <= LARGEST:
        raise ConfigError(f"--map {text}: values must rise and lie in 0..{LARGEST}")
    return list(range(low, high + 1))
