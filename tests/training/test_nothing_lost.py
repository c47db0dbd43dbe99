"""Disks that fail, processes that meet: the former checkpoint is whole, and a resume ends in the same bits.

Kills of real processes are in `test_resume.py`; many more of them, and real full disks, in
`benchmarks/soak.py`.
"""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file
from test_sinks import events

import pixelwise as pw
from pixelwise.cli import main
from pixelwise.errors import ConfigError, DataError
from pixelwise.lock import locked
from pixelwise.training import measure, resume
from pixelwise.training.sinks.tensorboard import TensorBoardSink

pytestmark = pytest.mark.usefixtures("quick_curves")

PART = ".part.checkpoint.safetensors"


class Died(BaseException):
    """Stands for the end of the process."""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return {
        "model": "unet",
        "model_args": ("width=2", "batch_norm=true"),
        "size": (32, 32),
        "batch_size": 5,  # 9 pictures to train on: 2 steps an epoch
        "epochs": 2,
        "val_last": 3,
        "log_pictures": 1,
        "checkpoint_seconds": 0.0,
        "cache_dir": tmp_path_factory.mktemp("cache"),
    }


@pytest.fixture(scope="module")
def undisturbed(
    shared_data_folder: Path, tmp_path_factory: pytest.TempPathFactory, settings: dict[str, Any]
) -> Path:
    return pw.train(shared_data_folder, out=tmp_path_factory.mktemp("undisturbed") / "run", **settings).folder


@pytest.fixture(scope="module")
def half_done(
    shared_data_folder: Path, tmp_path_factory: pytest.TempPathFactory, settings: dict[str, Any]
) -> Path:
    """A run that died in the log of its first epoch: after the checkpoint, before history and curves."""
    run = tmp_path_factory.mktemp("half") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pixelwise.training.log.write_history", _die)
        with pytest.raises(Died):
            pw.train(shared_data_folder, out=run, **settings)
    return run


@pytest.fixture
def run(half_done: Path, tmp_path: Path) -> Path:
    return shutil.copytree(half_done, tmp_path / "run")


def _die(*_: object, **__: object) -> None:
    raise Died


def _position(run: Path) -> tuple[int, int]:
    content = (run / "checkpoint.safetensors").read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    progress = json.loads(header["__metadata__"]["pixelwise-checkpoint"])["progress"]
    return progress["epoch"], progress["step"]


def _assert_ends_as(run: Path, expected: Path) -> None:
    for name in ("last", "best", "checkpoint"):
        found, wanted = (load_file(folder / f"{name}.safetensors") for folder in (run, expected))
        assert found.keys() == wanted.keys()
        for key, tensor in wanted.items():
            assert (found[key] == tensor).all(), f"{name}: {key} differs"
    names = [sorted(path.name for path in folder.rglob("*") if path.is_file()) for folder in (run, expected)]
    assert [n for n in names[0] if "tfevents" not in n] == [n for n in names[1] if "tfevents" not in n]
    tags = [
        [(event.step, value.tag) for event in events(folder / "tensorboard") for value in event.summary.value]
        for folder in (run, expected)
    ]
    assert sorted(tags[0]) == sorted(tags[1])


class ShortFile(io.FileIO):
    """Takes fewer bytes than it is given, as the system may, and then the disk is full."""

    def write(self, data: Any) -> int:
        if self.tell() >= 3000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(bytes(memoryview(data)[:1000]))


def _short_write(patch: pytest.MonkeyPatch) -> None:
    real = io.open

    def opened(file: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
        if str(file).endswith(PART) and mode == "wb":
            return io.BufferedWriter(ShortFile(file, "w"))
        return real(file, mode, *rest, **more)

    patch.setattr(io, "open", opened)


def _fsync_fails(patch: pytest.MonkeyPatch) -> None:
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if os.readlink(f"/proc/self/fd/{descriptor}").endswith(PART):  # noqa: PTH115 - no path of ours
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(descriptor)

    patch.setattr(os, "fsync", fsync)


def _rename_fails(patch: pytest.MonkeyPatch) -> None:
    real = os.replace

    def replace(source: Any, target: Any) -> None:
        if str(source).endswith(PART):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(source, target)

    patch.setattr(os, "replace", replace)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="asks which file a descriptor is of")
