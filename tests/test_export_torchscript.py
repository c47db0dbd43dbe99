"""TorchScript archives: one export for every size, the network's own answers, torch alone to run."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import pixelwise as pw
from drawn_networks import CASES, build
from pixelwise.backends.torch import TorchBackend
from pixelwise.backends.torchscript import TorchScriptBackend
from pixelwise.errors import ConfigError, ModelFileError
from pixelwise.export.torchscript import torchscript_form
from pixelwise.graph import capture, simplify
from pixelwise.header import Architecture, Form, ModelHeader
from pixelwise.inference import Predictor
from pixelwise.model_file import save_model
from pixelwise.nn.pillow_resize import resize_bytes, resize_maps
from pixelwise.types import Classes, SizePolicy

SIZES = ((61, 83), (64, 32), (1, 1))


def photos(height: int, width: int, count: int = 2) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (count, height, width, 3), np.uint8)


@pytest.mark.parametrize("case", CASES)
def test_every_network_at_every_size(case: str) -> None:
    network = build(case)
    program = TorchScriptBackend(torchscript_form(simplify(capture(network)), {}, Form()))
    for size in SIZES:
        images = photos(*size)
        with torch.no_grad():
            pictures = torch.from_numpy(images).permute(0, 3, 1, 2)
            own, exact = network(pictures.float()), network.double()(pictures.double())
            network.float()
        bound = 5 * (own - exact).abs().max() + 1e-6 * exact.abs().max()
        assert np.abs(program.logits(images) - exact.numpy()).max() <= bound


@pytest.mark.parametrize("photo", [(128, 96), (80, 96), (61, 83), (20, 300), (1, 1)])
def test_every_answer_is_that_of_prediction(photo: tuple[int, int]) -> None:
    network = build("unet-xception")
    classes = Classes(("a", "b", "c", "d"))
    predictor = Predictor(TorchBackend(network, torch.device("cpu")), classes, SizePolicy("resize", (64, 48)))
    image = photos(*photo)[0]
    expected = predictor.predict(image, probabilities=True)
    assert expected.probabilities is not None
    graph = simplify(capture(network))
    logits, probabilities, labels = (
        TorchScriptBackend(torchscript_form(graph, {}, Form(answer=answer, resize=(64, 48)))).logits(
            image[None]
        )[0]
        for answer in ("logits", "probabilities", "labels")
    )
    assert np.abs(probabilities - expected.probabilities).max() < 1e-4
    assert (labels != expected.labels).mean() < 1e-3
    assert np.abs(np.exp(logits) - probabilities).max() < 1e-5
    assert np.array_equal(labels, probabilities.argmax(0))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ((300, 401), (160, 160)),
        ((100, 90), (160, 161)),
        ((157, 200), (160, 33)),
        ((1, 5), (32, 48)),
        ((7, 7), (7, 7)),
        ((441, 300), (160, 160)),  # rows first
        ((440, 300), (160, 160)),
    ],
)
def test_resizing_is_pillows(old: tuple[int, int], new: tuple[int, int]) -> None:
    image = photos(*old)[0]
    target = (new[1], new[0])
    expected = np.asarray(Image.fromarray(image).resize(target, Image.Resampling.BILINEAR))
    planes = torch.from_numpy(image).permute(2, 0, 1)[None].float()
    assert np.array_equal(resize_bytes(planes, *new)[0].permute(1, 2, 0).numpy(), expected)
    maps = np.random.default_rng(1).random((2, *old), np.float32)
    expected = np.stack(
        [np.asarray(Image.fromarray(m).resize(target, Image.Resampling.BILINEAR)) for m in maps]
    )
    assert np.abs(resize_maps(torch.from_numpy(maps)[None], *new)[0].numpy() - expected).max() < 1e-5


def test_the_archive_needs_torch_alone_and_says_what_it_is(tmp_path: Path) -> None:
    header = ModelHeader(
        architecture=Architecture("unet-xception", {}),
        classes=Classes(("a", "b", "c", "Rand ß")),
        size_policy=SizePolicy("resize", (32, 48)),
    )
    save_model(tmp_path / "model.safetensors", build("unet-xception"), header)
    model = pw.load(tmp_path / "model.safetensors")
    model.export(tmp_path / "model.torchscript", answer="labels")
    image = photos(57, 91)[0]
    np.save(tmp_path / "image.npy", image)
    program = """
import json, sys
sys.modules["pixelwise"] = None
import numpy as np, torch
texts = {"pixelwise": "", "pixelwise.form": "", "names": "", "colours": ""}
model = torch.jit.load(sys.argv[1] + "/model.torchscript", _extra_files=texts)
assert json.loads(texts["names"])[3] == "Rand ß"
assert json.loads(texts["pixelwise.form"])["answer"] == "labels"
labels = model(torch.from_numpy(np.load(sys.argv[1] + "/image.npy"))[None])
np.save(sys.argv[1] + "/labels.npy", labels[0].numpy())
"""
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, timeout=120)
    assert (np.load(tmp_path / "labels.npy") != model.predict(image).labels).mean() < 1e-3
    with pytest.raises(ModelFileError, match="is a program for libtorch: predict with the model file"):
        pw.load(tmp_path / "model.torchscript")
    with pytest.raises(ConfigError, match="TorchScript exports are float32, not half"):
        model.export(tmp_path / "half.torchscript", half=True)
    assert not (tmp_path / "half.torchscript").exists()


def test_content_is_an_archive() -> None:
    content = torchscript_form(simplify(capture(build("unet-xception"))), {"names": "[]"}, Form())
    texts = {"names": ""}
    torch.jit.load(io.BytesIO(content), _extra_files=texts)
    assert texts == {"names": b"[]"}
