"""What does a driver need for each picture? Manifest, seconds to go on, memory of names and index.

    python benchmarks/scale_driver.py [--pictures 64000] [--chunk 64] [--out FILE]

A manifest of two results and five classes a picture is written to a local folder and read as `--resume` reads
it. Names are held as one folder of an object store is: what s3fs says of each file, and what is made of it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import tracemalloc
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from machine import write_result

from pixelwise.engines.parts import FOLDER, Done, Index, Part, begin
from pixelwise.engines.store import Entry, LocalStore
from pixelwise.inference.manifest import Record

JOB = {"model": "a"}


def main() -> None:
    """Writes a manifest, goes on from it, and counts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pictures", type=int, default=64_000)
    parser.add_argument("--chunk", type=int, default=64)
    parser.add_argument("--out", type=Path, help="the result's file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="scale-driver-") as folder:
        store = LocalStore(folder)
        parts, _ = begin(store, JOB, resume=False)
        for first in range(0, options.pictures, options.chunk):
            numbers = range(first, min(first + options.chunk, options.pictures))
            parts.write(f"{first:024x}", Part([_done(number) for number in numbers], {}))
        size = sum(path.stat().st_size for path in (Path(folder) / FOLDER).iterdir())
        wall, cpu = time.perf_counter(), time.process_time()
        _, index = begin(store, JOB, resume=True)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    info, entry = _names(options.pictures)
    write_result(
        "scale_driver",
        out=options.out,
        question="what a driver needs for each picture",
        pictures=options.pictures,
        chunk=options.chunk,
        manifest_bytes=round(size / options.pictures),
        resume_microseconds={
            "wall": round(1e6 * wall / options.pictures, 1),
            "processor": round(1e6 * cpu / options.pictures, 1),
        },
        index_bytes=(index.keys.nbytes + index.places.nbytes) / len(index.keys),
        part_name_bytes=_part_name(index),
        name_bytes={"s3fs": round(info), "entry": round(entry)},
    )


def _done(number: int) -> Done:
    name = f"{number:09d}"
    files = {"mask": f"masks/{name}.png", "overlay": f"overlays/{name}.jpg"}
    areas = {f"class {k}": 0.0901234567890123 for k in range(5)}
    record = Record(f"s3://bucket/in/{name}.jpg", "a" * 64, files, dict.fromkeys(files, "b" * 64), areas)
    return Done(record, {"mask": 3360, "overlay": 53967}, f'"{"c" * 32}" 282543')


def _names(count: int) -> tuple[float, float]:
    """Bytes of memory for a file of a listing: as s3fs says it, and what is made of it."""
    tracemalloc.start()
    now = datetime.now(timezone.utc)
    infos = [_info(number, now) for number in range(count)]
    held = tracemalloc.get_traced_memory()[0]
    entries = [
        Entry(info["name"].rsplit("/", 1)[-1], False, f"{info['ETag']} {info['size']}") for info in infos
    ]
    more = tracemalloc.get_traced_memory()[0] - held
    tracemalloc.stop()
    return held / count, more / len(entries)


def _info(number: int, now: datetime) -> dict[str, Any]:
    key, size = f"bucket/in/{number:09d}.jpg", 280_000 + number
    facts = {"Key": key, "LastModified": now, "ETag": f'"{number:032x}"', "Size": size, "size": size}
    return {**facts, "ChecksumAlgorithm": ["CRC32"], "StorageClass": "STANDARD", "type": "file", "name": key}


def _part_name(index: Index) -> int:
    """Bytes of memory for the name of a part, which each worker's process holds of all."""
    return index.names[0].__sizeof__() + 8


if __name__ == "__main__":
    main()