@pytest.mark.parametrize("fault", [_short_write, _fsync_fails, _rename_fails])
def test_a_checkpoint_that_cannot_be_written(
    run: Path,
    undisturbed: Path,
    fault: Callable[[pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = (run / "checkpoint.safetensors").read_bytes()
    with monkeypatch.context() as patch:
        fault(patch)
        assert main(["train", "--resume", str(run)]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert "checkpoint.safetensors cannot be written (" in said
    assert "make room" in said
    assert (run / "checkpoint.safetensors").read_bytes() == before
    assert not list(run.rglob(".*"))
    resume(run)
    _assert_ends_as(run, undisturbed)


def test_what_killed_processes_began_to_write_is_cleared_away(run: Path, undisturbed: Path) -> None:
    # One number is that of a living process: a container that starts again gives the same ones.
    for process in (os.getpid(), 4_000_000):
        (run / f".{process}-1.part.checkpoint.safetensors").write_bytes(b"half")
    (run / "examples" / ".4000000-1.part.epoch-0001.png").write_bytes(b"half")
    (run / ".notes.part.txt").write_text("not ours")
    resume(run)
    assert [path.name for path in run.rglob(".*")] == [".notes.part.txt"]
    (run / ".notes.part.txt").unlink()
    _assert_ends_as(run, undisturbed)


def test_two_processes_do_not_train_in_one_folder(
    run: Path, shared_data_folder: Path, settings: dict[str, Any], tmp_path: Path
) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    with locked(run / ".lock"):
        before[run] = run.stat().st_mtime_ns
        with pytest.raises(ConfigError, match=rf"is being trained by process {os.getpid()} on .*--resume"):
            resume(run)
        assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    fresh = tmp_path / "fresh"
    with locked(fresh / ".lock"), pytest.raises(ConfigError, match="is being trained by"):
        pw.train(shared_data_folder, out=fresh, **settings)
    assert not list(fresh.iterdir())


def test_dying_between_models_and_checkpoint_costs_no_picture(
    shared_data_folder: Path,
    settings: dict[str, Any],
    undisturbed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The last epoch's examples have no other chance than before the checkpoint that ends the run."""
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(measure, "_warn", _die)  # the very end of the first epoch
        with pytest.raises(Died):
            pw.train(shared_data_folder, out=run, **settings)
    with monkeypatch.context() as patch:
        patch.setattr("pixelwise.training.log.write_whole", _die)  # of the examples
        with pytest.raises(Died):
            resume(run)
    assert _position(run) == (1, 1)  # not (2, 0): the second epoch is not over without its examples
    resume(run)
    _assert_ends_as(run, undisturbed)


def test_a_run_that_died_in_its_log_writes_it_again(run: Path, undisturbed: Path) -> None:
    assert _position(run) == (1, 0)
    assert not (run / "history.csv").exists()
    resume(run)
    _assert_ends_as(run, undisturbed)


def test_a_run_that_died_before_its_provenance_begins_when_it_is_resumed(
    shared_data_folder: Path,
    settings: dict[str, Any],
    undisturbed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["pixelwise.training.carry_out"], "write_provenance", _die)
        with pytest.raises(Died):
            pw.train(shared_data_folder, out=run, **settings)
    assert [path.name for path in run.iterdir()] == ["config.json"]
    with pytest.raises(ConfigError, match=f"--resume {run}"):
        pw.train(shared_data_folder, out=run, **settings)
    resume(run)
    _assert_ends_as(run, undisturbed)


def test_tensorboard_on_a_full_disk_ends_tensorboard_only(
    run: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(self: TensorBoardSink, step: int, values: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(TensorBoardSink, "scalars", full)
        resume(run)
    assert "TensorBoard failed" in caplog.text
    resume(run)  # tells it all of the epochs again
    _assert_ends_as(run, undisturbed)


def test_a_read_only_folder_is_one_sentence(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(run))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(DataError, match="cannot be written \\(Read-only file system\\)"):
        resume(run)
