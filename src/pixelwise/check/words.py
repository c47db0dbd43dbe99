"""Numbers and names in sentences. Knows nothing of what is counted."""

from __future__ import annotations

from collections.abc import Iterable


def listed(names: Iterable[str], most: int = 8) -> str:
    """`a, b and 3 more`."""
    every = list(names)
    more = f" and {len(every) - most:,} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def times(count: int, noun: str, several: str = "") -> str:
    """`1 mask`, `12,345 masks`."""
    return f"{count:,} {noun if count == 1 else several or noun + 's'}"
