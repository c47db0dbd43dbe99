"""What a mask's raw value means: the one explicit table from values or colours to train ids.

Knows arrays and class counts; where masks come from, and how they are found, is not its business. Nothing
is guessed: a value that the table lacks is an error that proposes the flag to copy.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwise.data.io import RawMask
from pixelwise.data.map_flag import LARGEST, parse_map
from pixelwise.data.raw_mask import codes_of, colour_codes, count_values, grey_only
from pixelwise.data.remedy import Proposal, propose, value_text
from pixelwise.data.resize import resize_mask
from pixelwise.data.snap import AMBIGUOUS, closest, largest_tolerance, nearest_colours, widened
from pixelwise.drawing import IGNORE, Colour
from pixelwise.errors import ConfigError, DataError


class UnknownValueError(DataError):
    """The mask at `path` holds what the table lacks.

    Attributes:
        seen: Raw value or colour -> pixels, known ones too.
        path: The mask.
        changes: Fields of `DataConfig` that would mend this mask; none where no flag does.
    """

    def __init__(
        self, message: str, seen: Mapping[int | Colour, int], path: Path, changes: Mapping[str, Any]
    ) -> None:
        super().__init__(message)
        self.seen = dict(seen)
        self.path = path
        self.changes = changes

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.seen, self.path, dict(self.changes))


@dataclass(frozen=True)
class LabelTable:
    """Raw value or colour -> train id; 255 means ignore.

    Attributes:
        classes: Number of classes; every id is below it, or 255.
        values: For masks `(H, W)`: raw value in 0..65535 -> id.
        colours: For masks `(H, W, 3)`: RGB -> id. Where it is empty, a mask whose three channels are equal
            everywhere is read as one channel; any other colour is unknown.
        tolerance: A value or colour that the table lacks is taken for the nearest one that it has, if no
            channel differs by more. Values stay exact where they lie too near each other for that; without
            colours this is an error. A colour as near to one class as to another stays unknown.
    """

    classes: int
    values: Mapping[int, int]
    colours: Mapping[Colour, int] = field(default_factory=dict[Colour, int])
    tolerance: int = 0

    def __post_init__(self) -> None:
        for raw, target in (*self.values.items(), *self.colours.items()):
            if not (0 <= target < self.classes or target == IGNORE):
                raise ConfigError(
                    f"{value_text(raw)}={target} maps to no class: ids reach from 0 to {self.classes - 1}, "
                    "or say ignore"
                )
        if any(not 0 <= raw <= LARGEST for raw in self.values):
            raise ConfigError(f"raw mask values lie in 0..{LARGEST}, got {sorted(self.values)[-1]}")
        if self.tolerance and not self.colours and not self._widens:
            raise ConfigError(_too_near(self.values, self.tolerance))

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
            keys_there = flat[ends]
            strange = keys_there[np.take(lookup, keys_there) == 0]
            unknown = len(strange) > 0 and not (coloured and self.tolerance and self._learn(strange))
        if unknown:
            seen = count_values(raw)
            raise UnknownValueError(self.explain(seen, path), seen, path, self.propose(seen, path).changes)
        return keys, coloured

    def _ids(self, keys: npt.NDArray[np.unsignedinteger[Any]], coloured: bool) -> npt.NDArray[np.uint8]:
        if keys.dtype == np.uint8:
            return np.take(self._bytes, keys)
        return (np.take(self._colour_lookup if coloured else self._lookup, keys) - 1).astype(np.uint8)

    def _learn(self, codes: npt.NDArray[np.unsignedinteger[Any]]) -> bool:
        """Notes the ids of new colours by the nearest known ones; whether all of them have one.

        Threads may do so at the same time: each writes the same numbers, and a colour is looked for once.
        """
        new = np.unique(codes)
        ids = nearest_colours(new, self.colours, self.tolerance)
        self._colour_lookup[new[ids > 0]] = ids[ids > 0]
        return bool((ids > 0).all())

    def knows(self, value: int | Colour) -> bool:
        """Whether the table has an id for the raw value or colour."""
        return not self.unknown({value: 1})

    def unknown(self, seen: Mapping[int | Colour, int]) -> dict[int | Colour, int]:
        """Those of the seen values and colours that have no id, with their counts."""
        left = {v: n for v, n in seen.items() if v not in (self.colours if type(v) is tuple else self.values)}
        if not self.tolerance:
            return left
        colours = [value for value in left if isinstance(value, tuple)]
        near = nearest_colours(codes_of(colours), self.colours, self.tolerance) > 0
        known: set[int | Colour] = {c for c, is_near in zip(colours, near, strict=True) if is_near}
        known |= {v for v in left if isinstance(v, int) and 0 <= v <= LARGEST and self._lookup[v]}
        return {value: count for value, count in left.items() if value not in known}

    def propose(self, seen: Mapping[int | Colour, int], path: Path | None = None) -> Proposal:
        """What would mend masks that hold the seen values, of which one at least is unknown.

        Args:
            seen: As for `explain`.
            path: As for `explain`.
        """
        return propose(
            seen,
            list(self.unknown(seen)),
            classes=self.classes,
            values=self.values,
            colours=self.colours,
            path=path,
        )

    def explain(self, seen: Mapping[int | Colour, int], path: Path, *, files: int = 1) -> str:
        """Says which of the seen values are unknown, and what would mend it.

        Args:
            seen: Raw value or colour -> pixels, known ones too.
            path: The (first) mask in question.
            files: How many masks were found wanting.
        """
        unknown = self.unknown(seen)
        noun = "colour" if any(isinstance(value, tuple) for value in unknown) else "value"
        listed = ", ".join(f"{value_text(v)} ({n:,} pixels)" for v, n in _largest(unknown, 6))
        more = f" and {len(unknown) - 6} more" if len(unknown) > 6 else ""
        masks = f" and {files - 1:,} more masks hold" if files > 1 else " holds"
        plural = "s" if len(unknown) > 1 else ""
        return (
            f"{path}{masks} the {noun}{plural} {listed}{more}, which no class has{self._undecided(unknown)}; "
            f"{self.propose(seen, path).text}"
        )

    def _undecided(self, unknown: Mapping[int | Colour, int]) -> str:
        """Why the tolerance does not help."""
        colours = [value for value in unknown if isinstance(value, tuple)]
        if not self.tolerance or not unknown:
            return ""
        ids = nearest_colours(codes_of(colours), self.colours, self.tolerance)
        tied = next((c for c, found in zip(colours, ids, strict=True) if found == AMBIGUOUS), None)
        if tied is not None:
            return f", even with --snap {self.tolerance}: {value_text(tied)} is as near to one as to another"
        if not colours and not self._widens:
            return f" ({_too_near(self.values, self.tolerance)})"
        return f" within --snap {self.tolerance}"

    def digest(self) -> str:
        """A text that is equal for equal tables, for cache keys."""
        table = [self.classes, sorted(self.values.items()), sorted(self.colours.items())]
        table += [self.tolerance] if self.tolerance else []  # so that tables without keep their digests
        return hashlib.sha256(json.dumps(table).encode()).hexdigest()

    # Both tables hold the id plus one, and 0 where there is none.

    @cached_property
    def _widens(self) -> bool:
        """Whether values, too, are known by what they are near to."""
        largest = largest_tolerance(self.values)
        return self.tolerance > 0 and (largest is None or self.tolerance <= largest)

    @cached_property
    def _lookup(self) -> npt.NDArray[np.int16]:
        lookup = widened(self.values, self.tolerance if self._widens else 0, LARGEST)
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
        return bytes(np.flatnonzero(self._lookup[:256]).tolist())


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


def _too_near(values: Mapping[int, int], tolerance: int) -> str:
    low, high = closest(values) or (0, 0)
    largest = largest_tolerance(values)
    most = f"take at most {largest}" if largest else "leave it away"
    return (
        f"--snap {tolerance} cannot tell the values {low} and {high}, which are different classes, from what "
        f"lies round them: {most}, or give what belongs together one id with --map"
    )


def _largest(counts: Mapping[int | Colour, int], limit: int) -> list[tuple[int | Colour, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], value_text(item[0])))[:limit]


__all__ = [
    "LARGEST",
    "LabelTable",
    "UnknownValueError",
    "build_table",
    "colour_codes",
    "count_values",
    "grey_only",
    "parse_map",
]
