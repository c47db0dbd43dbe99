"""What the end of an epoch decides: the best model, patience, which pictures are shown."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import pixelwise as pw
from pixelwise.config import TrainConfig
from pixelwise.model_file import read_header
from pixelwise.report.history import HistoryRow
from pixelwise.training.checkpoint import Progress
from pixelwise.training.loop import _out_of_patience
from pixelwise.training.measure import _choose, example_epoch, example_places

pytestmark = pytest.mark.usefixtures("quick_curves")

ROW = HistoryRow(
    epoch=1,
    step=7,
    lr=0.1,
    train_loss=1 / 3,
    val_loss=0.7,
    val_miou=0.2,
    val_pixel_accuracy=0.4,
    val_iou=(0.4, None),
    images_per_second=3.0,
    wait_share=0.0,
    seconds=2.0,
)


def row(**values: float) -> HistoryRow:
    return dataclasses.replace(ROW, **values)  # pyright: ignore[reportArgumentType]


def test_the_best_is_the_highest_miou_of_weights_and_average_and_the_earlier_one_of_two() -> None:
    config, none, so_far = TrainConfig(), Progress(), Progress(best_epoch=1, best_value=0.5)
    assert _choose(row(val_miou=0.0), none, config) == "weights"
    assert _choose(row(val_miou=0.5), so_far, config) is None
    assert _choose(row(val_miou=0.6), so_far, config) == "weights"
    assert _choose(row(val_miou=0.6, average_miou=0.7), so_far, config) == "average"
    assert _choose(row(val_miou=0.6, average_miou=0.6), so_far, config) == "weights"
    assert _choose(row(val_miou=0.4, average_miou=0.5), so_far, config) is None


def test_the_best_by_loss_is_the_lowest() -> None:
    config, so_far = TrainConfig(best_by="loss"), Progress(best_epoch=1, best_value=0.5)
    assert _choose(row(val_loss=0.5, val_miou=0.9), so_far, config) is None
    assert _choose(row(val_loss=0.4), so_far, config) == "weights"
    assert _choose(row(val_loss=0.4, average_loss=0.3, average_miou=0.0), so_far, config) == "average"


def test_patience_counts_epochs_without_a_better_model() -> None:
    config = TrainConfig(patience=2)
    assert not _out_of_patience(Progress(), config)
    assert not _out_of_patience(Progress(epoch=4, best_epoch=3), config)
    assert _out_of_patience(Progress(epoch=5, best_epoch=3), config)
    assert not _out_of_patience(Progress(epoch=99, best_epoch=3), TrainConfig())
    # Between validations nobody knows, and the last weights are in no file.
    config = TrainConfig(patience=2, validate_every=3)
    assert not _out_of_patience(Progress(epoch=5, best_epoch=3), config)
    assert _out_of_patience(Progress(epoch=6, best_epoch=3), config)


def test_examples_come_at_powers_of_two() -> None:
    assert [number for number in range(1, 21) if example_epoch(number)] == [1, 2, 4, 8, 16]


@pytest.mark.parametrize(
    ("count", "wanted", "places"),
    [(8, 4, {1, 3, 5, 7}), (9, 2, {2, 6}), (3, 4, {0, 1, 2}), (5, 0, set()), (101, 1, {50})],
)
def test_examples_are_spread_evenly(count: int, wanted: int, places: set[int]) -> None:
    # (2 i + 1) count / (2 wanted), rounded down: for 9 and 2 that is 9/4 and 27/4.
    assert example_places(count, wanted) == places


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    return {
        "model": "unet",
        "model_args": ("width=2", "batch_norm=true"),
        "size": (32, 32),
        "batch_size": 4,
        "val_last": 3,
        "precision": "float32",  # what evaluation computes in
        "cache_dir": tmp_path_factory.mktemp("cache"),
        "log_pictures": 0,
    }


def test_steps_become_whole_epochs_and_patience_ends_a_run(
    shared_data_folder: Path, tmp_path: Path, settings: dict[str, object]
) -> None:
    # Nine training pictures, three steps an epoch: seven steps are three epochs.
    run = pw.train(shared_data_folder, out=tmp_path / "steps", steps=7, ema=0.9, **settings)
    assert len(run.history) == 3
    assert run.history[-1].step == 9
    assert all(r.average_miou is not None and r.average_loss is not None for r in run.history)
    headers = {name: read_header(run.folder / f"{name}.safetensors") for name in ("last", "average", "best")}
    assert headers["last"].provenance["model"] == "weights"
    assert headers["average"].provenance["model"] == "average"
    best = max(max(r.val_miou, r.average_miou or 0) for r in run.history)
    assert headers["best"].provenance["validation"]["miou"] == best == run.metrics.miou
    # What is written down is what evaluation finds, for the average as for the weights.
    for name in ("last", "average"):
        again = pw.load(run.folder / f"{name}.safetensors").evaluate(
            shared_data_folder, config=pw.DataConfig(val_last=3), resolution="network"
        )
        assert again.to_json() == headers[name].provenance["validation"]

    # A learning rate of almost nothing: no epoch is better than the first one, and the run says so.
    still = pw.train(
        shared_data_folder,
        out=tmp_path / "still",
        epochs=9,
        patience=2,
        lr=1e-12,
        bn_momentum=1e-9,
        **settings,
    )
    assert (len(still.history), still.best_epoch) == (3, 1)
    assert len(pw.training.resume(tmp_path / "still").history) == 3


def test_fewer_validations_change_no_weight(
    shared_data_folder: Path, tmp_path: Path, settings: dict[str, object]
) -> None:
    each = pw.train(shared_data_folder, out=tmp_path / "each", epochs=5, **settings)
    some = pw.train(shared_data_folder, out=tmp_path / "some", epochs=5, validate_every=2, **settings)
    assert [r.epoch for r in some.history] == [2, 4, 5]
    # Nine pictures, all labelled: each epoch counts equally many pixels.
    losses = [r.train_loss for r in each.history]
    expected = [(losses[0] + losses[1]) / 2, (losses[2] + losses[3]) / 2, losses[4]]
    assert [r.train_loss for r in some.history] == pytest.approx(expected)
    for row in some.history:
        same = each.history[row.epoch - 1]
        assert (row.step, row.lr, row.val_loss, row.val_iou) == (
            same.step,
            same.lr,
            same.val_loss,
            same.val_iou,
        )
    assert some.best_epoch in (2, 4, 5)
    weights = [load_file(run.folder / "last.safetensors") for run in (each, some)]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_model_file_holds_no_auxiliary_head(
    shared_data_folder: Path, tmp_path: Path, settings: dict[str, object]
) -> None:
    arguments = ("auxiliary=true", "encoder.alpha=0.35", "output_stride=16")
    chosen = {"model": "deeplabv3plus", "model_args": arguments, "epochs": 1}
    run = pw.train(shared_data_folder, out=tmp_path / "run", **{**settings, **chosen})
    model = pw.load(run.best)
    assert model.header.architecture.arguments["auxiliary"] is False
    assert not any(name.startswith("auxiliary") for name in model.network.state_dict())
