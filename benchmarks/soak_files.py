"""What the soak test reads of a run's folder: checkpoints, models, logs; their content without times."""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open

TIMES = {"seconds", "wait_seconds", "images_per_second", "wait_share"}
"""What two runs need not have in common."""

MODELS = ("last", "best", "average")


@dataclass(frozen=True)
class Place:
    """Where a checkpoint stands, and the digest of everything in it but times."""

    epoch: int
    step: int
    digest: str

    @property
    def order(self) -> tuple[int, int]:
        """What comes later is more."""
        return self.epoch, self.step

    @property
    def text(self) -> str:
        """As results name it."""
        return f"{self.epoch}/{self.step}"


def checkpoint(path: Path) -> Place | None:
    """Reads all of a checkpoint; None where there is none. Whatever is wrong with it raises."""
    if not path.exists():
        return None
    metadata, digest = _content(path)
    document = json.loads(metadata["pixelwise-checkpoint"])
    progress = document["progress"]
    place = progress["epoch"], progress["step"]
    digest.update(json.dumps(_timeless(document), sort_keys=True).encode())
    return Place(*place, digest.hexdigest())


def model(path: Path) -> str:
    """The digest of a model file: weights, and its header without when, how and from what commit."""
    metadata, digest = _content(path)
    header = json.loads(metadata["pixelwise"])
    for key in ("started", "command", "git"):
        header["provenance"].pop(key, None)
    digest.update(json.dumps(header, sort_keys=True).encode())
    return digest.hexdigest()


def outcome(run: Path) -> dict[str, str]:
    """One digest for each thing that a run ends with."""
    found = {name: model(run / f"{name}.safetensors") for name in MODELS}
    place = checkpoint(run / "checkpoint.safetensors")
    with (run / "history.csv").open(newline="") as file:
        rows = [{key: cell for key, cell in row.items() if key not in TIMES} for row in csv.DictReader(file)]
    found["checkpoint"] = place.digest if place else ""
    found["history"] = hashlib.sha256(json.dumps(rows).encode()).hexdigest()
    for picture in sorted((run / "examples").glob("*.png")):
        found[f"examples/{picture.name}"] = hashlib.sha256(picture.read_bytes()).hexdigest()
    events = sorted((run / "tensorboard").glob("events.out.tfevents.*"))
    found["tensorboard"] = f"{len(events)} file, steps {_steps(events[0])}" if events else "none"
    return found


def left_behind(run: Path) -> dict[str, int]:
    """Files that were not whole when their process died, by name and bytes."""
    return {_plain(path.name): path.stat().st_size for path in sorted(run.rglob(".*.part.*"))}


def _plain(name: str) -> str:
    """`.12-34.part.last.safetensors` as `last.safetensors`."""
    return name.partition(".part.")[2]


def _content(path: Path) -> tuple[dict[str, str], Any]:
    digest = hashlib.sha256()
    with safe_open(path, framework="numpy") as file:
        for name in sorted(file.keys()):
            tensor = file.get_tensor(name)
            digest.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
            digest.update(tensor.tobytes())
        return dict(file.metadata()), digest


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(item) for key, item in value.items() if key not in TIMES}
    return [_timeless(item) for item in value] if isinstance(value, list) else value


def _steps(path: Path) -> list[int]:
    """The steps of an event file's validation scores: records of length, checksum, event, checksum."""
    from tensorboardX.proto import event_pb2

    kind: Any = event_pb2.Event  # pyright: ignore[reportAttributeAccessIssue] - made when it is imported
    content, place, steps = path.read_bytes(), 0, []
    while place < len(content):
        length = int.from_bytes(content[place : place + 8], "little")
        event = kind.FromString(content[place + 12 : place + 12 + length])
        steps += [event.step for value in event.summary.value if value.tag == "miou/validation"]
        place += 12 + length + 4
    return steps
