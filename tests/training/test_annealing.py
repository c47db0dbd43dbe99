"""EoMT from the command line: what a step draws and masks is a function of the step, so resume is exact."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pixelwise.cli import main
from pixelwise.config import TrainConfig
from pixelwise.errors import ConfigError
from pixelwise.losses import build_extra_loss
from pixelwise.models import build_model
from pixelwise.models.auxiliary import forward_with_auxiliary
from pixelwise.models.query_teaching import MaskedQueries
from pixelwise.nn.outputs import LOGITS
from pixelwise.training import loop
from pixelwise.training.objective import build_objective

pytestmark = pytest.mark.usefixtures("quick_curves")

ARGUMENTS = {"alpha": 0.0625, "depth": 3, "queries": 5}


def command(data: Path, run: Path) -> list[str]:
    given = [f"{name}={value}" for name, value in ARGUMENTS.items()]
    return [
        *("train", str(data), "--model", "eomt-s", "--out", str(run), "--val-last", "3"),
        *("--size", "32", "48", "--epochs", "2", "--batch-size", "4", "--lr", "1e-3", "--optimizer", "adamw"),
        *("--checkpoint-seconds", "0", "--micro-batch", "3", "--cache-dir", str(run.parent / "cache")),
        *("--model-args", *given),
    ]


def test_a_killed_run_anneals_as_the_undisturbed_one(
    shared_data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[float] = []
    note = MaskedQueries.note_progress
    monkeypatch.setattr(
        MaskedQueries, "note_progress", lambda self, share: (told.append(share), note(self, share))
    )
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert main(command(shared_data_folder, whole)) == 0
    undisturbed = told.copy()
    assert undisturbed == [step / len(undisturbed) for step in range(len(undisturbed))]
    assert len(undisturbed) > 4

    told.clear()
    event = loop._event

    def killed(progress, steps, epochs):
        if progress.updates == 4:
            raise OSError("killed")
        return event(progress, steps, epochs)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "_event", killed)
        torch.manual_seed(1)  # what the global generator does must not matter
        assert main(command(shared_data_folder, parts)) == 2
    torch.manual_seed(2)
    assert main(["train", "--resume", str(parts)]) == 0
    assert told == undisturbed[:4] + undisturbed[3:]  # the step that was not saved is done again
    for file in ("last.safetensors", "checkpoint.safetensors"):
        expected, found = load_file(whole / file), load_file(parts / file)
        assert expected.keys() == found.keys()
        assert all(torch.equal(tensor, found[key]) for key, tensor in expected.items())


def test_queries_are_taught_beside_the_logits() -> None:
    net = build_model("eomt-s", num_classes=3, arguments=ARGUMENTS, seed=0)
    images = torch.rand(2, 3, 37, 52, generator=torch.Generator().manual_seed(0)) * 255
    masks = torch.randint(0, 3, (2, 37, 52), generator=torch.Generator().manual_seed(1)).byte()
    objective = build_objective(net, TrainConfig(model="eomt-s"), None)
    outputs = forward_with_auxiliary(net, images)
    own, total = objective(outputs, masks)
    assert own == objective.loss(outputs[LOGITS], masks)
    extra = build_extra_loss("mask_classification", class_weights=None)(outputs, masks)
    torch.testing.assert_close(total, own + extra)
    with pytest.raises(ConfigError, match="reads the output boundary, which eomt-s"):
        build_objective(net, TrainConfig(model="eomt-s", extra_loss="edge"), None)
    alone = build_model("eomt-s", num_classes=3, arguments={**ARGUMENTS, "auxiliary": False}, seed=0)
    assert build_objective(alone, TrainConfig(model="eomt-s"), None).extra is None
