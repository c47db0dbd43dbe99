"""Trials in real child processes: a small batch, whose peak is what it is; and one that gets too little."""

from __future__ import annotations

import dataclasses
import json
import shlex
from pathlib import Path

import pytest

from pixelwise.cli import main
from pixelwise.config import AugmentConfig, TrainConfig
from pixelwise.errors import PixelwiseError
from pixelwise.training import memory
from pixelwise.training.memory import Outcome, try_out
from pixelwise.training.trial import Wish, _out_of_memory

MIB = 1 << 20
SMALL = TrainConfig(
    size=(192, 192),
    optimizer="adamw",
    ema=0.99,
    augment=AugmentConfig(flip=True, scale=(0.9, 1.1)),
)


def attempt(config: TrainConfig, pictures: int, limit: int | None = None) -> Outcome:
    return try_out(Wish(dataclasses.replace(config, batch_size=pictures), 3, pictures, limit))


@pytest.fixture(scope="module")
def whole() -> Outcome:
    return attempt(SMALL, 8)


def test_a_trial_tells_what_a_step_takes(whole: Outcome) -> None:
    answer, seen = whole.answer, whole.seen
    assert answer is not None
    assert seen is not None
    assert answer.device == "cpu"
    assert 100 * MIB < seen.val_peak < seen.train_peak <= whole.peak < 4000 * MIB
    assert (seen.train_pixels, seen.held_pixels, seen.val_pixels) == (8 * 192**2,) * 3
    assert 0 < whole.val_seconds < whole.train_seconds < 1
    assert 0 <= answer.taken < 1
    assert whole.fits(whole.peak)
    assert not whole.fits(whole.peak - 1)


def test_a_plan_stays_in_its_budget_by_pieces(
    whole: Outcome, shared_data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Halfway between what 4 and 8 pictures take at once: they go in pieces, and the real step stays below.

    Probes, proposal and the trial of it are real; the network, size and batch are those of `whole`. Equal
    trials differ by up to 70 MiB (threads take memory in another order), and 4 more pictures take 200.
    """
    budget = (whole.peak + attempt(SMALL, 4).peak) / 2 / (1 << 30)
    wish = ["--size", "192", "192", "--batch-size", "8"]
    asked = ["--plan", "--json", "--memory", str(budget), "--no-flip", "--val-last", "2", "--device", "cpu"]
    assert main(["train", str(shared_data_folder), "--out", str(tmp_path / "run"), *wish, *asked]) == 0
    plan = json.loads(capsys.readouterr().out)
    config = plan["config"]
    assert config["micro_batch"] in (1, 2, 4)
    assert (config["batch_size"], config["size"], config["augment"]["flip"]) == (8, [192, 192], False)
    assert 100 * MIB < plan["estimate"]["peak"] <= plan["estimate"]["budget"] == int(budget * (1 << 30))
    assert plan["command"][:3] == ["pixelwise", "train", str(shared_data_folder)]
    assert shlex.split(plan["shell"]) == plan["command"]
    assert not (tmp_path / "run").exists()


def test_a_child_that_gets_too_little_does_not_fit(whole: Outcome) -> None:
    """The data segment may not grow to what the batch takes; the refusal comes as an exit code or a death."""
    starved = attempt(SMALL, 64, limit=whole.peak)
    assert starved.answer is None
    assert starved.seen is None
    assert not starved.fits(1 << 60)


@pytest.mark.parametrize(
    ("text", "lacked"),
    [
        ("[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: can't allocate memory: you tried", True),
        ("could not create a memory object", True),
        ("could not create a primitive", True),
        ("could not create a primitive descriptor for the convolution forward propagation primitive", False),
        ("mat1 and mat2 shapes cannot be multiplied", False),
    ],
)
def test_what_a_lack_of_memory_is_called(text: str, lacked: bool) -> None:
    assert _out_of_memory(RuntimeError(text)) == lacked


def test_another_failure_is_not_taken_for_a_lack_of_memory() -> None:
    with pytest.raises(PixelwiseError, match=r"a trial step of no-such-net failed: .*there is no network"):
        attempt(dataclasses.replace(SMALL, model="no-such-net"), 1)


def test_a_trial_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "LONGEST_SECONDS", 0.06)
    with pytest.raises(PixelwiseError, match=r"8 pictures of 192x192 took longer than 0.001 minutes"):
        attempt(SMALL, 8)
