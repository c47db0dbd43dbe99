"""Pictures for engines, a worker without a cluster, and what they left."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pixelwise.backends.fake import FakeBackend
from pixelwise.engines.parts import FOLDER, begin
from pixelwise.engines.store import open_store
from pixelwise.engines.worker import Worker
from pixelwise.inference import Predictor
from pixelwise.inference.job import Job
from pixelwise.inference.manifest import Manifest
from pixelwise.inference.outputs import Outputs
from pixelwise.inference.photos import find_photos
from pixelwise.types import Classes, SizePolicy

CLASSES = Classes(("background", "cat", "dog"), ((20, 20, 20), (230, 30, 30), (30, 30, 230)))
JOB = {"model": "a"}


def draw(folder: Path, count: int) -> Path:
    """Pictures of boxes, each of its own size, in two formats and folders; two differ by ending alone."""
    for number in range(count):
        picture = np.full((40 + number, 60, 3), CLASSES.colours[0], np.uint8)
        picture[5:20, 5 + number % 20 : 25] = CLASSES.colours[1]
        path = (
            folder / ("deep/er" if number % 3 == 0 else "") / f"{number:02d}.{'jpg' if number % 2 else 'png'}"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
    (folder / "01.png").write_bytes((folder / "02.png").read_bytes())
    return folder


def make_predictor() -> Predictor:
    """Finds the colours of `CLASSES`."""
    return Predictor(FakeBackend(CLASSES.colours), CLASSES, SizePolicy("native", (32, 32)), batch_size=2)


def worker(
    out: str,
    *,
    resume: bool = False,
    predictor: Predictor | None = None,
    kinds: Mapping[str, Any] | None = None,
) -> Worker:
    """A worker that writes there."""
    store = open_store(out)
    parts, index = begin(store, JOB, resume=resume)
    outputs = Outputs(folder=Path(), **(kinds or {}))
    return Worker(predictor or make_predictor(), outputs, store, parts, index, threads=2, measures=False)


def in_one_process(photos: Path, out: Path, kinds: Mapping[str, Any] | None = None) -> dict[str, bytes]:
    """What `predict` writes without an engine."""
    out.mkdir()
    manifest = Manifest(out, JOB, resume=False)
    for _ in Job(make_predictor(), Outputs(folder=out, **(kinds or {})), manifest).run(
        find_photos([str(photos)])
    ):
        pass
    manifest.close()
    return contents(out)


def contents(out: Path) -> dict[str, bytes]:
    """All results, without manifests."""
    files = (p.relative_to(out) for p in out.rglob("*") if p.is_file())
    return {p.as_posix(): (out / p).read_bytes() for p in files if not p.parts[0].startswith("manifest")}


def addresses(out: Path) -> list[str]:
    """All pictures that the parts of a manifest call done, sorted; one twice where two say so."""
    lines = [line for part in (out / FOLDER).glob("*.jsonl") for line in part.read_text().split("\n") if line]
    return sorted(value["photo"] for value in map(json.loads, lines) if "error" not in value)
