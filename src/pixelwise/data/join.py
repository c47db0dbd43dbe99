"""Union-find over arrays: which members belong together when some pairs of them do. NumPy only.

Knows numbers; what they stand for, runs of pixels or whole pictures, is the caller's business.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_Numbers = npt.NDArray[np.int32 | np.int64]


def join(count: int, a: _Numbers, b: _Numbers) -> npt.NDArray[np.int64]:
    """The smallest member of each of `count` members' set, when `a[i]` and `b[i]` are joined.

    Union-find for all pairs at once: every root that is joined to a smaller one is hung below the smallest of
    them, then all paths are shortened; what still differs goes into the next round. A root only ever moves
    below a smaller one, so there is no circle, and each round joins at least one pair for good.
    """
    parents = np.arange(count, dtype=np.int64)
    while len(a):
        low, high = np.minimum(a, b), np.maximum(a, b)
        np.minimum.at(parents, high, low)
        while True:
            shorter = parents[parents]
            if np.array_equal(shorter, parents):
                break
            parents = shorter
        a, b = parents[a], parents[b]
        different = a != b
        a, b = a[different], b[different]
    return parents
