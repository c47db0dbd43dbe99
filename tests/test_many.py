"""Runtimes that compute several batches at the same time give the answers that they give one by one."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

import pixelwise as pw
from pixelwise.backends import runtimes
from pixelwise.backends.torch import FoldedBackend
from pixelwise.fastest import choose
from pixelwise.header import Architecture, ModelHeader
from pixelwise.types import Classes, SizePolicy

MODEL = Path(__file__).resolve().parents[1] / "models" / "pets.safetensors"


@pytest.fixture(autouse=True)
def four_cores(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever the machine has, so that there is something to share out."""
    monkeypatch.setattr(runtimes, "cores", lambda: 4)
    usual = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(usual)


@pytest.mark.parametrize("backend", ["torch", "onnxruntime", "openvino"])
def test_answers_from_many_threads(backend: Literal["torch", "onnxruntime", "openvino"]) -> None:
    opened = pw.load(MODEL, backend=backend, many=True).predictor.backend
    generator = np.random.default_rng(0)
    # Two sizes, so that a request that served one picture serves another one next.
    batches = [generator.integers(0, 256, (1, 48 + 16 * (i % 2), 64, 3), np.uint8) for i in range(16)]
    usual = pw.load(MODEL, backend=backend).predictor.backend
    alone = [usual.logits(batch) for batch in batches]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(opened.logits, batches))
    for first, second in zip(alone, together, strict=True):
        np.testing.assert_allclose(second, first, atol=1e-4)


@pytest.mark.parametrize("backend", ["torch", "onnxruntime", "openvino"])
def test_the_predictor_knows_how_many(backend: Literal["torch", "onnxruntime", "openvino"]) -> None:
    assert pw.load(MODEL, backend=backend, device="cpu", many=True).predictor.at_once == 4
    assert pw.load(MODEL, backend=backend, device="cpu").predictor.at_once == 1


def test_torch_answers_the_same_to_the_bit_with_one_core_or_four() -> None:
    """Two machines that share out a job must not decide pixels otherwise than one."""
    batch = np.random.default_rng(2).integers(0, 256, (4, 96, 96, 3), np.uint8)
    with_four = pw.load(MODEL, backend="torch", device="cpu", many=True).predictor.backend.logits(batch)
    torch.set_num_threads(1)
    with_one = pw.load(MODEL, backend="torch", device="cpu", many=True).predictor.backend.logits(batch)
    assert np.array_equal(with_four, with_one)


def test_streams_of_torch_leave_the_number_of_threads_of_others() -> None:
    pw.load(MODEL, backend="torch", device="cpu", many=True)
    with ThreadPoolExecutor(1) as later:
        assert (torch.get_num_threads(), later.submit(torch.get_num_threads).result()) == (4, 4)


def test_streams_of_torch_have_a_core_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """And they are as many as torch was given cores, where those are fewer than the machine's."""
    torch.set_num_threads(2)
    seen: list[int] = []
    usual = FoldedBackend.logits

    def counted(self: FoldedBackend, images: np.ndarray) -> np.ndarray:
        seen.append(torch.get_num_threads())
        return usual(self, images)

    monkeypatch.setattr(FoldedBackend, "logits", counted)
    segmenter = pw.load(MODEL, backend="torch", device="cpu", many=True)
    assert segmenter.predictor.at_once == 2
    list(segmenter.predictor.predict_many([np.zeros((32, 32, 3), np.uint8)] * 24))
    assert seen == [1, 1, 1]


def test_threads_are_shared_out() -> None:
    assert [runtimes.streams_for_many(threads) for threads in (None, 1, 3, 64)] == [4, 1, 3, 4]
    # One core at most is left out, whatever their number.
    for threads in range(1, 130):
        streams = runtimes.streams_for_many(threads)
        assert 1 <= streams <= 4
        assert threads - streams * (threads // streams) <= 1
    assert [runtimes.streams_for_many(threads) for threads in (5, 6, 7, 11)] == [4, 3, 3, 2]


def test_exported_models_too(tmp_path: Path) -> None:
    pw.load(MODEL).export(tmp_path / "model.onnx")
    picture = np.random.default_rng(1).integers(0, 256, (50, 60, 3), np.uint8)
    opened = pw.load(tmp_path / "model.onnx", many=True)
    assert opened.predictor.at_once == 4
    assert np.array_equal(
        opened.predict(picture).labels, pw.load(tmp_path / "model.onnx").predict(picture).labels
    )


def test_auto_counts_what_is_done_at_once(tmp_path: Path) -> None:
    """Four answers in the time of one make a slower backend the faster one."""

    class Sleeper:
        stride = 1

        def __init__(self, seconds: float) -> None:
            self.seconds = seconds

        def logits(self, images: np.ndarray) -> np.ndarray:
            import time

            time.sleep(self.seconds)
            return np.zeros((len(images), 2, *images.shape[1:3]), np.float32)

    header = ModelHeader(
        architecture=Architecture("unet-xception", {}),
        classes=Classes(("a", "b")),
        size_policy=SizePolicy("resize", (8, 8)),
    )
    able = {"one": lambda: Sleeper(0.04), "four": lambda: Sleeper(0.08)}
    settings = {"batch_size": 1, "place": "cpu", "memory": tmp_path / "backends.json"}
    assert choose(able, header, **settings)[0].backend == "one"  # pyright: ignore
    assert choose(able, header, at_once={"four": 4}, **settings)[0].backend == "four"  # pyright: ignore
