"""One look at one sample: everything that the rules need to know of it, from decoding it once.

Knows pictures and masks; what the facts mean for the set is the rules' business.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from pixelwise.check.facts import Facts, Fault, Value
from pixelwise.check.fit import bands_of, fit_of
from pixelwise.check.likeness import measure_likeness
from pixelwise.data.breadths import count_breadths
from pixelwise.data.codec import UnreadableError
from pixelwise.data.mapping import UnknownValueError
from pixelwise.data.reader import Reader
from pixelwise.data.sizes import SizesDifferError
from pixelwise.errors import DataError

SEEN_SIZE = (256, 256)
"""Pictures are looked at so small, whatever their shape; large JPEGs are then decoded faster."""

_MOST_VALUES = 256
"""Unknown values of a mask that are noted; a photo in a mask's place has a hundred thousand colours."""

_GREY = np.array([0.299, 0.587, 0.114], np.float32)


def look(reader: Reader, index: int) -> Facts:
    """Decodes a sample and notes the facts; a sample that cannot be used is noted as its fault."""
    try:
        image, mask = reader.for_network(index, SEEN_SIZE)
    except UnknownValueError as error:
        return Facts(fault=Fault(kind="values", text=str(error), seen=_largest(error)))
    except SizesDifferError as error:
        return Facts(fault=Fault(kind=error.kind if error.kind != "other" else "sizes", text=str(error)))
    except UnreadableError as error:
        return Facts(fault=Fault(kind="unreadable", text=str(error)))
    except DataError as error:
        return Facts(fault=Fault(kind="labels", text=str(error)))
    counts = np.bincount(mask.ravel(), minlength=256)
    breadths = count_breadths(mask, len(reader.classes))
    grey = image @ _GREY
    borders, between = count_between(mask)
    return Facts(
        size=(mask.shape[0], mask.shape[1]),
        pixels={int(label): int(counts[label]) for label in np.flatnonzero(counts)},
        breadths={
            (int(label), int(bin_)): int(breadths[label, bin_])
            for label, bin_ in zip(*np.nonzero(breadths), strict=True)
        },
        borders=borders,
        between=between,
        brightness=round(float(grey.mean()), 2),
        contrast=round(float(grey.std()), 2),
        labels=hashlib.blake2b(mask.tobytes() + repr(mask.shape).encode(), digest_size=8).hexdigest(),
        likeness=measure_likeness(image),
        fit=fit_of(image, mask, bands=bands_of(reader.classes)),
    )


def count_between(mask: npt.NDArray[np.uint8]) -> tuple[int, int]:
    """How many borders a mask `(H, W)` of ids has, and how many pixels that only lead from one id to another.

    A mask that was resized as if it were a picture has such pixels along its borders: on the way from sky, 0,
    to tree, 5, lie 1 to 4, which are buildings and roads. In a drawn mask hardly any pixel has a smaller id
    before it and a larger one behind it.

    Returns:
        Pairs of neighbours whose ids differ, and pixels whose id lies strictly between those of the two
        neighbours in their row, or in their column; ignored ones are no ids.
    """
    borders = between = 0
    columns: npt.NDArray[np.uint8] = np.swapaxes(mask, 0, 1)
    for ids in (mask, columns):
        before, middle, behind = ids[:, :-2], ids[:, 1:-1], ids[:, 2:]
        leads = ((before < middle) & (middle < behind) & (behind != 255)) | (
            (before > middle) & (middle > behind) & (before != 255)
        )
        between += int(np.count_nonzero(leads))
        borders += int(np.count_nonzero(ids[:, 1:] != ids[:, :-1]))
    return borders, between


def _largest(error: UnknownValueError) -> dict[Value, int]:
    ranked = sorted(error.seen.items(), key=lambda item: (-item[1], str(item[0])))
    return dict(ranked[:_MOST_VALUES])
