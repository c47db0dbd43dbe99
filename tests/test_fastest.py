"""The fastest backend: chosen by measuring, remembered for the same model on the same machine, said aloud."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import pixelwise as pw
from drawn_networks import CASES, build, photos
from pixelwise.backends.torch import FoldedBackend, TorchBackend
from pixelwise.cli import main
from pixelwise.errors import BackendError, ConfigError
from pixelwise.fastest import choose
from pixelwise.graph import capture, simplify
from pixelwise.header import Architecture, ModelHeader
from pixelwise.model_file import save_model
from pixelwise.types import Classes, SizePolicy

HEADER = ModelHeader(
    architecture=Architecture("unet-xception", {}),
    classes=Classes(("a", "b", "c", "d")),
    size_policy=SizePolicy("resize", (32, 48)),
)


class Slow:
    """A backend that takes its time and counts its answers."""

    stride = 1

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.shapes: list[tuple[int, ...]] = []

    def logits(self, images: np.ndarray) -> np.ndarray:
        self.shapes.append(images.shape)
        time.sleep(self.seconds)
        return np.zeros((len(images), 4, *images.shape[1:3]), np.float32)


def refuse() -> Slow:
    raise BackendError("it is not installed")


def test_the_fastest_is_taken_and_remembered(tmp_path: Path) -> None:
    memory = tmp_path / "new" / "backends.json"
    quick, slow = Slow(0.001), Slow(0.02)
    able = {"slow": lambda: slow, "quick": lambda: quick, "absent": refuse}
    choice, opened = choose(able, HEADER, batch_size=2, place="cpu", memory=memory)
    assert opened is quick
    assert (choice.backend, choice.remembered) == ("quick", False)
    assert choice.failed == {"absent": "it is not installed"}
    assert set(quick.shapes) == {(2, 32, 48, 3)}
    assert str(choice).startswith("quick computes, ")
    assert "measured now (slow " in str(choice)
    assert "absent: it is not installed)" in str(choice)
    slow.shapes.clear()
    again, opened = choose(able, HEADER, batch_size=2, place="cpu", memory=memory)
    assert opened is quick
    assert again.remembered
    assert slow.shapes == []
    assert "remembered" in str(again)
    other, _ = choose(able, HEADER, batch_size=1, place="cpu", memory=memory)
    assert not other.remembered
    assert len(json.loads(memory.read_text())) == 2


@pytest.mark.parametrize("content", ["", "[]", '{"a": 3}', '{"a": {"quick": "x"}}', "[" * 100_000])
def test_a_spoilt_memory_is_measured_anew(tmp_path: Path, content: str) -> None:
    memory = tmp_path / "backends.json"
    memory.write_text(content)
    choice, _ = choose({"quick": lambda: Slow(0)}, HEADER, batch_size=1, place="cpu", memory=memory)
    assert not choice.remembered
    assert len(json.loads(memory.read_text())) == 1


def test_what_was_remembered_may_be_gone(tmp_path: Path) -> None:
    memory = tmp_path / "backends.json"
    able = {"quick": lambda: Slow(0), "slow": lambda: Slow(0.01)}
    assert choose(able, HEADER, batch_size=1, place="cpu", memory=memory)[0].backend == "quick"
    able["quick"] = refuse
    choice, _ = choose(able, HEADER, batch_size=1, place="cpu", memory=memory)
    assert (choice.backend, choice.remembered) == ("slow", False)
    with pytest.raises(BackendError, match="no backend can compute this model: it is not installed"):
        choose({"quick": refuse}, HEADER, batch_size=1, place="cpu", memory=memory)


def test_prediction_says_what_it_chose(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    save_model(tmp_path / "model.safetensors", build("unet-xception"), HEADER)
    photo = np.random.default_rng(0).integers(0, 256, (57, 91, 3), np.uint8)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    command = [
        "predict",
        str(tmp_path / "model.safetensors"),
        str(tmp_path / "photo.png"),
        "--backend",
        "auto",
    ]
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().err
    assert "ms a picture, measured now" in said
    assert all(name in said for name in ("torch", "onnxruntime", "openvino"))
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    assert "ms a picture, remembered" in capsys.readouterr().err
    expected = pw.load(tmp_path / "model.safetensors").predict(photo).labels
    assert (np.asarray(Image.open(tmp_path / "out" / "masks" / "photo.png")) != expected).mean() < 1e-3
    pw.load(tmp_path / "model.safetensors").export(tmp_path / "model.onnx")
    exported = pw.load(tmp_path / "model.onnx", backend="auto")
    assert exported.choice is not None
    assert set(exported.choice.seconds) == {"onnxruntime", "openvino"}


@pytest.mark.parametrize("case", CASES)
def test_the_folded_network_answers_what_the_network_does(case: str) -> None:
    network = build(case)
    folded = FoldedBackend(simplify(capture(network)), torch.device("cpu"))
    eager = TorchBackend(network, torch.device("cpu"))
    for size in ((61, 83), (1, 1)):
        images = photos(case, *size)
        own = eager.logits(images)
        exact = network.double()(torch.from_numpy(images).permute(0, 3, 1, 2).double()).detach().numpy()
        network.float()
        bound = 5 * np.abs(own - exact).max() + 1e-6 * np.abs(exact).max()
        assert np.abs(folded.logits(images) - exact).max() <= bound


def test_compiling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = simplify(capture(build("unet-xception")))
    images = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)

    def broken(*_: object) -> None:
        raise RuntimeError("no C++ compiler\nand a long trace")

    monkeypatch.setattr(torch, "compile", lambda function, dynamic: broken)
    backend = FoldedBackend(graph, torch.device("cpu"), compiled=True)
    with pytest.raises(BackendError, match=r"torch\.compile failed, so go without it: no C\+\+ compiler$"):
        backend.logits(images)
    save_model(tmp_path / "model.safetensors", build("unet-xception"), HEADER)
    with pytest.raises(ConfigError, match="openvino cannot be compiled: that is for backend torch"):
        pw.load(tmp_path / "model.safetensors", backend="openvino", compiled=True)
