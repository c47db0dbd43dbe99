"""What an export's comparison came to, and whether that is within the limits."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from pixelwise.header import Form, Precision
from pixelwise.parity.compare import Difference
from pixelwise.parity.speed import Speed
from pixelwise.parity.start import Start

CHANGED: dict[Precision, float] = {"float32": 1e-4, "half": 1e-3}
"""The largest share of pixels that may get another class, by precision."""

LOST_MIOU = 0.005
"""The most mIoU that int8 may lose, in 0..1."""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One runtime's answers beside the network's.

    Attributes:
        backend: Its name.
        precision: In what it computes, which says the limit.
        differences: One for each size.
        start: Where the difference begins; None while it is within the limits.
        on_request: Whether these are answers that the file gives to those alone who ask for half precision.
            Beyond the limit, they are warned; the file is right for everybody else.
    """

    backend: str
    precision: Precision
    differences: tuple[Difference, ...]
    start: Start | None = None
    on_request: bool = False

    @property
    def broken(self) -> list[str]:
        """One sentence for each limit that is broken."""
        found = (complaint(self.backend, difference, self.precision) for difference in self.differences)
        return [sentence for sentence in found if sentence]


@dataclass(frozen=True, kw_only=True)
class Report:
    """The proof of an export.

    Attributes:
        form: What the file answers.
        file_bytes: Of the file with what lies beside it.
        opset: Of an ONNX file, else None.
        compared: By runtime.
        speeds: By backend, eager PyTorch first.
        kept: Layers that int8 left in float, by their path in the network.
        left_out: One sentence for each way to compute that was not compared: which, and why.
    """

    form: Form
    file_bytes: int
    opset: int | None
    compared: tuple[Compared, ...]
    speeds: tuple[Speed, ...]
    kept: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def complaints(self) -> list[str]:
        """One sentence for each limit that is broken; none where the export holds."""
        return [text for compared in self.compared if not compared.on_request for text in compared.broken]

    @property
    def warnings(self) -> list[str]:
        """One sentence for each limit that only those break who ask for half precision."""
        return [
            f"{text}: predict without --half there"
            for compared in self.compared
            if compared.on_request
            for text in compared.broken
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain values, limits and verdict included."""
        document = dataclasses.asdict(self)
        for compared, row in zip(self.compared, document["compared"], strict=True):
            row["limit"] = _limit(compared.precision)
            for difference, cell in zip(compared.differences, row["differences"], strict=True):
                cell["share"] = difference.share
        return {
            **document,
            "limit": _limit(self.form.precision),
            "complaints": self.complaints,
            "warnings": self.warnings,
            "holds": not self.complaints,
        }


def _limit(precision: Precision) -> dict[str, float]:
    return {"lost_miou": LOST_MIOU} if precision == "int8" else {"changed_share": CHANGED[precision]}


def complaint(backend: str, difference: Difference, precision: Precision) -> str | None:
    """What is wrong with a difference, in a sentence; None where it is within the limit."""
    if precision == "int8":
        if difference.miou is None:
            return f"no pixel is labelled at the {difference.size} size, so what {backend} loses is unknown"
        lost = difference.miou[0] - difference.miou[1]
        if lost <= LOST_MIOU:
            return None
        return (
            f"{backend} loses {100 * lost:.2f} points of mIoU at the {difference.size} size, "
            f"and {100 * LOST_MIOU:g} are allowed"
        )
    if difference.share <= CHANGED[precision]:
        return None
    return (
        f"{backend} changes the class of {100 * difference.share:.4f}% of the pixels at the "
        f"{difference.size} size, and {100 * CHANGED[precision]:g}% are allowed"
    )
