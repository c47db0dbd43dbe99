"""What went wrong while a video was read. Knows no FFmpeg."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from pixelwise.errors import DataError

_ROUNDING = Fraction(3, 20)
"""Seconds by which a file's length may differ from what is in it: a packet of sound may last so long."""


@dataclass
class Damage:
    """Gathered while a file is read, told when all of it has been.

    Attributes:
        name: Of the file.
        seconds: How long it says to be.
        rate: Frames a second.
        end: Seconds where the last packet of any stream ends.
        cut: A packet was shorter than it says.
        lost: Packets of the video that could not be decoded.
        torn: Frames that were decoded with errors.
        said: What FFmpeg says of the last such packet.
        broken: Why reading ended before the file's end.
    """

    name: str
    seconds: Fraction | None
    rate: Fraction
    end: Fraction = Fraction(0)
    cut: bool = False
    lost: int = 0
    torn: int = 0
    said: str = ""
    broken: str = ""

    def tell(self) -> None:
        """Raises `DataError` if anything did."""
        if self.cut or self.broken or self._is_short():
            of = f" of {float(self.seconds):.1f}" if self.seconds is not None and self._is_short() else ""
            raise DataError(
                f"{self.name}: the video ends early, after {float(self.end):.1f}{of} seconds "
                f"({self.broken or 'the file is cut off'}); copy or record it again for the rest"
            )
        if self.lost or self.torn:
            parts: list[str] = []
            if self.lost:
                parts.append(f"{_count(self.lost, 'packet')} cannot be decoded ({self.said})")
            if self.torn:
                parts.append(f"{_count(self.torn, 'frame')} decoded with errors")
            raise DataError(f"{self.name}: {' and '.join(parts)}; copy or record the video again")

    def _is_short(self) -> bool:
        """Whether packets end before the file says; the last ones need not say how long they last."""
        return self.seconds is not None and self.end + 1 / self.rate + _ROUNDING < self.seconds


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
