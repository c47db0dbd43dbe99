"""Several processes train as one does: real ones, over gloo, on the processor."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import ranks_work
from safetensors import safe_open
from safetensors.numpy import load_file

from drawn_folder import draw_folder
from pixelwise import plain
from pixelwise.config import TrainConfig
from pixelwise.data.loader import epoch_order
from pixelwise.training import loop, resume, train
from pixelwise.training.events import Silent

TINY = [
    *("--model", "unet", "--model-args", "width=2", "batch_norm=true", "--size", "16", "16"),
    *("--optimizer", "sgd", "--lr", "0.01", "--precision", "float32", "--device", "cpu", "--workers", "1"),
    *("--log-pictures", "1", "--val-last", "3", "--batch-size", "4", "--checkpoint-seconds", "0"),
]


@pytest.fixture(scope="module")
def one_process() -> dict[str, np.ndarray]:
    return ranks_work.alone()


def test_two_ranks_step_and_measure_as_one_process_and_notice_a_death(
    tmp_path: Path, one_process: dict[str, np.ndarray]
) -> None:
    ranks_work.start(ranks_work.compare_and_die, tmp_path, 2)
    ranks_work.assert_same(tmp_path, 2, one_process)
    noticed = json.loads((tmp_path / "noticed-0.json").read_text())
    assert len(noticed["reasons"]) == 3
    assert not [reason for reason in noticed["reasons"] if reason.startswith("not known")]
    assert noticed["seconds"] < 40


def test_four_ranks_are_stopped_by_a_signal_at_one_and_another_number_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_process: dict[str, np.ndarray]
) -> None:
    """Four ranks as SLURM starts them are stopped in the second epoch; one process goes on alone.

    The four have the network in shards, the one has it whole, and the end is that of one process all along.
    """
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    pictures, batch, epochs = 14, 4, 2  # steps of 4, 4, 4 and 2 pictures, which is fewer than ranks
    draw_folder(tmp_path / "data", pictures=pictures + 3, size=(16, 16))
    settings = {"model": "unet", "model_args": ["width=2", "batch_norm=true"], "size": [16, 16], "seed": 3}
    settings |= {"epochs": epochs, "batch_size": batch, "optimizer": "sgd", "lr": 0.01, "ema": 0.9}
    settings |= {"precision": "float32", "device": "cpu", "val_last": 3}
    (tmp_path / "config.json").write_text(json.dumps({**settings, "strategy": "fsdp"}))
    slurm = {"SLURM_STEP_ID": "0", "SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "4", "SLURM_JOB_ID": "7"}
    slurm |= {"SLURM_PROCID": "{rank}", "SLURM_LOCALID": "{rank}", "SLURM_NODEID": "0"}
    ranks_work.start(ranks_work.compare_and_train, tmp_path, 4, slurm)
    ranks_work.assert_same(tmp_path, 4, one_process)
    sentences = {(tmp_path / f"stopped-{rank}.txt").read_text() for rank in range(4)}
    assert sentences == {"stopped by SIGTERM in epoch 2 after step 2; the state is saved"}

    alone = ranks_work.recording(tmp_path / "seen-alone.txt", loop._step)
    monkeypatch.setattr(loop, "_step", alone)
    done = resume(tmp_path / "run", strategy="ddp", listener=Silent())
    assert len(done.history) == epochs
    seen = _seen(tmp_path, "seen-alone.txt")
    assert sorted(seen) == [(1, 2), (1, 3)]
    for rank in range(4):
        for place, indices in _seen(tmp_path, f"seen-{rank}.txt").items():
            assert place not in [(1, 2), (1, 3)]
            seen[place] = seen.get(place, []) + indices
    # Every step of both epochs had its batch of the epoch's order: nothing twice, nothing left out.
    orders = [epoch_order(pictures, seed=3, epoch=epoch).tolist() for epoch in range(epochs)]
    assert seen == {(e, s): orders[e][s * batch : (s + 1) * batch] for e in range(epochs) for s in range(4)}
    config = plain.from_flat(TrainConfig, settings)
    undisturbed = train(tmp_path / "data", config, out=tmp_path / "undisturbed", listener=Silent())
    for name in ("last.safetensors", "average.safetensors"):
        expected = load_file(undisturbed.folder / name)
        for tensor, value in load_file(done.folder / name).items():
            np.testing.assert_allclose(value, expected[tensor], rtol=1e-4, atol=2e-5, err_msg=tensor)
    assert done.history[0].val_loss == pytest.approx(undisturbed.history[0].val_loss, rel=1e-4)
    provenance = json.loads((tmp_path / "run" / "provenance.json").read_text())
    assert provenance["ranks"] == {"count": 4, "machines": 1, "started_by": "SLURM", "sharded": True}
    assert provenance["resumed"] == [
        {"step": 6, "ranks": {"count": 1, "machines": 1, "started_by": "nobody"}}
    ]


def test_a_killed_rank_ends_the_run_and_torchrun_goes_on(tmp_path: Path) -> None:
    data = draw_folder(tmp_path / "data", pictures=15, size=(16, 16))
    run = tmp_path / "run"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    environment["XDG_CACHE_HOME"] = str(tmp_path / "cache")

    def start(*words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", *words]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )

    settings = [*TINY, "--epochs", "1000"]
    process = start("pixelwise", "train", str(data), "--out", str(run), "--devices", "2", *settings)
    _wait_for((run / "checkpoint.safetensors").is_file, process)
    ranks = _children(process.pid)
    assert len(ranks) == 2
    os.kill(ranks[1], signal.SIGKILL)
    killed_at = time.monotonic()
    _, errors = process.communicate(timeout=60)
    assert time.monotonic() - killed_at < 60
    assert process.returncode == 2, errors
    assert "rank 1" in errors
    assert "SIGKILL" in errors
    assert f"pixelwise train --resume {run}" in errors
    assert "Traceback" not in errors
    assert not [rank for rank in ranks if Path(f"/proc/{rank}").exists()]

    done = json.loads((run / "config.json").read_text())
    assert done["train"]["devices"] == 2
    epochs = str(_epochs_begun(run / "checkpoint.safetensors") + 1)
    process = start(
        *("torch.distributed.run", "--nproc-per-node", "2", "-m", "pixelwise"),
        *("train", "--resume", str(run), "--epochs", epochs, "--strategy", "fsdp", "--json"),
    )
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert json.loads(output)["history"][-1]["epoch"] == int(epochs)  # one rank alone speaks
    assert "started by torchrun, the network in shards" in errors
    assert errors.count("resuming") == 1


def _seen(folder: Path, name: str) -> dict[tuple[int, int], list[int]]:
    """Epoch and step to the pictures that a process had then."""
    lines = [json.loads(line) for line in (folder / name).read_text().splitlines()]
    return {(epoch, step): indices for epoch, step, indices in lines}


def _wait_for(found: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not found():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _children(parent: int) -> list[int]:
    """Processes that a process started, in the order of their numbers."""
    path = Path(f"/proc/{parent}/task/{parent}/children")
    return sorted(int(number) for number in path.read_text().split())


def _epochs_begun(checkpoint: Path) -> int:
    with safe_open(checkpoint, framework="pt") as file:
        return json.loads(file.metadata()["pixelwise-checkpoint"])["progress"]["epoch"] + 1
