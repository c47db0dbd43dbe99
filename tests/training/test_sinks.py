"""Trackers beside TensorBoard: the real packages, and what happens when one is missing or fails."""

from __future__ import annotations

import importlib.util
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboardX.proto import event_pb2

import pixelwise as pw
from pixelwise.errors import ConfigError
from pixelwise.training.sinks import Guarded
from pixelwise.training.sinks.ids import record_id, recorded_id

pytestmark = pytest.mark.usefixtures("quick_curves")


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, object]:
    return {
        "model": "unet",
        "model_args": ("width=2", "batch_norm=true"),
        "size": (32, 32),
        "batch_size": 5,
        "epochs": 3,
        "val_last": 3,
        "cache_dir": tmp_path / "cache",
        "log_pictures": 2,
    }


def events(folder: Path) -> Iterator[event_pb2.Event]:
    """TensorBoard's records: length, its checksum, the event, its checksum."""
    (path,) = folder.glob("events.out.tfevents.*")
    content, place = path.read_bytes(), 0
    while place < len(content):
        length = int.from_bytes(content[place : place + 8], "little")
        event = event_pb2.Event()
        event.ParseFromString(content[place + 12 : place + 12 + length])
        yield event
        place += 12 + length + 4


def test_tensorboard_gets_numbers_and_pictures_and_gets_them_again_at_a_resume(
    shared_data_folder: Path, tmp_path: Path, settings: dict[str, object]
) -> None:
    run = pw.train(shared_data_folder, out=tmp_path / "run", ema=0.9, **settings)
    found = [(e.step, v.tag) for e in events(run.folder / "tensorboard") for v in e.summary.value]
    assert [step for step, tag in found if tag == "miou/validation"] == [2, 4, 6]
    assert [step for step, tag in found if tag == "miou/average"] == [2, 4, 6]
    assert [step for step, tag in found if tag == "examples"] == [2, 4, 6]  # epochs 1, 2 and the last
    files = sorted((run.folder / "examples").iterdir())
    assert [path.name for path in files] == [f"epoch-{epoch:04d}.png" for epoch in (1, 2, 3)]
    with Image.open(files[-1]) as picture:
        assert picture.size[0] == 4 * (256 + 8) + 8  # picture, truth, prediction, errors
        assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 50

    longer = pw.training.resume(run.folder, epochs=4)
    again = [(e.step, v.tag) for e in events(longer.folder / "tensorboard") for v in e.summary.value]
    assert [step for step, tag in again if tag == "miou/validation"] == [2, 4, 6, 8]
    assert [step for step, tag in again if tag == "examples"] == [2, 4, 6, 8]


def test_mlflow(
    shared_data_folder: Path, tmp_path: Path, settings: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    from mlflow.tracking import MlflowClient

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "drawn boxes")
    run = pw.train(shared_data_folder, out=tmp_path / "run", mlflow=True, **settings)
    client = MlflowClient()
    number = json.loads((run.folder / "tracking.json").read_text())["mlflow"]
    stored = client.get_run(number)
    assert stored.info.status == "FINISHED"
    experiment = client.get_experiment_by_name("drawn boxes")
    assert experiment is not None
    assert stored.info.experiment_id == experiment.experiment_id
    assert stored.data.params["epochs"] == "3"
    assert stored.data.params["val_last"] == "3"
    history = client.get_metric_history(number, "miou/validation")
    assert [(m.step, m.value) for m in history] == [(row.step, row.val_miou) for row in run.history]
    assert client.list_artifacts(number)

    pw.training.resume(run.folder, epochs=4)
    assert json.loads((run.folder / "tracking.json").read_text())["mlflow"] == number
    assert [m.step for m in client.get_metric_history(number, "miou/validation")] == [2, 4, 6, 8]


def test_wandb_offline(
    shared_data_folder: Path, tmp_path: Path, settings: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    run = pw.train(shared_data_folder, out=tmp_path / "run", wandb=True, **{**settings, "epochs": 1})
    number = json.loads((run.folder / "tracking.json").read_text())["wandb"]
    (stored,) = (run.folder / "wandb").glob(f"offline-run-*-{number}/run-{number}.wandb")
    # A process of its package writes the file, and on a busy machine goes on after the run has ended.
    end = time.monotonic() + 30
    while b"val_last" not in (content := stored.read_bytes()) and time.monotonic() < end:
        time.sleep(0.2)
    assert b"miou/validation" in content
    assert b"val_last" in content
    assert list(stored.parent.glob("files/media/images/examples_*.png"))


def test_a_tracker_that_cannot_be_reached_costs_a_warning(
    shared_data_folder: Path,
    tmp_path: Path,
    settings: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")  # the port where nothing answers
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    run = pw.train(shared_data_folder, out=tmp_path / "run", mlflow=True, **{**settings, "epochs": 1})
    assert len(run.history) == 1
    told = [r.getMessage() for r in caplog.records if "MLflow failed" in r.getMessage()]
    assert len(told) == 1
    assert "training goes on without logging to it" in told[0]


@pytest.mark.parametrize("name", ["mlflow", "wandb"])
def test_a_missing_package_is_told_before_any_picture_is_read(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n, *rest: None if n == name else find(n, *rest))
    with pytest.raises(ConfigError, match=rf"pip install 'pixelwise\[{name}\]'"):
        pw.train(tmp_path / "no data here", out=tmp_path / "run", **{name: True})
    assert not (tmp_path / "run").exists()


class Failing:
    """Works twice."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def scalars(self, step: int, values: object) -> None:
        self.heard.append("scalars")
        if len(self.heard) > 1:
            raise ConnectionError("the server went away\nwith a long story")

    def picture(self, step: int, name: str, image: object) -> None:
        self.heard.append("picture")

    def close(self, *, finished: bool) -> None:
        self.heard.append("close")


def test_a_sink_that_fails_is_dropped_with_one_warning() -> None:
    sink, warnings = Failing(), list[str]()
    guarded = Guarded("The tracker", lambda: sink, warnings.append)
    for step in range(4):
        guarded.scalars(step, {"x": 1.0})
    guarded.picture(1, "p", np.zeros((2, 2, 3), np.uint8))
    guarded.close(finished=True)
    assert sink.heard == ["scalars", "scalars"]
    assert warnings == ["The tracker failed (the server went away): training goes on without logging to it"]


def test_numbers_at_trackers_survive_beside_each_other(tmp_path: Path) -> None:
    assert recorded_id(tmp_path, "a") is None
    record_id(tmp_path, "a", "1")
    record_id(tmp_path, "b", "2")
    assert (recorded_id(tmp_path, "a"), recorded_id(tmp_path, "b")) == ("1", "2")
    for broken in ("", "[1]", "{"):
        (tmp_path / "tracking.json").write_text(broken)
        assert recorded_id(tmp_path, "a") is None
