"""A checkpoint restores weights, optimiser and progress; what is none is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pixelwise.config import TrainConfig
from pixelwise.errors import ModelFileError
from pixelwise.report.history import HistoryRow
from pixelwise.training.average import WeightAverage
from pixelwise.training.checkpoint import Progress, State, load_checkpoint, save_checkpoint
from pixelwise.training.optim import build_optimizer

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


def _network() -> torch.nn.Module:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.Conv2d(8, 2, 1))
    return network.to(memory_format=torch.channels_last)


def _step(network: torch.nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    pictures = torch.rand(2, 3, 9, 9, generator=generator).to(memory_format=torch.channels_last)
    network(pictures).square().mean().backward()
    optimizer.step()
    optimizer.zero_grad()


@pytest.mark.parametrize("name", ["rmsprop", "adamw", "sgd"])
def test_going_on_from_a_checkpoint_is_going_on(tmp_path: Path, name: str) -> None:
    config = TrainConfig(optimizer=name)  # pyright: ignore[reportArgumentType]
    network = _network()
    optimizer = build_optimizer(network, config)
    for seed in range(3):
        _step(network, optimizer, seed)
    progress = Progress(epoch=2, step=3, loss_sum=0.1 + 0.2, rows=[ROW], best_epoch=1)
    path = tmp_path / "checkpoint.safetensors"
    average, scaler = WeightAverage(network, 0.9), torch.amp.GradScaler("cpu", init_scale=512.0)  # pyright: ignore[reportPrivateImportUsage]
    _step(network, optimizer, 3)
    average.update(network, 7)
    save_checkpoint(path, State(network, optimizer, average, scaler), progress)

    other = _network()
    other_optimizer = build_optimizer(other, config)
    other_average = WeightAverage(other, 0.9)
    other_scaler = torch.amp.GradScaler("cpu")  # pyright: ignore[reportPrivateImportUsage]
    assert load_checkpoint(path, State(other, other_optimizer, other_average, other_scaler)) == progress
    assert other_scaler.get_scale() == 512.0
    for seed in range(4, 6):
        for one, its, mean in ((network, optimizer, average), (other, other_optimizer, other_average)):
            _step(one, its, seed)
            mean.update(one, seed)
    for one, two in ((network, other), (average.network, other_average.network)):
        for key, tensor in one.state_dict().items():
            assert torch.equal(tensor, two.state_dict()[key]), key


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    network = _network()
    optimizer = build_optimizer(network, TrainConfig())
    _step(network, optimizer, 0)
    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(ModelFileError, match="no checkpoint to resume from"):
        load_checkpoint(path, State(network, optimizer))
    save_checkpoint(path, State(network, optimizer), Progress())
    smaller = torch.nn.Conv2d(3, 8, 3)
    with pytest.raises(ModelFileError, match="does not fit this run"):
        load_checkpoint(path, State(smaller, build_optimizer(smaller, TrainConfig())))
    content = path.read_bytes()
    for length in (0, 5, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(ModelFileError, match="damaged"):
            load_checkpoint(path, State(network, optimizer))
