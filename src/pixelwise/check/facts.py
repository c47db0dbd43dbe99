"""What one look at a sample notes of it: small, and plain JSON, so that a hundred thousand can be kept.

Data only. Knows no rule and no set.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pixelwise.check.fit import Fit
from pixelwise.check.likeness import Likeness
from pixelwise.drawing import Colour

Value = int | Colour


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Why a sample cannot be used.

    Attributes:
        kind: `unreadable`, `turned`, `scaled`, `sizes`, `values`, or `labels` for anything else.
        text: The error's own sentence.
        seen: For `values`: the mask's values or colours, known ones too, with their pixels.
    """

    kind: str
    text: str
    seen: Mapping[Value, int] = field(default_factory=dict[Value, int])


@dataclass(frozen=True, kw_only=True)
class Facts:
    """One sound sample, or the fault of one that is not.

    Attributes:
        fault: None for a sound sample; else nothing below counts.
        size: `(height, width)` of the picture, upright.
        pixels: Train id -> pixels; 255 is among them.
        breadths: (train id, bin of `breadths.count_breadths`) -> pixels.
        borders: Pairs of neighbouring pixels whose ids differ.
        between: Pixels whose id lies between those of their two neighbours in a row or a column.
        brightness: Mean of the picture, in 0..255.
        contrast: Standard deviation of its brightness.
        labels: Digest of the mask, of 16 hexadecimal digits.
        likeness: What the picture looks like.
        fit: How the mask's borders lie on the picture's; None where it has too few.
    """

    fault: Fault | None = None
    size: tuple[int, int] = (0, 0)
    pixels: Mapping[int, int] = field(default_factory=dict[int, int])
    breadths: Mapping[tuple[int, int], int] = field(default_factory=dict[tuple[int, int], int])
    borders: int = 0
    between: int = 0
    brightness: float = 0.0
    contrast: float = 0.0
    labels: str = ""
    likeness: Likeness | None = None
    fit: Fit | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values with short names; `from_json` reads them."""
        if self.fault is not None:
            seen = [[_listed(value), count] for value, count in self.fault.seen.items()]
            return {"fault": self.fault.kind, "text": self.fault.text, "seen": seen}
        return {
            "size": list(self.size),
            "pixels": [[label, count] for label, count in self.pixels.items()],
            "breadths": [[*place, count] for place, count in self.breadths.items()],
            "borders": self.borders,
            "between": self.between,
            "brightness": self.brightness,
            "contrast": self.contrast,
            "labels": self.labels,
            "likeness": None if self.likeness is None else self.likeness.to_json(),
            "fit": None if self.fit is None else dataclasses.astuple(self.fit),
        }

    @staticmethod
    def from_json(value: Any) -> Facts | None:
        """What `to_json` gave; None for anything else."""
        try:
            if "fault" in value:
                seen = {_value(item): int(count) for item, count in value["seen"]}
                return Facts(fault=Fault(kind=str(value["fault"]), text=str(value["text"]), seen=seen))
            height, width = value["size"]
            return Facts(
                size=(int(height), int(width)),
                pixels={int(label): int(count) for label, count in value["pixels"]},
                breadths={(int(label), int(bin_)): int(count) for label, bin_, count in value["breadths"]},
                borders=int(value["borders"]),
                between=int(value["between"]),
                brightness=float(value["brightness"]),
                contrast=float(value["contrast"]),
                labels=str(value["labels"]),
                likeness=None if value["likeness"] is None else Likeness.from_json(value["likeness"]),
                fit=None if value["fit"] is None else Fit(**_numbers(value["fit"])),
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            return None


def _numbers(values: Any) -> dict[str, float]:
    names = [field.name for field in dataclasses.fields(Fit)]
    return {name: float(value) for name, value in zip(names, values, strict=True)}


def _listed(value: Value) -> int | list[int]:
    return list(value) if isinstance(value, tuple) else value


def _value(item: Any) -> Value:
    if isinstance(item, list):
        red, green, blue = item  # pyright: ignore[reportUnknownVariableType]
        return int(red), int(green), int(blue)  # pyright: ignore[reportUnknownArgumentType]
    return int(item)
