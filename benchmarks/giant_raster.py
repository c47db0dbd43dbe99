"""What do reading and writing a picture of 40,000x40,000 by rows cost, without a network?

    python benchmarks/giant_raster.py giant.tif

Draws the picture where it is missing: smooth blobs of 64 pixels in 16 levels, tiles of 512, deflate. The
label of a pixel is its strongest colour. Seconds are processor time of this process, which is one thread.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import numpy as np
import rasterio
from machine import write_result

from pixelwise.data.raster import RasterSource, open_sink
from pixelwise.types import Classes

SIDE, ROWS, BLOB = 40_000, 512, 64
T = TypeVar("T")


def draw(path: Path) -> None:
    """Writes the picture block by block; the same one each time."""
    grid = SIDE // BLOB + 3
    lattice = np.random.default_rng(7).random((3, grid, grid), dtype=np.float32)
    columns = np.arange(SIDE)
    left, share = columns // BLOB, (columns % BLOB / BLOB).astype(np.float32)
    place = {"crs": "EPSG:32633", "transform": rasterio.transform.from_origin(400_000, 5_000_000, 0.2, 0.2)}
    tiles = {
        "tiled": True,
        "blockxsize": ROWS,
        "blockysize": ROWS,
        "compress": "deflate",
        "zlevel": 1,
        "predictor": 2,
    }
    size = {"height": SIDE, "width": SIDE, "count": 3, "dtype": "uint8", "photometric": "RGB"}
    with rasterio.open(
        path, "w", driver="GTiff", interleave="pixel", bigtiff="IF_SAFER", **size, **tiles, **place
    ) as out:
        for top in range(0, SIDE, ROWS):
            height = min(ROWS, SIDE - top)
            block = np.empty((3, height, SIDE), np.uint8)
            for row in range(height):
                above, part = divmod(top + row, BLOB)
                pair = lattice[:, above : above + 2]
                lines = pair[:, 0] * (255 * (1 - part / BLOB)) + pair[:, 1] * (255 * part / BLOB)
                block[:, row] = lines[:, left] * (1 - share) + lines[:, left + 1] * share
            block &= 0xF0
            out.write(block, window=rasterio.windows.Window(0, top, SIDE, height))


def strongest(picture: np.ndarray) -> np.ndarray:
    """The channel of each pixel that is largest."""
    labels = np.empty(picture.shape[:2], np.uint8)
    for top in range(0, len(picture), 64):
        labels[top : top + 64] = picture[top : top + 64].argmax(2)
    return labels


def main() -> None:
    """Measures both formats, the smaller peak first, and writes the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--note", default="", help="what a reader must know of how it was run")
    arguments = parser.parse_args()
    if not arguments.picture.exists():
        painter = get_context("spawn").Process(target=draw, args=(arguments.picture,))
        painter.start()  # apart, as its memory is not what is measured
        painter.join()
    formats = {ending: measure(arguments.picture, ending) for ending in ("png", "tif")}
    picture_mb = arguments.picture.stat().st_size >> 20
    write_result(
        "giant-raster",
        out=arguments.out,
        question=parser.description,
        note=arguments.note,
        picture_mb=picture_mb,
        formats=formats,
    )


def measure(picture: Path, ending: str) -> dict[str, float]:
    """Seconds, and the peak of memory so far."""
    seconds = dict.fromkeys(("read", "write", "finish"), 0.0)

    def timed(name: str, call: Callable[[], T]) -> T:
        begin = time.process_time()
        result = call()
        seconds[name] += time.process_time() - begin
        return result

    target = picture.with_name(f"{picture.stem}-labels.{ending}")
    source = RasterSource(picture)
    height = source.size[0]
    classes = Classes(("red", "green", "blue"))
    sink = open_sink(target, source.size, classes, identity="benchmark", place=source.georeference)
    for top in range(0, height, ROWS):
        bottom = min(top + ROWS, height)
        rows, _ = timed("read", lambda top=top, bottom=bottom: source.rows(top, bottom))
        labels = strongest(rows)
        timed("write", lambda labels=labels: sink.write(labels))
    timed("finish", lambda: sink.close(complete=True))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    return {
        **{name: round(value, 1) for name, value in seconds.items()},
        "peak_mb": peak,
        "file_mb": target.stat().st_size >> 20,
    }


if __name__ == "__main__":
    main()
