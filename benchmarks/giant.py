"""How much memory and time does a picture of 40,000 x 40,000 pixels take, and what do its seams cost?

Draws a GeoTIFF of the demo's scenes (tiled, compressed, with coordinates), or takes the one that is there.
Runs `pixelwise predict` on it in a process of its own, kills that at a third of the rows if asked to, goes on
with `--resume`, and checks that the label map has the picture's size and place.

    pixelwise demo && python benchmarks/giant.py --model demo/run/best.safetensors --kill
    python benchmarks/giant.py --model demo/run/best.safetensors --side 8000     # a minute or two

Writes `benchmarks/results/giant-DATE.json`.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from machine import command, write_result

# Written before the measurement.
EXPECTED = (
    "peak below 1.5 GiB whatever the height (required: 2 GiB), of which half is the runtime and the network "
    "at a tile; a tenth of the time for reading and writing; seams below 0.5% of the pixels"
)
BLOCK = 512
SCENE = 96


def main() -> None:
    """Draws, predicts, writes down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--picture", type=Path, default=Path("/tmp/pixelwise-giant.tif"))
    parser.add_argument("--side", type=int, default=40_000)
    parser.add_argument("--backend", default="openvino")
    parser.add_argument("--overlap", type=float, default=0.125)
    parser.add_argument("--kill", action="store_true", help="with SIGKILL at a third, and go on")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    picture = options.picture.with_name(f"{options.picture.stem}-{options.side}.tif")
    if not picture.exists():
        draw(picture, options.side)
    results = picture.with_suffix("")
    shutil.rmtree(results, ignore_errors=True)
    runs = []
    if options.kill:
        runs.append(predict(options, picture, results, kill_at=options.side // 3))
    runs.append(predict(options, picture, results))
    megapixels = options.side**2 / 1e6
    seconds = sum(run["seconds"] for run in runs)
    written = write_result(
        "giant",
        out=options.out,
        question=__doc__.splitlines()[0],
        command=command(),
        expected=EXPECTED,
        picture={"side": options.side, "bytes": picture.stat().st_size},
        overlap=options.overlap,
        backend=options.backend,
        runs=runs,
        peak_gib=max(run["peak_gib"] for run in runs),
        seconds=seconds,
        megapixels_per_second=megapixels / seconds,
        label_map=check(picture, results / "masks" / picture.name),
    )
    print(written)


def predict(
    options: argparse.Namespace, picture: Path, results: Path, *, kill_at: int | None = None
) -> dict[str, Any]:
    """One run of the command; its time, its peak memory, and what it said of the seams."""
    words = [sys.executable, "-m", "pixelwise", "predict", str(options.model), str(picture)]
    words += [
        "--out",
        str(results),
        "--backend",
        options.backend,
        "--overlap",
        str(options.overlap),
        "--resume",
    ]
    begin = time.perf_counter()
    child = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    said: list[str] = []
    if child.stderr is None:
        raise RuntimeError("no pipe to the child")
    for line in child.stderr:
        said.append(line.rstrip())
        print(line, end="", file=sys.stderr, flush=True)
        rows = re.search(r"rows of \S+\s+(\d+)/", line)
        if kill_at is not None and rows and int(rows.group(1)) >= kill_at:
            child.send_signal(signal.SIGKILL)
            break
    _, status, usage = os.wait4(child.pid, 0)
    seams = re.search(r"seam error ([\d.]+)%", " ".join(said))
    return {
        "killed": kill_at is not None,
        "status": status,
        "seconds": time.perf_counter() - begin,
        "peak_gib": usage.ru_maxrss / 2**20,  # Linux counts KiB
        "seam_error_percent": float(seams.group(1)) if seams else None,
        "said": [line for line in said if not line.startswith("rows of")],
    }


def check(picture: Path, labels: Path) -> dict[str, Any]:
    """What the label map is, beside the picture."""
    import rasterio

    with rasterio.open(picture) as source, rasterio.open(labels) as found:
        if (found.shape, found.crs, found.transform) != (source.shape, source.crs, source.transform):
            raise RuntimeError(f"{labels} does not lie where {picture} does")
        return {"bytes": labels.stat().st_size, "tiles": found.block_shapes[0], "pyramid": found.overviews(1)}


def draw(path: Path, side: int) -> None:
    """A field of the demo's scenes, row of blocks by row of blocks."""
    import rasterio
    from rasterio.transform import from_origin

    from pixelwise.data.drawn import draw_scene

    count = (
        20  # so many scenes each way repeat, each mirrored or not: 20 * 96 is no multiple of a tile's side
    )
    scenes = np.stack([draw_scene((SCENE, SCENE), seed=7, index=n)[0] for n in range(count * count)])
    rows = [np.concatenate(scenes[n * count : (n + 1) * count], axis=1) for n in range(count)]
    field = np.concatenate(rows, axis=0)
    columns = np.arange(side) % field.shape[1]
    profile = {
        "driver": "GTiff",
        "height": side,
        "width": side,
        "count": 3,
        "dtype": "uint8",
        "crs": "EPSG:32633",
        "transform": from_origin(400_000, 5_000_000, 0.2, 0.2),
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "compress": "deflate",
        "photometric": "RGB",
        "BIGTIFF": "YES",
    }
    with rasterio.open(path, "w", **profile) as target:
        for top in range(0, side, BLOCK):
            bottom = min(top + BLOCK, side)
            part = field[np.arange(top, bottom) % len(field)][:, columns]
            target.write(np.moveaxis(part, 2, 0), window=((top, bottom), (0, side)))


if __name__ == "__main__":
    main()
