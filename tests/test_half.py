"""Half precision in prediction: near the whole one where the device computes it, one sentence where not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import pixelwise as pw
from pixelwise import fastest, loading
from pixelwise.backends.openvino import core
from pixelwise.cli import main
from pixelwise.errors import BackendError, ConfigError
from pixelwise.torch_runtime import choose_precision

MODEL = Path(__file__).resolve().parents[1] / "models" / "pets.safetensors"


def has_half(backend: str) -> bool:
    if backend == "torch":
        return choose_precision(torch.device("cpu"))[0] == torch.bfloat16
    return "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_half_is_near_or_refused(backend: str, real_data: Path) -> None:
    if not has_half(backend):
        with pytest.raises(BackendError, match="gain nothing"):
            pw.load(MODEL, backend=backend, device="cpu", half=True)
        return
    photos = sorted((real_data / "cats" / "images").glob("yard_cat_*.jpg"))[:4]
    images = np.stack([np.asarray(Image.open(p).convert("RGB").resize((160, 160))) for p in photos])
    whole = pw.load(MODEL, backend=backend, device="cpu").predictor.backend.logits(images)
    half = pw.load(MODEL, backend=backend, device="cpu", half=True).predictor.backend.logits(images)
    assert half.dtype == np.float32
    off = np.abs(half - whole).max()
    assert 1e-4 < off < 0.1 * np.abs(whole).max()  # rounded, and to 8 bits
    assert (half.argmax(1) != whole.argmax(1)).mean() < 0.01


def test_onnxruntime_has_no_choice_of_numbers(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="export --half"):
        pw.load(MODEL, backend="onnxruntime", half=True)
    pw.load(MODEL).export(tmp_path / "model.onnx")
    with pytest.raises(ConfigError, match="export --half"):
        pw.load(tmp_path / "model.onnx", half=True)


def test_auto_measures_only_what_computes_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fastest.platformdirs, "user_cache_dir", lambda _name: str(tmp_path))
    asked = []

    def choose(able, header, *, batch_size: int, place: str, at_once: dict[str, int]):
        asked.append((sorted(able), place))
        raise BackendError("enough")

    monkeypatch.setattr(loading, "choose", choose)
    for half in (False, True):
        with pytest.raises(BackendError, match="enough"):
            pw.load(MODEL, backend="auto", device="cpu", half=half)
    assert [names for names, _ in asked] == [["onnxruntime", "openvino", "torch"], ["openvino", "torch"]]
    assert asked[0][1] != asked[1][1]  # what was measured of one is not remembered of the other


def test_the_command_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = tmp_path / "photo.png"
    Image.fromarray(np.zeros((40, 50, 3), np.uint8)).save(photo)
    monkeypatch.setattr("pixelwise.torch_runtime._processor_flags", frozenset)
    command = ["predict", str(MODEL), str(photo), "--half", "--device", "cpu", "--out", str(tmp_path / "out")]
    assert main(command) != 0
    assert "has neither amx_bf16 nor avx512_bf16" in capsys.readouterr().err
