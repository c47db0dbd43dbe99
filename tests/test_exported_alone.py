"""Prediction takes the network alone out of an export, whatever the file does around it: the same masks."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import openvino
import pytest
import torch

import pixelwise as pw
from drawn_networks import build
from pixelwise.backends.onnx_alone import network_alone
from pixelwise.backends.onnxruntime import OnnxRuntimeBackend
from pixelwise.backends.openvino import OpenVinoBackend, core
from pixelwise.errors import ModelFileError
from pixelwise.export import export
from pixelwise.export.quantise import quantised_onnx, quantised_openvino
from pixelwise.graph import capture, simplify
from pixelwise.graph.onnx import to_onnx
from pixelwise.header import NETWORK_LOGITS, Architecture, Form, ModelHeader, form_of, network_stride
from pixelwise.model_file import save_model
from pixelwise.nn.frame import crop, enlarge
from pixelwise.types import Classes, SizePolicy

SIZE = (48, 80)
CASES = {"lraspp": 8, "unet-xception": 1, "eomt-s": 1, "unet-valid": 1}
"""Networks and their strides: enlarged at the end, at full size, queries, a mirrored frame."""

IMAGES = np.random.default_rng(3).integers(0, 256, (2, *SIZE, 3), np.uint8)
PHOTO = np.random.default_rng(0).integers(0, 256, (57, 91, 3), np.uint8)

FORMS = {
    "logits": Form(),
    "labels": Form(answer="labels"),
    "resized": Form(resize=SIZE),
    "half": Form(answer="probabilities", resize=SIZE, precision="half"),
}


def _backends(model: bytes) -> list[OnnxRuntimeBackend | OpenVinoBackend]:
    return [kind(model, threads=1, alone=True) for kind in (OnnxRuntimeBackend, OpenVinoBackend)]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", CASES)
def test_it_is_the_network_whatever_is_around_it(name: str, form: str) -> None:
    """Pictures of other sizes than the file's own too: those of tiles, or of `--sizing native`."""
    graph = simplify(capture(build(name)))
    exact = OnnxRuntimeBackend(to_onnx(graph.coarse()).SerializeToString(), threads=1)
    content = to_onnx(graph, FORMS[form]).SerializeToString()
    for backend in _backends(content):
        assert backend.is_alone
        assert backend.stride == CASES[name]
        for images in (IMAGES, PHOTO[None]):
            expected, found = exact.logits(images), backend.logits(images)
            assert found.dtype == np.float32
            rounding = 0.05 if form == "half" else 1e-4
            np.testing.assert_allclose(found, expected, rtol=0, atol=rounding * np.abs(expected).max())


@pytest.mark.parametrize("name", ["lraspp", "unet-xception"])
def test_of_8_bit_numbers_it_is_that_of_the_whole_file(name: str, tmp_path: Path) -> None:
    """Quantisers of others keep the names, and what they leave of the network answers the same."""
    content = to_onnx(simplify(capture(build(name)))).SerializeToString()
    quantised = quantised_onnx(content, list(IMAGES), keep=())
    path = tmp_path / "model.xml"
    openvino.save_model(quantised_openvino(content, list(IMAGES), keep=()), path)
    parts = {
        OnnxRuntimeBackend(quantised, threads=1, alone=True): OnnxRuntimeBackend(quantised).logits(IMAGES),
        _opened(path): _whole(path, IMAGES),
    }
    for part, expected in parts.items():
        assert part.is_alone
        assert part.stride == CASES[name]
        found = _enlarged(part.logits(IMAGES), part.stride, IMAGES)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def _opened(path: Path) -> OpenVinoBackend:
    return OpenVinoBackend(path.read_bytes(), path.with_suffix(".bin").read_bytes(), threads=1, alone=True)


def _whole(path: Path, images: np.ndarray) -> np.ndarray:
    """The whole file's answer, compiled for the size: with free sizes OpenVINO computes 8 bits otherwise."""
    model = core().read_model(path)
    model.reshape([-1, *images.shape[1:]])
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1"}
    return core().compile_model(model, "CPU", settings)([images])[0]


def _enlarged(logits: np.ndarray, step: int, images: np.ndarray) -> np.ndarray:
    return crop(enlarge(torch.from_numpy(logits), step), *images.shape[1:3]).numpy()


