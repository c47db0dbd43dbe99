"""Run-length masks as COCO writes them: counts of 0 and 1 by turns, down each column, perhaps packed.

Knows one mask; whose it is, its caller knows. Everything is checked before it is used: the counts come from
a file.
"""

from __future__ import annotations

import json
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from pixelwise.errors import DataError
from pixelwise.types import size_text

_LONGEST = 10
"""Characters of one packed count; a picture of 2^28 pixels needs six."""


def parse_runs(segmentation: dict[str, Any], size: tuple[int, int], where: str) -> npt.NDArray[np.int64]:
    """Run lengths of 0 and 1 by turns, down each column, `(n,)`; they add up to the picture.

    Args:
        segmentation: `{"size": [height, width], "counts": […] or "packed"}`.
        size: `(height, width)` of the picture.
        where: File and annotation; begins the messages.

    Raises:
        DataError: The mask has another size, or the counts don't add up to it.
    """
    stated = segmentation.get("size")
    if stated != list(size):
        raise DataError(
            f"{where}: the run lengths are for a mask of {_stated(stated)}, but the picture is "
            f"{size_text(size)}; "
            "make them anew, or correct the picture's size"
        )
    counts: Any = segmentation.get("counts")
    if isinstance(counts, str):
        runs = unpack_runs(counts, where)
    elif isinstance(counts, list) and all(type(count) is int for count in cast("list[object]", counts)):
        runs = np.array([min(max(count, -1), 1 << 40) for count in cast("list[int]", counts)], np.int64)
    else:
        raise DataError(f"{where}: counts must be a list of whole numbers, or a text; make the mask anew")
    total = size[0] * size[1]
    if bool((runs < 0).any()) or int(runs.sum()) != total:
        raise DataError(
            f"{where}: the run lengths make {int(runs.sum()):,} pixels, but a mask of {size_text(size)} has "
            f"{total:,}; make them anew"
        )
    return runs


def unpack_runs(text: str, where: str) -> npt.NDArray[np.int64]:
    """Run lengths from text: five bits a character, the lowest first, and a sixth for "more follows".

    From the fourth count on each is the difference to the last but one.

    Raises:
        DataError: The text is damaged.
    """
    codes = np.asarray(list(text.encode("utf-8", "replace")), np.int64) - 48
    ends = (codes & 32) == 0
    if not len(codes) or bool(((codes < 0) | (codes > 63)).any()) or not ends[-1]:
        raise DataError(f"{where}: the packed counts {text[:20]!r} are damaged; make them anew")
    starts = np.flatnonzero(np.concatenate([[True], ends[:-1]]))
    lengths = np.diff(np.append(starts, len(codes)))
    if int(lengths.max()) > _LONGEST:
        raise DataError(f"{where}: the packed counts {text[:20]!r} hold a number that no picture has")
    within = np.arange(len(codes)) - np.repeat(starts, lengths)
    values = np.asarray(np.add.reduceat((codes & 31) << (5 * within), starts), np.int64)
    negative = (codes[ends] & 16) != 0
    values[negative] -= np.int64(1) << (5 * lengths[negative])
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values


def _stated(size: Any) -> str:
    parts = cast("list[Any]", size) if isinstance(size, list) else []
    return size_text(parts) if len(parts) == 2 else f"size {json.dumps(size)[:40]}"
