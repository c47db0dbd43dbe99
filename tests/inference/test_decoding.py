"""Prediction decodes as training did: the size policy says how, and every way to a picture obeys it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from pixelwise.data import open_dataset
from pixelwise.data.io import read_picture, read_picture_at
from pixelwise.data.resize import resize_picture
from pixelwise.evaluation import evaluate, predictions
from pixelwise.inference import Predictor, read_input
from pixelwise.types import Classes, SizePolicy

SIZE = (16, 24)
TWO = Classes(("ground", "box"))


class Remembers:
    """A backend that keeps what it was given."""

    stride = 1

    def __init__(self) -> None:
        self.seen: list[np.ndarray] = []

    def logits(self, batch: np.ndarray) -> np.ndarray:
        self.seen += list(batch)
        return np.zeros((len(batch), 2, *batch.shape[1:3]), np.float32)


@pytest.fixture
def photos(tmp_path: Path, rng: np.random.Generator) -> Path:
    for number in range(3):
        for part in ("images", "masks"):
            (tmp_path / part).mkdir(exist_ok=True)
        coarse = rng.integers(0, 255, (20, 25, 3), np.uint8)
        picture = Image.fromarray(coarse).resize((100, 80), Image.Resampling.BICUBIC)
        picture.save(tmp_path / "images" / f"{number}.jpg", quality=80)
        Image.fromarray(rng.integers(0, 2, (80, 100), np.uint8)).save(tmp_path / "masks" / f"{number}.png")
    (tmp_path / "classes.txt").write_text("ground\nbox\n")
    return tmp_path


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.mark.parametrize("decoding", ["whole", "scaled"])
def test_every_way_gives_the_network_the_same(photos: Path, decoding: Literal["whole", "scaled"]) -> None:
    policy, backend = SizePolicy("resize", SIZE, decoding), Remembers()
    predictor, reader = Predictor(backend, TWO, policy), open_dataset(photos).reader
    paths = [entry.image for entry in reader.entries]
    expected = [
        read_picture_at(p, SIZE)[0] if decoding == "scaled" else resize_picture(read_picture(p), SIZE)
        for p in paths
    ]
    evaluate(predictor, reader, range(3))
    evaluate(predictor, reader, range(3), resolution="network")
    sheets = list(predictions(predictor, reader, range(3)))
    results = [predictor.predict(read_input(path, predictor)) for path in paths]
    assert len(backend.seen) == 12
    for number, seen in enumerate(backend.seen):
        assert np.array_equal(seen, expected[number % 3])
    for result, (_, sample, again), path in zip(results, sheets, paths, strict=True):
        assert result.labels.shape == (80, 100)
        assert np.array_equal(result.image, read_picture(path))
        assert np.array_equal(again.image, sample.image)


def test_the_two_ways_differ(photos: Path) -> None:
    path = photos / "images" / "0.jpg"
    whole, scaled = resize_picture(read_picture(path), SIZE), read_picture_at(path, SIZE)[0]
    assert not np.array_equal(whole, scaled)
    assert np.abs(whole.astype(int) - scaled).mean() < 4
