"""What a mask's raw value means: the one explicit table from values or colours to train ids.

Knows arrays and class counts; where masks come from, and how they are found, is not its business. Nothing
is guessed: a value that the table lacks is an error that proposes the flag to copy.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwise.data.io import RawMask
from pixelwise.data.remedy import remedy, value_text
from pixelwise.data.resize import resize_mask
from pixelwise.drawing import IGNORE, Colour
from pixelwise.errors import ConfigError, DataError

LARGEST = 65535
_PAIR = re.compile(r"([0-9]+)(?:-([0-9]+))?=(?:([0-9]+)(?:-([0-9]+))?|(ignore))")


class UnknownValueError(DataError):
    """The mask at `path` holds what the table lacks; `seen` counts all its values, known ones too."""

    def __init__(self, message: str, seen: Mapping[int | Colour, int], path: Path) -> None:
        super().__init__(message)
        self.seen = dict(seen)
        self.path = path


@dataclass(frozen=True)
class LabelTable:
    """Raw value or colour -> train id; 255 means ignore.

    Attributes:
        classes: Number of classes; every id is below it, or 255.
        values: For masks `(H, W)`: raw value in 0..65535 -> id.
        colours: For masks `(H, W, 3)`: RGB -> id. Where it is empty, a mask whose three channels are equal
            everywhere is read as one channel; any other colour is unknown.
    """

    classes: int
    values: Mapping[int, int]
    colours: Mapping[Colour, int] = field(default_factory=dict[Colour, int])

    def __post_init__(self) -> None:
        for raw, target in (*self.values.items(), *self.colours.items()):
            if not (0 <= target < self.classes or target == IGNORE):
                raise ConfigError(
                    f"{value_text(raw)}={target} maps to no class: ids reach from 0 to {self.classes - 1}, "
                    "or say ignore"
                )
        if any(not 0 <= raw <= LARGEST for raw in self.values):
            raise ConfigError(f"raw mask values lie in 0..{LARGEST}, got {sorted(self.values)[-1]}")

    def apply(self, raw: RawMask, path: Path) -> npt.NDArray[np.uint8]:
        """The train ids `(H, W) uint8` of the raw mask.

        Raises:
            UnknownValueError: The mask holds what the table lacks; names the file, the values, their pixel
                counts and the mapping that would mend it.
        """
        return self._ids(*self._checked(raw, path))

    def apply_at(self, raw: RawMask, size: tuple[int, int], path: Path) -> npt.NDArray[np.uint8]:
        """As `apply`, resized to `size` = (height, width); every pixel is checked, few are looked up."""
        keys, coloured = self._checked(raw, path)
        return self._ids(resize_mask(keys, size), coloured)

    def _checked(self, raw: RawMask, path: Path) -> tuple[npt.NDArray[np.unsignedinteger[Any]], bool]:
        """What is looked up, `(H, W)`, all of it known: values, or colours as numbers; and which of these."""
        if raw.ndim == 3 and not self.colours and grey_only(raw):
            raw = np.ascontiguousarray(raw[..., 0])
        coloured = raw.ndim == 3
        keys = colour_codes(raw) if coloured else raw
        if keys.dtype == np.uint8:
            unknown = bool(keys.tobytes().translate(None, self._known))  # the fastest way through many bytes
        else:
            # Masks are even: it is enough to look at the pixels that differ from the next.
            flat = keys.ravel()
            ends = np.append(np.flatnonzero(flat[1:] != flat[:-1]), len(flat) - 1)
            lookup = self._colour_lookup if coloured else self._lookup
            unknown = bool((np.take(lookup, flat[ends]) == 0).any())
        if unknown:
            seen = count_values(raw)
            raise UnknownValueError(self.explain(seen, path), seen, path)
        return keys, coloured

    def _ids(self, keys: npt.NDArray[np.unsignedinteger[Any]], coloured: bool) -> npt.NDArray[np.uint8]:
        if keys.dtype == np.uint8:
            return np.take(self._bytes, keys)
        return (np.take(self._colour_lookup if coloured else self._lookup, keys) - 1).astype(np.uint8)

    def knows(self, value: int | Colour) -> bool:
        """Whether the table has an id for the raw value or colour."""
        return value in (self.colours if isinstance(value, tuple) else self.values)

    def explain(self, seen: Mapping[int | Colour, int], path: Path, *, files: int = 1) -> str:
        """Says which of the seen values are unknown, and what would mend it.

        Args:
            seen: Raw value or colour -> pixels, known ones too.
            path: The (first) mask in question.
            files: How many masks were found wanting.
        """
        unknown = {value: count for value, count in seen.items() if not self.knows(value)}
        noun = "colour" if any(isinstance(value, tuple) for value in unknown) else "value"
        listed = ", ".join(f"{value_text(v)} ({n:,} pixels)" for v, n in _largest(unknown, 6))
        more = f" and {len(unknown) - 6} more" if len(unknown) > 6 else ""
        masks = f" and {files - 1:,} more masks hold" if files > 1 else " holds"
        plural = "s" if len(unknown) > 1 else ""
        return (
            f"{path}{masks} the {noun}{plural} {listed}{more}, which no class has; "
            f"{remedy(seen, list(unknown), classes=self.classes, colour_table=bool(self.colours), path=path)}"
        )

    def digest(self) -> str:
        """A text that is equal for equal tables, for cache keys."""
        table = (self.classes, sorted(self.values.items()), sorted(self.colours.items()))
        return hashlib.sha256(json.dumps(table).encode()).hexdigest()

    # Both tables hold the id plus one, and 0 where there is none.

    @cached_property
    def _lookup(self) -> npt.NDArray[np.int16]:
        lookup = np.zeros(LARGEST + 1, np.int16)
        lookup[list(self.values)] = [target + 1 for target in self.values.values()]
        return lookup

    @cached_property
    def _colour_lookup(self) -> npt.NDArray[np.int16]:
        """One place for each of the 2^24 colours; the system gives memory only to those that are written."""
        lookup = np.zeros(1 << 24, np.int16)
        for (red, green, blue), target in self.colours.items():
            lookup[red | green << 8 | blue << 16] = target + 1
        return lookup

    @cached_property
    def _bytes(self) -> npt.NDArray[np.uint8]:
        return (np.maximum(self._lookup[:256], 1) - 1).astype(np.uint8)

    @cached_property
    def _known(self) -> bytes:
        return bytes(value for value in range(256) if value in self.values)


def build_table(
    classes: int, pairs: Mapping[int, int], colours: Mapping[Colour, int] | None = None
) -> LabelTable:
    """The table of `classes` ids: the pairs, and every value for itself that they leave free.

    A raw value 0..K-1 stands for its own id unless a pair names that raw value or that id: `255=1` takes
    the place of `1=1`, and `1=0` that of `0=0`, so that two raw values share a class only where both are
    written down. 255 means ignore unless a pair says otherwise.
    """
    named = set(pairs.values())
    values = {value: value for value in range(classes) if value not in named}
    values.setdefault(IGNORE, IGNORE)
    return LabelTable(classes, {**values, **pairs}, dict(colours or {}))


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


def count_values(raw: RawMask) -> Counter[int | Colour]:
    """How many pixels each raw value, or each colour of `(H, W, 3)`, has."""
    if raw.ndim == 2:
        counts = np.bincount(raw.ravel())
        return Counter({int(v): int(counts[v]) for v in np.flatnonzero(counts)})
    codes, numbers = np.unique(colour_codes(raw), return_counts=True)
    return Counter(
        {(int(c) & 255, int(c) >> 8 & 255, int(c) >> 16): int(n) for c, n in zip(codes, numbers, strict=True)}
    )


def colour_codes(raw: RawMask) -> npt.NDArray[np.uint32]:
    """RGB `(H, W, 3) uint8` as one number per pixel, `(H, W)`: red + 256 green + 65536 blue."""
    if raw.base is not None and raw.strides == (4 * raw.shape[1], 4, 1):  # three of four bytes, as `io` gives
        wide = np.ndarray(raw.shape[:2], np.dtype("<u4"), raw.base)
        if wide.ctypes.data == raw.ctypes.data:
            return np.bitwise_and(wide, np.uint32(0xFFFFFF), dtype=np.uint32)
    four = np.zeros((*raw.shape[:2], 4), np.uint8)
    four[..., :3] = raw
    return np.ndarray(raw.shape[:2], np.dtype("<u4"), four)


def grey_only(raw: RawMask) -> bool:
    """Whether the three channels of `(H, W, 3)` are equal everywhere."""
    return bool((raw[..., :1] == raw[..., 1:]).all())


def _span(first: str, last: str | None, text: str) -> list[int]:
    low, high = int(first), int(last) if last is not None else int(first)
    if not low <= high <= LARGEST:
        raise ConfigError(f"--map {text}: values must rise and lie in 0..{LARGEST}")
    return list(range(low, high + 1))


def _largest(counts: Mapping[int | Colour, int], limit: int) -> list[tuple[int | Colour, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], value_text(item[0])))[:limit]
