"""`train --plan` at the command line: the command that it prints, wrong use, and what a stranger reads.

Trials are made up here, by a formula; `training/test_memory_trials.py` has real ones.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import tyro

from pixelwise.cli import main
from pixelwise.cli.flags import given_settings
from pixelwise.cli.plan import command_words
from pixelwise.cli.train import Train
from pixelwise.config import AugmentConfig, DataConfig, TrainConfig
from pixelwise.training import planner
from pixelwise.training.machine import Memory
from pixelwise.training.memory import Outcome
from pixelwise.training.trial import Answer, Wish

GIB = 1 << 30


def formula(wish: Wish) -> Outcome:
    """0.5 GiB, 8 kB a pixel trained at once and 3 kB a pixel validated; dead beyond the limit."""
    config = wish.config
    crop, size = config.augment.crop or config.size, config.size
    at_once = min(config.micro_batch or wish.pictures, wish.pictures)
    train = GIB // 2 + 8000 * at_once * crop[0] * crop[1]
    val = GIB // 2 + 3000 * wish.pictures * size[0] * size[1]
    if wish.limit is not None and max(train, val) > wish.limit:
        return Outcome(wish, None, wish.limit)
    answer = Answer(
        val_peak=val,
        train_peak=max(val, train),
        peak=max(val, train),
        train_seconds=0.1,
        val_seconds=0.05,
        taken=0.3,
        device="cpu",
        precision="float32",
        free=None,
    )
    return Outcome(wish, answer, max(val, train))


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[Outcome]:
    """Every made-up trial; 8 GiB are free."""
    outcomes: list[Outcome] = []

    def attempt(wish: Wish) -> Outcome:
        outcomes.append(formula(wish))
        return outcomes[-1]

    monkeypatch.setattr(planner, "try_out", attempt)
    monkeypatch.setattr(planner, "free_memory", lambda: Memory(8 * GIB, "available on this machine"))
    return outcomes


def planned(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main(["train", *words, "--plan", "--json", "--device", "cpu"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    "config",
    [
        TrainConfig(),
        TrainConfig(
            model_args=("width=4", "padding=same"),
            weights="a file.pth",
            size=(96, 64),
            batch_size=8,
            micro_batch=4,
            loss="ce + 0.5*dice",
            lr=1.2345678e-5,
            class_weights=(1.0, 0.1, 1 / 3),
            bn_momentum=0.1,
            ema=0.999,
            compile=True,
            augment=AugmentConfig(flip=True, scale=(0.5, 2.0), crop=(32, 64), crop_max_share=0.75),
            data=DataConfig(
                map=("255=1", "7=ignore"),
                classes=("no body", "it's"),
                cache=False,
                val_share=0.25,
                cache_dir=Path("c d"),
            ),
        ),
        TrainConfig(
            steps=100, augment=AugmentConfig(shift=0.1), data=DataConfig(val_last=3, skip_broken=True)
        ),
    ],
)
@pytest.mark.parametrize("folder", ["data", "my data/it's", "-odd"])
def test_the_command_parses_back(config: TrainConfig, folder: str) -> None:
    words = command_words(Path(folder), config, out=Path("run 1"))
    assert words[:2] == ["pixelwise", "train"]
    assert shlex.split(shlex.join(words)) == words
    parsed = tyro.cli(Train, args=words[2:], config=(tyro.conf.OmitArgPrefixes,))
    assert parsed.config == config
    assert parsed.data == Path(folder)
    assert parsed.out == Path("run 1")


def test_flags_that_repeat_a_default_are_given_too() -> None:
    words = [
        "train",
        "data",
        "--batch-size",
        "32",
        "--no-flip",
        "--val-last=3",
        "--crop_max_share",
        "1",
        "-1",
    ]
    assert {"batch_size", "flip", "val_last", "crop_max_share"} <= given_settings(words)
    assert "size" not in given_settings(words)


def test_the_printed_plan_is_the_plan(
    tried: list[Outcome], shared_data_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = planned(capsys, str(shared_data_folder), "--val-last", "3", "--batch-size", "32")
    parsed = tyro.cli(Train, args=plan["command"][2:], config=(tyro.conf.OmitArgPrefixes,))
    last = tried[-1].wish.config
    # The largest multiples of the stride, which is 16, that 40x48 pictures have.
    assert parsed.config.size == last.size == (32, 48)
    assert parsed.config.batch_size == 32  # a default that was given stays
    assert parsed.config.data == DataConfig(val_last=3)
    by_name = {choice["setting"]: choice for choice in plan["choices"]}
    assert by_name["batch_size"]["given"]
    assert not by_name["size"]["given"]
    assert all(choice["why"] for choice in plan["choices"])
    assert plan["config"]["size"] == [32, 48]
    assert plan["estimate"]["budget"] == int(0.8 * 8 * GIB)
    assert any("9 training and 3 validation pictures, all of 48x40" in fact for fact in plan["facts"])
    assert any("3 validation pictures are few" in warning for warning in plan["warnings"])


@pytest.mark.parametrize("dies", [True, False])
def test_a_trial_that_fails_lowers_the_plan(
    dies: bool,
    tried: list[Outcome],
    shared_data_folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A network whose need jumps beyond the probes: the first proposal dies, or lives above the budget."""

    def jumping(wish: Wish) -> Outcome:
        outcome = formula(wish)
        seen = outcome.seen
        if outcome.answer is not None and seen is not None and seen.train_pixels > 300_000:
            alive = dataclasses.replace(outcome.answer, train_peak=7 * GIB, peak=7 * GIB)
            answer = None if dies else alive
            outcome = Outcome(wish, answer, 7 * GIB)
        tried.append(outcome)
        return outcome

    monkeypatch.setattr(planner, "try_out", jumping)
    plan = planned(
        capsys, str(shared_data_folder), "--val-last", "2", "--size", "256", "256", "--batch-size", "8"
    )
    assert [outcome.peak for outcome in tried].count(7 * GIB) >= 1
    assert plan["config"]["micro_batch"] in (1, 2, 3, 4)
    assert plan["estimate"]["peak"] <= plan["estimate"]["budget"]
    assert plan["estimate"]["peak"] in [outcome.peak for outcome in tried if outcome.answer is not None]


