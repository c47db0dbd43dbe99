"""Whole studies on drawn pictures: killed and resumed with real processes, pruned, failed, refused."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import filelock
import pytest
from forked import Forked, pixelwise
from safetensors.torch import load_file

pytest.importorskip("optuna", reason="needs the extra [tune]")

import pixelwise as pw
from pixelwise.cli import main
from pixelwise.cli.terminal import Display
from pixelwise.config import DataConfig, TrainConfig
from pixelwise.errors import ConfigError, DataError, PixelwiseError
from pixelwise.training import LogListener
from pixelwise.training.run import RunFolder
from pixelwise.training.tuning import Tuning, resume_tuning
from pixelwise.training.tuning.run_trial import TrialOrder, run_trial
from pixelwise.training.tuning.trial import Trial

pytestmark = pytest.mark.usefixtures("quick_curves")

TRIALS = 2
SEARCH = ("lr=1e-4..1e-2:log", "flip=true,false")
# A U-Net so narrow that writing its files is what takes time.
FLAGS = [
    *("--model", "unet", "--model-args", "width=2"),
    *("--size", "32", "32", "--epochs", "2", "--batch-size", "5", "--val-last", "2", "--log-pictures", "0"),
    *("--checkpoint-seconds", "0", "--seed", "7"),
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def base(cache: Path) -> TrainConfig:
    return TrainConfig(
        model="unet",
        model_args=("width=2",),
        size=(32, 32),
        epochs=2,
        batch_size=5,
        log_pictures=0,
        checkpoint_seconds=0,
        seed=7,
        data=DataConfig(val_last=2, cache_dir=cache),
    )


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, shared_data_folder: Path, base: TrainConfig
) -> Tuning:
    out = tmp_path_factory.mktemp("undisturbed") / "tune"
    return pw.tune(shared_data_folder, base, out=out, trials=TRIALS, search=SEARCH)


def _wait(process: Forked, path: Path) -> None:
    """Until the file is there."""
    deadline = time.monotonic() + 120
    while not path.exists():
        assert process.poll() is None, f"the study ended before it could be stopped: {process.communicate()}"
        assert time.monotonic() < deadline, f"no {path} in two minutes"
        time.sleep(0.005)


def _same(found: Tuning, wanted: Tuning) -> None:
    for one, other in zip(found.trials, wanted.trials, strict=True):
        assert dataclasses.replace(one, seconds=0) == dataclasses.replace(other, seconds=0)
        folder = f"trial-{one.number:03d}"
        weights = [load_file(study.folder / folder / "last.safetensors") for study in (found, wanted)]
        assert all((weights[0][name] == weights[1][name]).all() for name in weights[1])
    assert found.best.number == wanted.best.number


def test_kill_interrupt_and_resume(
    tmp_path: Path,
    undisturbed: Tuning,
    shared_data_folder: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "my tune"
    search = [word for setting in SEARCH for word in ("--search", setting)]
    arguments = [str(shared_data_folder), "--out", str(out), "--trials", str(TRIALS), *search, *FLAGS]
    words = ["tune", *arguments, "--cache-dir", str(cache)]
    process = Forked(pixelwise, *words, environment=os.environ)
    _wait(process, out / "trial-001" / "checkpoint.safetensors")  # the second trial has done a step
    process.send_signal(signal.SIGKILL)
    process.communicate()
    first = (out / "trial-000" / "last.safetensors").stat().st_mtime_ns

    # The next one gets a Ctrl-C after its first step.
    monkeypatch.setattr(Display, "step", lambda _display, _event: signal.raise_signal(signal.SIGINT))
    assert main(["tune", "--resume", str(out)]) == 130
    said = " ".join(capsys.readouterr().err.split())
    assert "trial 1 (2 of 2)" in said
    assert "resuming" in said
    assert "stopped by SIGINT" in said
    assert f"Go on with: {shlex.join(['pixelwise', 'tune', '--resume', str(out)])}" in said

    done = resume_tuning(out)
    _same(done, undisturbed)
    assert (out / "trial-000" / "last.safetensors").stat().st_mtime_ns == first
    # A study that is done is left as it is.
    assert resume_tuning(out).trials == done.trials


def test_what_a_study_says(undisturbed: Tuning, shared_data_folder: Path) -> None:
    best = undisturbed.best
    assert best.miou == max(trial.miou or 0 for trial in undisturbed.trials)
    assert best.miou == pw.load(undisturbed.model).provenance["validation"]["miou"]
    assert undisturbed.trials[0].raw["lr"] == 1e-3  # the base's own
    with (undisturbed.folder / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["state"] for row in rows] == ["complete"] * TRIALS
    assert [float(row["val_miou"]) for row in rows] == [trial.miou for trial in undisturbed.trials]
    assert [float(row["lr"]) for row in rows] == [trial.raw["lr"] for trial in undisturbed.trials]
    words = shlex.split(undisturbed.command)
    assert words[:4] == ["pixelwise", "train", str(shared_data_folder), "--out"]
    config = json.loads((undisturbed.model.parent / "config.json").read_text())["train"]
    rate = "" if config["lr"] == 1e-3 else f"--lr {config['lr']!r}"
    assert rate in undisturbed.command
    assert ("--flip" in words) == config["augment"]["flip"]
    document = undisturbed.to_json()
    assert json.loads(json.dumps(document)) == document
    assert "optimistic" in document["caveat"]


def _order(folder: Path, data: Path, config: TrainConfig) -> TrialOrder:
    run = RunFolder(folder / "trial-000")
    return TrialOrder(
        number=0, raw={"lr": 1.0}, data=data, config=config, run=run, first=run, talkative=False
    )


def test_an_epoch_that_was_not_judged_is_judged_after_all(
    tmp_path: Path, shared_data_folder: Path, base: TrainConfig
) -> None:
    order = _order(tmp_path, shared_data_folder.resolve(), base)

    def dies(_course: Sequence[tuple[int, float]]) -> bool:
        raise KeyboardInterrupt  # the checkpoint is written, the judgement is not spoken

    with pytest.raises(KeyboardInterrupt):
        run_trial(order, dies, LogListener())
    heard: list[int] = []

    def hopeless(course: Sequence[tuple[int, float]]) -> bool:
        heard.extend(epoch for epoch, _ in course)
        return True

    trial = run_trial(order, hopeless, LogListener())
    assert heard == [1]
    assert trial.state == "pruned"
    assert trial.note == "pruned after epoch 1"
    assert trial.course == ((1, trial.miou),)
    # The same once more, for a process that died before the pruned trial was stored.
    again = run_trial(order, hopeless, LogListener())
    assert dataclasses.replace(again, seconds=0) == dataclasses.replace(trial, seconds=0)
    # A run with other settings is none of this trial.
    other = dataclasses.replace(order, config=dataclasses.replace(base, lr=0.5))
    with pytest.raises(DataError, match="trial-000 was begun with other settings"):
        run_trial(other, None, LogListener())


def test_a_loss_that_breaks_fails_its_trial_alone(
    tmp_path: Path, shared_data_folder: Path, base: TrainConfig
) -> None:
    # The base is fine; a learning rate of 90 breaks in the second step.
    config = dataclasses.replace(base, optimizer="sgd", lr=1e-4, batch_size=2, epochs=1)
    done = pw.tune(shared_data_folder, config, out=tmp_path / "t", trials=2, search=["lr=1e-4,90"])
    states = {str(trial.raw["lr"]): trial.state for trial in done.trials}
    assert states == {"1e-4": "complete", "90": "failed"}
    failed = next(trial for trial in done.trials if trial.state == "failed")
    assert "the loss became" in failed.note
    assert failed.miou is None
    assert done.best.raw["lr"] == "1e-4"


def test_settings_that_do_not_go_together_fail_their_trial(
    tmp_path: Path, shared_data_folder: Path, base: TrainConfig
) -> None:
    # Each goes with the base, which has a crop; a crop share without a crop does not. Seed 12 draws it.
    crop = dataclasses.replace(base.augment, crop=(16, 16))
    cropped = dataclasses.replace(base, epochs=1, augment=crop, seed=12)
    search = ["crop=none,16 16", "crop_max_share=1,0.5"]
    done = pw.tune(shared_data_folder, cropped, out=tmp_path / "t", trials=2, search=search)
    assert done.trials[1].raw == {"crop": "none", "crop_max_share": "0.5"}
    assert [trial.state for trial in done.trials] == ["complete", "failed"]
    assert "needs --crop" in done.trials[1].note


def test_pictures_that_changed_under_a_study(tmp_path: Path, data_folder: Path, base: TrainConfig) -> None:
    config = dataclasses.replace(base, epochs=1)
    pw.tune(data_folder, config, out=tmp_path / "t", trials=1, search=["lr=1e-4,1e-3"])
    (data_folder / "images" / "scene_00.png").write_bytes(
        (data_folder / "images" / "scene_01.png").read_bytes()
    )
    with pytest.raises(DataError, match=r"changed since .*trial-000 began"):
        pw.tune(data_folder, config, out=tmp_path / "t", trials=2, search=["lr=1e-4,1e-3"])


def test_nothing_is_left_of_a_study_without_data(tmp_path: Path, base: TrainConfig) -> None:
    with pytest.raises(DataError, match="no such folder"):
        pw.tune(tmp_path / "nowhere", base, out=tmp_path / "t")
    assert not (tmp_path / "t").exists()
    (tmp_path / "mine").mkdir()
    with pytest.raises(DataError, match="no such folder"):
        pw.tune(tmp_path / "nowhere", base, out=tmp_path / "mine")
    assert {path.name for path in (tmp_path / "mine").iterdir()} <= {".lock"}


def test_a_second_tuner_is_kept_out(tmp_path: Path, undisturbed: Tuning) -> None:
    with (
        filelock.FileLock(undisturbed.folder / ".lock"),
        pytest.raises(ConfigError, match="another tuner is at work"),
    ):
        resume_tuning(undisturbed.folder)


def test_without_optuna(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"pip install 'pixelwise\[tune\]'"):
        pw.tune(tmp_path, out=tmp_path / "t")
    assert not (tmp_path / "t").exists()


def test_no_trial_came_to_its_end(tmp_path: Path, shared_data_folder: Path, base: TrainConfig) -> None:
    config = dataclasses.replace(base, optimizer="sgd", lr=80, batch_size=2, epochs=1)
    with pytest.raises(PixelwiseError, match="none of 1 trials came to its end, trial 0 because: the loss"):
        pw.tune(shared_data_folder, config, out=tmp_path / "t", trials=1, search=["lr=80,90"])


def test_a_trial_is_plain_values() -> None:
    trial = Trial(number=1, state="complete", raw={"lr": 0.5}, miou=0.25, best_epoch=1, course=((1, 0.25),))
    assert json.loads(json.dumps(trial.to_json()))["course"] == [[1, 0.25]]
