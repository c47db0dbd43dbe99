"""What a study is to do, and the file in its folder that says so. Knows no trial.

tune/
  study.json         data folder, base settings, search, number of trials
  study.db           Optuna's storage: the trials that ended
  trial-000/ …       a run each, with its config.json, best.safetensors, history.csv
  trials.csv         one row a trial
"""

from __future__ import annotations

import dataclasses
import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwise import plain
from pixelwise.config import TrainConfig
from pixelwise.config.search import Setting, parse_search
from pixelwise.errors import ConfigError
from pixelwise.files import write_whole

FORMAT = 1
LOCK = ".lock"


@dataclass(frozen=True, kw_only=True)
class StudyPlan:
    """What a study is to do.

    Attributes:
        data: Folder of the labelled pictures, absolute.
        base: The settings that are not searched.
        search: Those that are.
        trials: How many, with those that were pruned or failed; at least 1.
        prune: Whether hopeless trials end early.

    Raises:
        ConfigError: There are no trials.
    """

    data: Path
    base: TrainConfig
    search: tuple[Setting, ...]
    trials: int
    prune: bool

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise ConfigError(f"--trials must be at least 1, got {self.trials}")

    def differences(self, other: StudyPlan) -> list[str]:
        """What another plan does differently, in the words of the flags; another number of trials is none."""
        found: list[str] = []
        if self.data != other.data:
            found.append("DATA")
        if self.search != other.search:
            found.append("--search")
        if self.prune != other.prune:
            found.append("--prune")
        mine, theirs = _flat(self.base), _flat(other.base)
        return found + [f"--{name.replace('_', '-')}" for name in mine if mine[name] != theirs[name]]


def study_file(folder: Path) -> Path:
    """Where a study's plan lies."""
    return folder / "study.json"


def write_plan(folder: Path, plan: StudyPlan) -> None:
    """Writes study.json; `DataError` if the folder cannot be written."""
    document = {
        "format": FORMAT,
        "data": str(plan.data),
        "train": plain.to_json(plan.base),
        "search": [str(setting) for setting in plan.search],
        "trials": plan.trials,
        "prune": plan.prune,
    }
    write_whole(study_file(folder), (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode())


def read_plan(folder: Path) -> StudyPlan:
    """The plan of the study in a folder.

    Raises:
        ConfigError: There is none, or it cannot be read.
    """
    path = study_file(folder)
    if not path.is_file():
        raise ConfigError(f"{folder} holds no study to go on with: a study's folder has a study.json")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise ValueError(f"format {document['format']!r}")
        base = plain.from_json(TrainConfig, document["train"])
        return StudyPlan(
            data=Path(document["data"]),
            base=base,
            search=parse_search(plain.convert(tuple[str, ...], document["search"], "search"), base),
            trials=plain.convert(int, document["trials"], "trials"),
            prune=plain.convert(bool, document["prune"], "prune"),
        )
    except (ConfigError, OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError(f"{path} is damaged ({error}): start another study with --out") from error


def settle(folder: Path, plan: StudyPlan) -> bool:
    """Makes the folder a study of this plan, unless it is one; returns whether it is new.

    Raises:
        ConfigError: The folder holds something else, or a study of another plan.
        DataError: It cannot be written.
    """
    if study_file(folder).exists():
        different = read_plan(folder).differences(plan)
        if different:
            raise ConfigError(
                f"{folder} holds another study ({', '.join(different)} differ): name another folder with "
                f"--out, or go on with that one by --resume {shlex.quote(str(folder))}"
            )
        write_plan(folder, plan)  # the number of trials may be another one
        return False
    if folder.is_dir() and any(item.name != LOCK for item in folder.iterdir()):
        raise ConfigError(f"{folder} is not empty and holds no study: name a new folder with --out")
    write_plan(folder, plan)
    return True


def _flat(config: TrainConfig) -> dict[str, Any]:
    parts = {name: value for name, value in vars(config).items() if not dataclasses.is_dataclass(value)}
    return {**parts, **vars(config.augment), **vars(config.data)}