def test_a_network_that_always_takes_too_much_is_a_no(
    tried: list[Outcome],
    shared_data_folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every picture of the size that is asked for lives, and takes more than the 6.4 GiB of the budget."""

    def greedy(wish: Wish) -> Outcome:
        outcome = formula(wish)
        if outcome.answer is None or wish.config.size != (256, 256):
            return outcome
        answer = dataclasses.replace(outcome.answer, train_peak=7 * GIB, peak=7 * GIB)
        return Outcome(wish, answer, 7 * GIB)

    monkeypatch.setattr(planner, "try_out", greedy)
    words = ["--val-last", "2", "--size", "256", "256", "--plan", "--device", "cpu"]
    assert main(["train", str(shared_data_folder), *words]) == 1
    assert "6.4 GiB" in capsys.readouterr().err


def test_memory_that_is_asked_for_bounds_the_plan(
    tried: list[Outcome], shared_data_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """256 x 256 pixels of 8 kB are 0.49 GiB a picture trained; 0.19 validated, so 8 of them 1.46 + 0.5.

    2.7 GiB leave 2.2 for training: 4 pictures at once. 2.2 GiB leave room for 3, which are too few for batch
    normalisation, so that a crop is proposed: of 192 x 192 pixels, 0.27 GiB each, 6 fit, evenly 4 and 4.
    """
    words = [str(shared_data_folder), "--val-last", "2", "--size", "256", "256", "--batch-size", "8"]
    tight = planned(capsys, *words, "--memory", "2.7")
    assert (tight["config"]["micro_batch"], tight["config"]["augment"]["crop"]) == (4, None)
    assert tight["estimate"]["budget"] == int(2.7 * GIB)
    assert all(outcome.fits(int(2.7 * GIB)) for outcome in tried)
    tighter = planned(capsys, *words, "--memory", "2.2")["config"]
    assert (tighter["micro_batch"], tighter["augment"]["crop"]) == (4, [192, 192])
    assert planned(capsys, *words)["config"]["micro_batch"] is None
    # More than there is cannot be tried.
    assert planned(capsys, *words, "--memory", "100")["estimate"]["budget"] == 8 * GIB


def test_what_cannot_fit_is_a_no(
    tried: list[Outcome], shared_data_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(shared_data_folder), "--val-last", "3", "--plan", "--memory", "0.4"]) == 1
    message = " ".join(capsys.readouterr().err.split())
    assert "holds 0.50 GiB before the first picture" in message
    assert "may take 0.40 GiB" in message


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--plan", "--memory", "0"], "--memory must be above 0"),
        (["--memory", "3"], "--memory is for --plan"),
        (["--plan", "--resume", "run"], "--plan is for a new run"),
        (["--plan", "--model", "unet-xceptoin"], "did you mean unet-xception"),
        (["--plan", "--weights", "imagenet"], "has no encoder that weights are known for"),
        (["--plan", "--weights", "no.pth", "--model", "deeplabv3plus"], "no.pth"),
        (["--plan", "--loss", "cee"], "did you mean ce?"),
        (["--plan", "--class-weights", "1", "2", "3"], "3 weights for 2 classes"),
        (["--plan", "--precision", "float16"], "is for CUDA GPUs"),
    ],
)
def test_wrong_use(
    tried: list[Outcome],
    words: list[str],
    message: str,
    shared_data_folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["train", str(shared_data_folder), "--device", "cpu", *words]) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert tried == []


def test_broken_data_is_what_training_says_of_it(
    tried: list[Outcome], data_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    next((data_folder / "masks").iterdir()).write_bytes(b"")
    assert main(["train", str(data_folder), "--plan", "--device", "cpu"]) == 2
    assert "masks/scene_" in capsys.readouterr().err
    assert tried == []


def test_a_stranger_reads_reasons_and_can_copy_the_command(
    tried: list[Outcome], shared_data_folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    words = [str(shared_data_folder), "--out", str(run), "--val-last", "3", "--lr", "0.01", "--device", "cpu"]
    assert main(["train", *words, "--plan"]) == 0
    text = capsys.readouterr().out
    command = text.strip().splitlines()[-1]
    assert command.startswith(f"pixelwise train {shared_data_folder} --out {run} --size 32 48 ")
    assert " --lr 0.01 " in command
    assert "as you asked" in text
    assert "other programs took 30% of it" in text
    assert "time     about " in text
    assert not run.exists()
