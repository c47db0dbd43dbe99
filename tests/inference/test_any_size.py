"""Every picture from one pixel on gets a mask of its size, through real networks and every way of sizing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixelwise as pw
from pixelwise.header import Architecture, ModelHeader
from pixelwise.model_file import save_model
from pixelwise.models import build_model
from pixelwise.types import Classes, SizePolicy

SIZES = [(1, 1), (1, 5000), (13, 7), (61, 83)]


@pytest.fixture(scope="module", params=["unet-xception", "mobilenet-segnet", "deeplabv3plus"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    network = build_model(request.param, num_classes=3, seed=0)
    policy = SizePolicy("resize", (32, 48), "scaled")
    save_model(path, network, ModelHeader(Architecture(request.param), Classes(("a", "b", "c")), policy))
    return path


@pytest.mark.parametrize("sizing", ["native", "resize", "tile"])
def test_a_mask_of_the_pictures_size(model: Path, tmp_path: Path, sizing: str) -> None:
    config = pw.PredictConfig(sizing=sizing, tile=64, tta=("hflip",))  # pyright: ignore[reportArgumentType]
    segmenter = pw.load(model, config=config)
    for size in SIZES:
        picture = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
        Image.fromarray(picture).save(tmp_path / "photo.jpg")
        for given in (picture, tmp_path / "photo.jpg"):
            answer = segmenter.predict(given, probabilities=True)
            assert answer.labels.shape == size
            assert answer.probabilities is not None
            np.testing.assert_allclose(answer.probabilities.sum(0), 1, atol=1e-5)


def test_native_is_one_tile_that_holds_the_picture(model: Path) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (61, 83, 3), np.uint8)
    tiled = pw.load(model, config=pw.PredictConfig(sizing="tile", tile=128)).predict(picture)
    native = pw.load(model, config=pw.PredictConfig(sizing="native")).predict(picture)
    assert np.array_equal(tiled.labels, native.labels)
    assert tiled.confidence is not None
    np.testing.assert_allclose(tiled.confidence, native.confidence, atol=1e-6)
