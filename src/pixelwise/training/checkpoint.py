"""The state of a training run in one file, so that a run killed anywhere goes on to bit-identical weights.

Besides the weights that is the optimiser's state and where the run stood; order and augmentation are
functions of (seed, epoch, index) and need no state. A `.safetensors` file with a JSON document: read without
executing anything. A state in shards is put together first, so that the file is the same however many ranks
trained, and any other number goes on with it.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from pixelwise.errors import ConfigError, ModelFileError
from pixelwise.files import write_whole
from pixelwise.report.history import HistoryRow
from pixelwise.training.average import WeightAverage
from pixelwise.training.shards import gathered, part_like

FORMAT = 2
_KEY = "pixelwise-checkpoint"
_NETWORK, _OPTIMIZER, _AVERAGE = "network.", "optimizer.", "average."


@dataclass
class Progress:
    """Where a run stands. Plain numbers, all of them in the checkpoint.

    Attributes:
        epoch: Epochs completed.
        step: Steps completed in the epoch under way.
        updates: Steps completed since training began.
        loss_sum: Sum over the steps since the last row of the loss times its weight.
        weight_sum: Sum of the weights (counted pixels, each times its class weight).
        seconds: Training time since the last row, without validation.
        wait_seconds: The part of it spent waiting for pictures.
        images: Pictures seen in that time.
        rows: One row per validation, which most runs have after each epoch.
        best_epoch: The epoch of the best model, from 1; 0 before there is one.
        best_value: Its validation figure, the one that chooses.
    """

    epoch: int = 0
    step: int = 0
    updates: int = 0
    loss_sum: float = 0.0
    weight_sum: float = 0.0
    seconds: float = 0.0
    wait_seconds: float = 0.0
    images: int = 0
    rows: list[HistoryRow] = field(default_factory=list[HistoryRow])
    best_epoch: int = 0
    best_value: float = 0.0

    def end_epoch(self) -> None:
        """Counts the epoch under way as done."""
        self.epoch += 1
        self.step = 0

    def end_row(self, row: HistoryRow) -> None:
        """Keeps a row and clears what it told of."""
        self.rows.append(row)
        self.images = 0
        self.loss_sum = self.weight_sum = self.seconds = self.wait_seconds = 0.0


@dataclass(frozen=True)
class State:
    """What moves in a run besides its `Progress`.

    Attributes:
        network: The weights.
        optimizer: What it remembers.
        average: The moving average of the weights, where one is kept.
        scaler: The gradient scaler of float16, where there is one.
    """

    network: torch.nn.Module
    optimizer: torch.optim.Optimizer
    average: WeightAverage | None = None
    scaler: torch.amp.GradScaler | None = None  # pyright: ignore[reportPrivateImportUsage]


def save_checkpoint(path: Path, state: State, progress: Progress, *, write: bool = True) -> None:
    """Writes the checkpoint, whole or not at all; `DataError` if the disk is full or read-only.

    Args:
        path: The file.
        state: Where it is in shards, all ranks must call.
        progress: Where the run stands.
        write: Whether this rank does, or only gives its part.
    """
    tensors = {_NETWORK + name: tensor for name, tensor in state.network.state_dict().items()}
    if state.average is not None:
        tensors |= {_AVERAGE + name: tensor for name, tensor in state.average.network.state_dict().items()}
    scalars: dict[str, Any] = {}
    for number, entries in state.optimizer.state_dict()["state"].items():
        for name, value in entries.items():
            if isinstance(value, torch.Tensor):
                tensors[f"{_OPTIMIZER}{number}.{name}"] = value
            else:
                scalars[f"{number}.{name}"] = value
    document = {
        "format": FORMAT,
        "progress": dataclasses.asdict(progress),
        "optimizer": scalars,
        "scaler": None if state.scaler is None else state.scaler.state_dict(),
    }
    stored = gathered(tensors, keep=write)
    if write:
        write_whole(path, save(stored, metadata={_KEY: json.dumps(document)}))


def load_checkpoint(path: Path, state: State) -> Progress:
    """Puts a checkpoint's content into `state`, and returns where the run stood.

    Raises:
        ModelFileError: The file is missing, damaged, newer, or of another network or optimiser.
    """
    document, tensors = _read(path)
    try:
        _load_network(state.network, _part(tensors, _NETWORK))
        if state.average is not None:
            _load_network(state.average.network, _part(tensors, _AVERAGE))
        if state.scaler is not None:
            state.scaler.load_state_dict(document["scaler"])
        _load_optimizer(state.optimizer, tensors, document["optimizer"])
        return _progress(document["progress"])
    except (RuntimeError, KeyError, TypeError, ValueError, AttributeError, ConfigError) as error:
        reason = str(error).splitlines()[0]
        raise ModelFileError(f"{path} does not fit this run ({reason}): start the run anew") from error


def _part(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _read(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    if not path.is_file():
        raise ModelFileError(f"{path}: no checkpoint to resume from; start the run anew")
    try:
        with safe_open(path, framework="pt") as file:
            document = json.loads((file.metadata() or {})[_KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise ModelFileError(f"{path} is no checkpoint, or a damaged one: start the run anew") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ModelFileError(f"{path} was written by another version of pixelwise: resume with that version")
    return document, tensors


def _load_network(network: torch.nn.Module, tensors: dict[str, torch.Tensor]) -> None:
    own = network.state_dict()
    network.load_state_dict(
        {name: part_like(tensor, own[name]) if name in own else tensor for name, tensor in tensors.items()}
    )


def _load_optimizer(
    optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor], scalars: dict[str, Any]
) -> None:
    state: dict[int, dict[str, Any]] = {}
    for name, tensor in tensors.items():
        if name.startswith(_OPTIMIZER):
            number, key = name.removeprefix(_OPTIMIZER).split(".", 1)
            state.setdefault(int(number), {})[key] = tensor
    for name, value in scalars.items():
        number, key = name.split(".", 1)
        state.setdefault(int(number), {})[key] = value
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for number, entries in state.items():
        for key, value in entries.items():
            # The file knows no strides; the running averages go back into the memory format of their
            # parameter.
            if isinstance(value, torch.Tensor) and value.shape == parameters[number].shape:
                entries[key] = torch.empty_like(parameters[number], requires_grad=False).copy_(
                    part_like(value, parameters[number])
                )
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _progress(value: dict[str, Any]) -> Progress:
    rows = [HistoryRow.from_json(row) for row in value["rows"]]
    return Progress(**{**value, "rows": rows})