def test_metadata_are_those_of_the_file() -> None:
    content = to_onnx(simplify(capture(build("lraspp"))), metadata={"note": "Rand ß"}).SerializeToString()
    for backend in _backends(content):
        assert backend.metadata("note") == "Rand ß"


def _header(size: tuple[int, int]) -> ModelHeader:
    return ModelHeader(
        architecture=Architecture("lraspp", {}),
        classes=Classes(("a", "b", "c", "d")),
        size_policy=SizePolicy("resize", size),
    )


@pytest.mark.parametrize("answer", ["logits", "labels"])
@pytest.mark.parametrize("kind", ["onnx", "xml"])
def test_masks_are_the_model_files(kind: str, answer, tmp_path: Path) -> None:
    header = _header(SIZE)
    save_model(tmp_path / "model.safetensors", build("lraspp"), header)
    model = pw.load(tmp_path / "model.safetensors")
    export(build("lraspp"), header, tmp_path / f"model.{kind}", form=form_of(header, answer=answer))
    exported = pw.load(tmp_path / f"model.{kind}", threads=1)
    assert exported.predictor.backend.stride == 8
    found, expected = exported.predict(PHOTO), model.predict(PHOTO)
    assert (found.labels != expected.labels).mean() < 1e-3
    (alone,) = exported.predictor.predict_many([PHOTO], confidence=False)
    assert (alone.labels != expected.labels).mean() < 1e-3


def _unnamed(path: Path) -> None:
    """As files were before they said which part is the network."""
    model = onnx.load(path)
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [re.sub(r"^network\.", "old.", name) for name in names]
    onnx.save(model, path)


def test_files_of_earlier_versions_are_computed_whole(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    export(build("lraspp"), _header(SIZE), path, form=Form())
    expected = pw.load(path, threads=1).predict(PHOTO).labels
    _unnamed(path)
    old = pw.load(path, threads=1)
    assert old.predictor.backend.stride == 1
    assert (old.predict(PHOTO).labels != expected).mean() < 1e-3
    export(build("lraspp"), _header(SIZE), path, form=Form(answer="labels"))
    _unnamed(path)
    with pytest.raises(ModelFileError, match=r"answers labels alone, .* export it again"):
        pw.load(path)


@pytest.mark.parametrize(
    ("name", "stride"),
    [
        ("8", 8),
        ("1", 1),
        ("256", 256),
        ("0", None),
        ("257", None),
        ("-8", None),
        ("٨", None),
        ("9" * 5000, None),
    ],
)
def test_a_name_says_a_stride_or_nothing(name: str, stride: int | None) -> None:
    assert network_stride(NETWORK_LOGITS + name) == stride
    assert network_stride(name) is None


def test_what_is_no_model_has_no_network_alone() -> None:
    for content in (b"", b"no model", bytes(range(256))):
        assert network_alone(content) is None
    content = to_onnx(simplify(capture(build("lraspp")))).SerializeToString()
    twice = onnx.load_from_string(content)
    name = next(n.output[0] for n in twice.graph.node if n.output[0].startswith(NETWORK_LOGITS))
    twice.graph.node.append(onnx.helper.make_node("Identity", [name], [f"{NETWORK_LOGITS}4"]))
    assert network_alone(twice.SerializeToString()) is None


def test_8_bit_numbers_of_any_size_from_several_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenVINO is compiled for each size; more sizes than are kept come round again."""
    monkeypatch.setattr("pixelwise.backends.openvino.MOST_SIZES", 2)
    graph = simplify(capture(build("lraspp")))
    path = tmp_path / "model.xml"
    content = to_onnx(graph).SerializeToString()
    openvino.save_model(quantised_openvino(content, list(IMAGES), keep=()), path)
    part = _opened(path)
    pictures = [IMAGES, PHOTO[None], IMAGES[:1, :33, :35]] * 3
    with ThreadPoolExecutor(3) as threads:
        found = list(threads.map(part.logits, pictures))
    for one, again in zip(found[:3], found[6:], strict=True):
        np.testing.assert_array_equal(one, again)
    for images, logits in zip(pictures[:3], found[:3], strict=True):
        expected = _whole(path, images)
        bound = 1e-4 * np.abs(expected).max()
        np.testing.assert_allclose(_enlarged(logits, part.stride, images), expected, rtol=0, atol=bound)
