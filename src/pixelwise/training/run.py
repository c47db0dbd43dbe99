"""The folder of a training run: what lies in it, and everything that is needed to repeat it.

    run/
      config.json          data folder and every setting
      provenance.json      data hash, versions, machine, git commits, command
      best.safetensors     the model of the best validation
      last.safetensors     the model of the last epoch
      average.safetensors  the moving average of its weights, where one is kept
      checkpoint.safetensors   to resume from
      history.csv  curves.png  tensorboard/
      examples/            validation pictures, truth beside prediction, after epochs 1, 2, 4, 8, …
      tracking.json        the run's numbers at MLflow and Weights & Biases
      .lock                which process trains; only while one does

Knows no network and no step.
"""

from __future__ import annotations

import contextlib
import datetime
import importlib.metadata
import json
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwise import __version__, plain
from pixelwise.address import absolute
from pixelwise.config import TrainConfig
from pixelwise.encoders.timm_encoder import PREFIX as TIMM
from pixelwise.errors import ConfigError, DataError
from pixelwise.files import remove_leftovers, write_whole
from pixelwise.header import Architecture
from pixelwise.lock import LockedError, locked

_LIBRARIES = ("torch", "lightning-fabric", "numpy", "pillow", "safetensors")


@dataclass(frozen=True)
class RunFolder:
    """The paths of a run."""

    path: Path

    @property
    def config(self) -> Path:
        """Data folder and settings."""
        return self.path / "config.json"

    @property
    def provenance(self) -> Path:
        """What the run depended on."""
        return self.path / "provenance.json"

    @property
    def best(self) -> Path:
        """The model of the best validation."""
        return self.path / "best.safetensors"

    @property
    def last(self) -> Path:
        """The model of the last completed epoch."""
        return self.path / "last.safetensors"

    @property
    def average(self) -> Path:
        """The moving average of the last completed epoch's weights."""
        return self.path / "average.safetensors"

    @property
    def checkpoint(self) -> Path:
        """The state to resume from."""
        return self.path / "checkpoint.safetensors"

    @property
    def history(self) -> Path:
        """One row per epoch."""
        return self.path / "history.csv"

    @property
    def curves(self) -> Path:
        """The history as a plot."""
        return self.path / "curves.png"

    @property
    def examples(self) -> Path:
        """Pictures with truth and prediction, one sheet for some of the epochs."""
        return self.path / "examples"

    @property
    def lock(self) -> Path:
        """Held by the process that trains."""
        return self.path / ".lock"

    @property
    def tensorboard(self) -> Path:
        """TensorBoard's event files."""
        return self.path / "tensorboard"


@contextlib.contextmanager
def alone(run: RunFolder, warn: Callable[[str], None]) -> Iterator[None]:
    """Keeps every other process from training in the folder while the block runs.

    What a killed process had begun to write there is cleared away first: a checkpoint is as large as three
    models.

    Args:
        run: The folder; it is made.
        warn: Hears where the file system cannot keep anybody away.

    Raises:
        ConfigError: Another process trains in it.
        DataError: It cannot be written.
    """
    try:
        with locked(run.lock) as held:
            if not held:
                warn(f"the file system of {run.path} has no locks: see to it that nothing else trains there")
            remove_leftovers(run.path, alone=held)
            yield
    except LockedError as error:
        raise ConfigError(
            f"{run.path} is being trained by {error}: wait until it ends, or stop it, and then go on with "
            f"--resume {run.path}"
        ) from error


def create(path: Path, data: Path, config: TrainConfig) -> RunFolder:
    """Makes the folder of a new run and writes its config.

    Raises:
        ConfigError: There is a run in it already.
        DataError: The folder cannot be written.
    """
    run = RunFolder(path)
    if run.config.exists():
        raise ConfigError(
            f"{path} holds a run already: name another folder with --out, or go on with it by --resume {path}"
        )
    write_config(run, data, config)
    return run


def write_config(run: RunFolder, data: Path, config: TrainConfig) -> None:
    """Writes down what the run is to do; `DataError` if the folder cannot be written."""
    document = {"data": str(absolute(data)), "train": plain.to_json(config)}
    write_whole(run.config, _json_bytes(document))


