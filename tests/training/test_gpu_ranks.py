"""Ranks on GPUs, over NCCL; run with `pytest -m gpu` where there are two of them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
import ranks_work
import torch
from safetensors.torch import load_file

from drawn_folder import draw_folder
from pixelwise.training import resume, train
from pixelwise.training.events import Silent

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(torch.cuda.device_count() < 2, reason="torch sees fewer than two CUDA devices"),
]


def test_two_gpus_step_and_measure_as_one_process_does(tmp_path: Path) -> None:
    """In float64, so that the processor's figures hold: DDP and shards, synced and frozen, in pieces."""
    ranks_work.start(ranks_work.compare_on_gpus, tmp_path, 2)
    ranks_work.assert_same(tmp_path, 2, ranks_work.alone())


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_a_run_on_two_gpus_goes_on_on_one(strategy: Literal["ddp", "fsdp"], tmp_path: Path) -> None:
    data = draw_folder(tmp_path / "data", pictures=15, size=(32, 32))
    settings = {"model": "unet", "model_args": ["width=4", "batch_norm=true"], "size": [32, 32]}
    settings |= {"batch_size": 4, "optimizer": "adamw", "precision": "float32", "device": "cuda"}
    settings |= {"ema": 0.9, "clip_norm": 1.0, "micro_batch": 1, "val_last": 3, "freeze_bn": "all"}
    settings |= {"cache_dir": str(tmp_path / "cache")}
    two = {**settings, "devices": 2, "strategy": strategy}
    run = train(data, out=tmp_path / "two", epochs=1, listener=Silent(), **two)
    resume(run.folder, epochs=2, devices=1, listener=Silent())
    alone = train(data, out=tmp_path / "one", epochs=2, listener=Silent(), **settings)
    for name in ("last.safetensors", "average.safetensors"):
        found, expected = load_file(run.folder / name), load_file(alone.folder / name)
        for tensor, value in expected.items():
            torch.testing.assert_close(found[tensor], value, rtol=1e-2, atol=1e-3, msg=tensor)


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_gpus_learn_in_bfloat16(strategy: Literal["ddp", "fsdp"], tmp_path: Path) -> None:
    data = draw_folder(tmp_path / "data", pictures=15, size=(32, 32))
    run = train(
        data,
        out=tmp_path / "run",
        listener=Silent(),
        devices=2,
        strategy=strategy,
        model="unet",
        model_args=["width=4", "batch_norm=true"],
        size=[32, 32],
        batch_size=4,
        epochs=4,
        precision="bfloat16",
        device="cuda",
        val_last=3,
        cache_dir=str(tmp_path / "cache"),
    )
    assert run.history[-1].train_loss < run.history[0].train_loss
