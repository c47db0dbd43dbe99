"""What a picture looks like, in a kilobyte: enough to find its twins among a hundred thousand others.

A digest says whether two pictures are the same to the bit; a thumbnail of 32x32 grey values says whether
they are one photo that was saved twice. A hash of 64 bits would be shorter, but it cannot tell a photo that
was cropped from another photo of the same scene, and the thumbnail can. Knows one picture; comparing is the
business of `resemblance` and `twins`.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

SIDE = 32
"""Grey values on each side of a thumbnail, whatever the picture's shape."""

_DIGEST = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True)
class Likeness:
    """What is kept of one picture.

    Attributes:
        digest: 32 hexadecimal digits; the same for pictures that are the same to the bit where they were
            looked at, such as a PNG saved again.
        thumbnail: 32x32 grey values in 0..255, row by row.
    """

    digest: str
    thumbnail: bytes

    def to_json(self) -> list[str]:
        """Two words, 1.4 kB; `from_json` reads them."""
        return [self.digest, base64.b64encode(self.thumbnail).decode("ascii")]

    @staticmethod
    def from_json(value: Any) -> Likeness:
        """What `to_json` gave.

        Raises:
            ValueError: Anything else.
        """
        if not isinstance(value, list) or [type(word) for word in value] != [str, str]:  # pyright: ignore[reportUnknownVariableType]
            raise ValueError("a likeness is two words: a digest and a thumbnail")
        digest, text = value  # pyright: ignore[reportUnknownVariableType]
        thumbnail = base64.b64decode(text, validate=True)  # pyright: ignore[reportUnknownArgumentType]
        if not _DIGEST.fullmatch(digest) or len(thumbnail) != SIDE * SIDE:  # pyright: ignore[reportUnknownArgumentType]
            raise ValueError(f"a digest has 32 hexadecimal digits and a thumbnail {SIDE}x{SIDE} bytes")
        return Likeness(digest, thumbnail)  # pyright: ignore[reportUnknownArgumentType]


def measure_likeness(picture: npt.NDArray[np.uint8]) -> Likeness:
    """What `(h, w, 3) uint8` RGB looks like; all pictures of a set are to be looked at in one size."""
    picture = np.ascontiguousarray(picture)
    digest = hashlib.sha256(picture.data)
    digest.update(repr(picture.shape).encode())
    grey = Image.fromarray(picture).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    return Likeness(digest.hexdigest()[:32], grey.tobytes())