def open_existing(path: Path) -> tuple[RunFolder, Path, TrainConfig]:
    """The folder of a run that exists, its data folder and its config.

    Raises:
        ConfigError: There is no run, or its config cannot be read.
    """
    run = RunFolder(path)
    if not run.config.is_file():
        raise ConfigError(f"{path} holds no run to resume: a run's folder has a config.json")
    try:
        document = json.loads(run.config.read_text(encoding="utf-8"))
        return run, Path(document["data"]), plain.from_json(TrainConfig, document["train"])
    except (ConfigError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError(f"{run.config} is damaged ({error}): start the run anew") from error


def check_same_data(run: RunFolder, data_hash: str) -> dict[str, Any]:
    """The provenance of a run; refuses to resume on pictures that are not those of the run.

    Raises:
        DataError: The data hash differs.
    """
    provenance, recorded = _recorded(run, "data_hash")
    if recorded != data_hash:
        raise DataError(
            f"the pictures or masks changed since {run.path} began (data hash {recorded[:12]}, now "
            f"{data_hash[:12]}): restore them, or start a new run"
        )
    return provenance


def recorded_architecture(run: RunFolder) -> Architecture:
    """The network that a run began with, as its provenance has it.

    Raises:
        DataError: The provenance cannot be read.
    """
    _, recorded = _recorded(run, "architecture")
    try:
        return Architecture(str(recorded["name"]), dict(recorded["arguments"]))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{run.provenance} is damaged ({error}): start the run anew") from error


def check_same_weights(provenance: dict[str, Any], weights_sha256: str | None) -> None:
    """Refuses to begin a run again with other pretrained weights than it began with.

    Raises:
        DataError: Their file changed.
    """
    recorded = provenance.get("weights_sha256")
    if recorded != weights_sha256:
        raise DataError(
            f"the pretrained weights changed since the run began (SHA-256 {str(recorded)[:12]}, now "
            f"{str(weights_sha256)[:12]}): restore them, or start a new run"
        )


def _recorded(run: RunFolder, key: str) -> tuple[dict[str, Any], Any]:
    """A run's provenance, and one entry of it."""
    try:
        provenance = json.loads(run.provenance.read_text(encoding="utf-8"))
        return provenance, provenance[key]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{run.provenance} cannot be read ({error}): start the run anew") from error


def write_provenance(run: RunFolder, facts: dict[str, Any]) -> dict[str, Any]:
    """Records `facts` and the surroundings of the run, and returns all of it."""
    document = {
        **facts,
        "started": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "versions": {"python": platform.python_version(), "pixelwise": __version__, **_versions(facts)},
        "machine": {"system": platform.platform(), "processor": processor_name()},
        "git": {
            "working_folder": _git_commit(Path.cwd()),
            "pixelwise": _git_commit(Path(__file__).parent),
        },
    }
    write_whole(run.provenance, _json_bytes(document))
    return document


def record_ranks(run: RunFolder, provenance: dict[str, Any], step: int, ranks: dict[str, Any]) -> None:
    """Notes that a run goes on with other processes than it began with, or went on with last."""
    resumed: list[dict[str, Any]] = provenance.setdefault("resumed", [])
    alone = {"count": 1, "machines": 1, "started_by": "nobody"}  # of runs from before ranks were recorded
    last = resumed[-1]["ranks"] if resumed else provenance.get("ranks", alone)
    if last == ranks:
        return
    resumed.append({"step": step, "ranks": ranks})
    write_whole(run.provenance, _json_bytes(provenance))


def processor_name() -> str:
    """The processor as the system names it, with the number of its cores that we see."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
        models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        if models:
            name = f"{models[0]}, {len(models)} cores"
    return name


def _versions(facts: dict[str, Any]) -> dict[str, str]:
    """Of the libraries that a run computes with; timm's where its encoder is one of timm's."""
    encoder = facts["architecture"]["arguments"].get("encoder") or ""
    libraries = (*_LIBRARIES, "timm") if encoder.startswith(TIMM) else _LIBRARIES
    return {name: importlib.metadata.version(name) for name in libraries}


def _git_commit(folder: Path) -> str | None:
    """The commit checked out at a folder, with `+changes` if files differ from it; None outside git."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    return commit + "+changes" if _git(folder, "status", "--porcelain", "--untracked-files=no") else commit


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _json_bytes(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()
