"""A run that writes a label map and may be killed: a program of its own, and the same in this process.

`python label_run.py TARGET STEP DELAY` prints the rows that are done, and goes on where an earlier run ended.
"""

from __future__ import annotations

import sys
import time
from functools import cache
from pathlib import Path

import numpy as np

from pixelwise.data.raster import open_sink
from pixelwise.types import Classes

SIZE = (5 * 512 + 100, 700)
CLASSES = Classes(("water", "field", "road"))


@cache
def labels() -> np.ndarray:
    """Squares of 8 with a strip of 255 and a block of noise, which does not compress."""
    rng = np.random.default_rng(3)
    few = rng.integers(0, 3, (SIZE[0] // 8 + 1, SIZE[1] // 8 + 1))
    whole = np.kron(few, np.ones((8, 8), int))[: SIZE[0], : SIZE[1]].astype(np.uint8)
    whole[600:700] = 255
    whole[1100:1500, 100:600] = rng.integers(0, 3, (400, 500))
    return whole


def run(target: Path, *, step: int, delay: float = 0.0) -> tuple[str, ...]:
    """Writes the map, or what is missing of it."""
    whole = labels()
    sink = open_sink(target, SIZE, CLASSES, identity="model 1, picture 1", resume=True)
    for top in range(sink.rows_done, SIZE[0], step):
        sink.write(whole[top : top + step])
        print(sink.rows_done, flush=True)  # noqa: T201
        time.sleep(delay)
    sink.close(complete=True)
    return sink.notes


if __name__ == "__main__":
    run(Path(sys.argv[1]), step=int(sys.argv[2]), delay=float(sys.argv[3]))
