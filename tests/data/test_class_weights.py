"""Class weights by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import pixelwise as pw
from pixelwise.data import open_dataset
from pixelwise.data.cache import prepare
from pixelwise.data.class_weights import balanced_weights
from pixelwise.errors import DataError

# Three classes with 60, 30 and 10 of 100 pixels, and one that never occurs.
PIXELS = [60, 30, 10, 0]


def scaled(weights: list[float]) -> list[float]:
    """The same with a mean of 1 over the pixels."""
    mean = sum(w * n for w, n in zip(weights, PIXELS, strict=True)) / 100
    return [w / mean for w in weights]


def test_inverse() -> None:
    # Shares 0.6, 0.3, 0.1: every class has the same sum of weights, a third of all.
    weights = balanced_weights("inverse", PIXELS, PIXELS)
    assert weights.tolist() == pytest.approx(scaled([1 / 0.6, 1 / 0.3, 10, 0]))
    assert (weights * PIXELS)[:3].tolist() == pytest.approx([100 / 3] * 3)


def test_median_frequency() -> None:
    # The second class occurs in pictures of 60 labelled pixels, the third in pictures of 20: frequencies
    # 60/100, 30/60, 10/20; their median is 0.5.
    weights = balanced_weights("median", PIXELS, [100, 60, 20, 0])
    assert weights.tolist() == pytest.approx(scaled([0.5 / 0.6, 1, 1, 0]))


def test_enet() -> None:
    weights = balanced_weights("enet", PIXELS, PIXELS)
    assert weights.tolist() == pytest.approx(scaled([*(1 / math.log(1.02 + p) for p in (0.6, 0.3, 0.1)), 0]))
    assert (weights * PIXELS).sum() / 100 == pytest.approx(1)
    extreme = balanced_weights("enet", [10**12, 1], [10**12, 10])
    assert extreme[1] / extreme[0] == pytest.approx(math.log(2.02) / math.log(1.02), rel=1e-3)  # 35.5


def test_nothing_labelled() -> None:
    with pytest.raises(DataError, match="no training pixel is labelled"):
        balanced_weights("inverse", [0, 0], [0, 0])


def test_pixels_where_present(shared_data_folder: Path, tmp_path: Path) -> None:
    config = pw.DataConfig(val_last=3, cache_dir=tmp_path)
    train = prepare(
        open_dataset(shared_data_folder, config), (40, 48), config, progress=lambda *_: None
    ).train
    # Every drawn picture has both classes and no ignored pixel.
    assert train.pixels_where_present().tolist() == [9 * 40 * 48] * 2
    masks = np.stack([train.masks(i) for i in range(9)])
    assert train.class_counts.tolist() == [(masks == 0).sum(), (masks == 1).sum()]


def test_a_run_counts_its_weights_and_says_so(shared_data_folder: Path, tmp_path: Path) -> None:
    settings = {"size": (32, 32), "batch_size": 9, "val_last": 3, "cache_dir": tmp_path, "log_pictures": 0}
    run = pw.train(
        shared_data_folder, out=tmp_path / "run", epochs=1, balance="median", loss="ce + 0.5*dice", **settings
    )
    provenance = pw.load(run.best).provenance
    pixels = np.array(provenance["train_pixels"])
    expected = balanced_weights("median", pixels, [9 * 32 * 32] * 2)
    assert provenance["class_weights"] == pytest.approx(expected.tolist(), rel=1e-6)
