"""`pixelwise show-augment`: the sheet holds what training sees."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pixelwise.augment import augment
from pixelwise.cli import main
from pixelwise.cli.show_augment import ShowAugment
from pixelwise.config import AugmentConfig, DataConfig
from pixelwise.data import open_dataset
from pixelwise.data.cache import prepare
from pixelwise.data.loader import BatchLoader, epoch_order

FLAGS = ["--flip", "--scale", "0.6", "1.6", "--rotate", "20", "--colour", "0.4"]
FLAGS += ["--mix", "0.9", "--crop", "24", "24"]


def test_the_sheet_is_written_and_says_what_it_shows(
    shared_data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "seen.png"
    command = ["show-augment", str(shared_data_folder), "--out", str(out), "--size", "32", "40"]
    command += ["--val-last", "3", "--count", "3", "--epochs", "2", "--cache-dir", str(tmp_path), "--json"]
    assert main([*command, *FLAGS]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["pictures"] == ["scene_01", "scene_04", "scene_07"]
    with Image.open(out) as picture:
        # Three columns of 240 x 192 (the largest variant is 40 wide) and gaps of 8.
        assert picture.width == 8 + 3 * (240 + 8)
        pixels = np.asarray(picture.convert("RGB"))
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 500


def test_what_is_shown_is_what_a_training_step_sees(shared_data_folder: Path, tmp_path: Path) -> None:
    """Against the loader's own batches of 4: the neighbour of a pasted picture is the one of training."""
    settings = AugmentConfig(flip=True, scale=(0.6, 1.6), mix=0.9, colour=0.4)
    config = DataConfig(val_last=3, cache_dir=tmp_path)
    train = prepare(open_dataset(shared_data_folder, config), (32, 32), config).train
    command = ShowAugment(data=shared_data_folder, size=(32, 32), seed=5, augment=settings, config=config)
    for epoch in range(2):
        order = epoch_order(len(train), seed=5, epoch=epoch)
        with BatchLoader(train, order, batch_size=4, workers=2) as loader:
            for batch in loader:
                images, masks = augment(
                    torch.from_numpy(batch.images),
                    torch.from_numpy(batch.masks),
                    batch.indices.tolist(),
                    config=settings,
                    seed=5,
                    epoch=epoch,
                )
                for row, index in enumerate(batch.indices):
                    place = train.indices.tolist().index(int(index))
                    image, mask = command._seen(train, place, epoch)
                    assert np.array_equal(mask, masks[row].numpy())
                    assert np.array_equal(image, images[row].permute(1, 2, 0).round().to(torch.uint8).numpy())


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "no augmentation is switched on"),
        (["--flip", "--count", "0"], "count must lie in 1..100"),
        (["--flip", "--epochs", "21"], "epochs in 1..20"),
        (["--shift", "0.1", "--crop", "9", "9"], "shift and crop exclude each other"),
    ],
)
def test_wrong_use(
    flags: list[str],
    message: str,
    shared_data_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["show-augment", str(shared_data_folder), "--out", str(tmp_path / "x.png")]
    try:
        code = main([*command, "--cache-dir", str(tmp_path), *flags])
    except SystemExit as stopped:  # the command line's own parser
        code = stopped.code
    assert code == 2
    assert message in " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert not (tmp_path / "x.png").exists()


def test_no_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show-augment", str(tmp_path / "nothing"), "--flip", "--out", str(tmp_path / "x.png")]) == 2
    assert "nothing" in capsys.readouterr().err
