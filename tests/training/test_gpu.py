"""What a GPU must do as the processor does; run with `pytest -m gpu` where there is one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import pixelwise as pw
from drawn_losses import CLASSES, draw_logits, draw_target
from pixelwise.augment import augment
from pixelwise.config import AugmentConfig
from pixelwise.losses import LOSSES, build_loss
from pixelwise.losses.lovasz import descending

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device"),
]


@pytest.mark.parametrize("name", LOSSES)
def test_losses_agree_with_the_processor(name: str) -> None:
    results = []
    for device in ("cpu", "cuda"):
        logits = draw_logits().to(device).requires_grad_()
        weights = torch.linspace(0.5, 2, CLASSES, device=device)
        loss = build_loss(name, class_weights=weights)(logits, draw_target().to(device))
        loss.backward()
        assert logits.grad is not None
        results.append((loss.item(), logits.grad.cpu()))
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-5)
    torch.testing.assert_close(results[0][1], results[1][1], rtol=1e-4, atol=1e-8)


def test_sorting_breaks_ties_as_the_processor_does() -> None:
    values = torch.randint(0, 20, (5000,), generator=torch.Generator().manual_seed(0)) / 20
    assert torch.equal(descending(values), descending(values.cuda()).cpu())


def test_augmentation_agrees_with_the_processor() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (8, 96, 128, 3), generator=generator, dtype=torch.uint8)
    masks = torch.randint(0, 5, (8, 12, 16), generator=generator, dtype=torch.uint8)
    masks = masks.repeat_interleave(8, 1).repeat_interleave(8, 2)
    geometry = AugmentConfig(flip=True, scale=(0.5, 2.0), rotate=20, crop=(64, 80), crop_max_share=0.7)
    config = dataclasses.replace(geometry, colour=0.4, blur=1, cutout=0.2, mix=0.5)
    found, labels = augment(images, masks, range(8), config=config, seed=0, epoch=0)
    there, ids = augment(images.cuda(), masks.cuda(), range(8), config=config, seed=0, epoch=0)
    # Nearest neighbours may differ where a point lies between two pixels.
    assert (ids.cpu() != labels).float().mean() < 1e-3
    assert (there.cpu() - found).abs().mean() < 0.05


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_training_learns_and_resumes_in_every_precision(
    precision: str, shared_data_folder: Path, tmp_path: Path
) -> None:
    settings = {
        "size": (32, 32),
        "batch_size": 3,
        "val_last": 3,
        "cache_dir": tmp_path / "cache",
        "device": "cuda",
        "precision": precision,
        "ema": 0.9,
        "clip_norm": 5.0,
        "micro_batch": 2,
        "schedule": "constant",
    }
    whole = pw.train(shared_data_folder, out=tmp_path / "whole", epochs=4, **settings)
    assert whole.history[-1].train_loss < whole.history[0].train_loss
    pw.train(shared_data_folder, out=tmp_path / "halves", epochs=2, **settings)
    halves = pw.training.resume(tmp_path / "halves", epochs=4)
    one, two = (load_file(run.folder / "last.safetensors") for run in (whole, halves))
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, rtol=1e-3, atol=1e-4)


def test_compiled_training_gives_the_same_losses(shared_data_folder: Path, tmp_path: Path) -> None:
    settings = {
        "size": (64, 64),
        "batch_size": 3,
        "epochs": 1,
        "val_last": 3,
        "cache_dir": tmp_path / "cache",
        "device": "cuda",
        "precision": "float32",
    }
    eager = pw.train(shared_data_folder, out=tmp_path / "eager", **settings)
    compiled = pw.train(shared_data_folder, out=tmp_path / "compiled", compile=True, **settings)
    assert compiled.history[0].train_loss == pytest.approx(eager.history[0].train_loss, rel=1e-2)
