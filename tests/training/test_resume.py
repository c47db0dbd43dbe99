"""Kill a real process anywhere; the resumed run must end in bit-identical weights.

The undisturbed run is the command as a user starts it; those that are killed and resumed are forked.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from forked import Forked, pixelwise
from safetensors.torch import load_file

EPOCHS, STEPS = 3, 4  # 10 training pictures in batches of 3
VALIDATIONS = 2  # after the second epoch and the last
# A U-Net so narrow that a process's start and its files are what takes time.
SETTINGS = [
    *("--model", "unet", "--model-args", "width=2", "batch_norm=true"),
    *("--size", "32", "32", "--epochs", str(EPOCHS), "--batch-size", "3", "--val-last", "2"),
    *("--workers", "3", "--log-pictures", "1"),
    *("--flip", "--scale", "0.7", "1.4", "--rotate", "20", "--shift", "0.1", "--colour", "0.4"),
    *("--schedule", "cosine", "--warmup-steps", "2", "--weight-decay", "1e-4", "--clip-norm", "5"),
    *("--ema", "0.9", "--micro-batch", "2", "--validate-every", "2"),
    *("--checkpoint-seconds", "0"),
]


def _start(arguments: list[str], cache: Path) -> Forked:
    return Forked(pixelwise, "train", *arguments, environment={**os.environ, "XDG_CACHE_HOME": str(cache)})


def _finish(arguments: list[str], cache: Path) -> str:
    process = _start(arguments, cache)
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    return output + errors


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module", params=["rmsprop", "adamw"])
def undisturbed(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    shared_data_folder: Path,
    cache: Path,
) -> tuple[str, Path]:
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    command = [sys.executable, "-m", "pixelwise", "train", str(shared_data_folder), "--out", str(run)]
    done = subprocess.run(
        [*command, "--optimizer", request.param, *SETTINGS],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "XDG_CACHE_HOME": str(cache)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return request.param, run


def _wait_for_step(run: Path, process: Forked, epoch: int, step: int) -> tuple[int, int]:
    """Waits until the checkpoint stands at or behind this step, and says where it stood."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the run ended before it could be killed: {process.communicate()}"
        position = _position(run / "checkpoint.safetensors")
        if position >= (epoch, step):
            return position
        time.sleep(0.005)
    raise AssertionError("no checkpoint in two minutes")


def _position(checkpoint: Path) -> tuple[int, int]:
    """(epochs done, steps done) of a checkpoint; (-1, 0) without one."""
    if not checkpoint.exists():
        return (-1, 0)
    content = checkpoint.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    progress = json.loads(header["__metadata__"]["pixelwise-checkpoint"])["progress"]
    return progress["epoch"], progress["step"]


def _assert_same_weights(run: Path, expected: Path) -> None:
    for name in ("last.safetensors", "best.safetensors", "average.safetensors"):
        found, wanted = load_file(run / name), load_file(expected / name)
        assert found.keys() == wanted.keys()
        for key, tensor in wanted.items():
            assert torch.equal(found[key], tensor), f"{name}: {key} differs"


def test_kill_twice_and_resume(
    tmp_path: Path, undisturbed: tuple[str, Path], shared_data_folder: Path, cache: Path
) -> None:
    optimizer, expected = undisturbed
    run = tmp_path / "run"
    process = _start([str(shared_data_folder), "--out", str(run), "--optimizer", optimizer, *SETTINGS], cache)
    _wait_for_step(run, process, 0, 2)  # in the middle of the first epoch
    process.send_signal(signal.SIGKILL)
    process.communicate()
    killed_at = _position(run / "checkpoint.safetensors")
    assert killed_at < (EPOCHS, 0)

    process = _start(["--resume", str(run)], cache)
    _wait_for_step(run, process, killed_at[0], killed_at[1] + 1)
    process.send_signal(signal.SIGKILL)
    process.communicate()

    output = _finish(["--resume", str(run)], cache)
    assert "resuming" in output
    _assert_same_weights(run, expected)
    rows = [(path / "history.csv").read_text().splitlines() for path in (run, expected)]
    assert len(rows[0]) == 1 + VALIDATIONS
    # Epoch, step, learning rate, losses and scores agree to the last digit; only the timings may differ.
    cut = [[",".join(line.split(",")[:7]) for line in lines] for lines in rows]
    assert cut[0] == cut[1]


def test_terminate_saves_and_leaves_cleanly(
    tmp_path: Path, undisturbed: tuple[str, Path], shared_data_folder: Path, cache: Path
) -> None:
    optimizer, expected = undisturbed
    run = tmp_path / "run"
    # No checkpoint by the clock: what is saved is saved because of the signal.
    settings = [*SETTINGS[:-1], "1000"]
    process = _start([str(shared_data_folder), "--out", str(run), "--optimizer", optimizer, *settings], cache)
    _wait_for_step(run, process, 1, 0)
    process.send_signal(signal.SIGTERM if optimizer == "adamw" else signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert "--resume" in errors
    assert not list(run.glob(".*.part"))
    _finish(["--resume", str(run)], cache)
    _assert_same_weights(run, expected)
    # A run that is done is left as it is.
    assert "best epoch" in _finish(["--resume", str(run)], cache)
    _assert_same_weights(run, expected)
