"""Sizes and answers inside an ONNX model, in two runtimes, beside Pillow and the path of prediction."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from PIL import Image

from drawn_networks import build
from pixelwise.backends import Backend
from pixelwise.backends.onnxruntime import OnnxRuntimeBackend
from pixelwise.backends.openvino import OpenVinoBackend
from pixelwise.backends.torch import TorchBackend
from pixelwise.graph import capture, simplify
from pixelwise.graph.onnx import OPSET, to_onnx
from pixelwise.graph.onnx_nodes import OnnxWriter
from pixelwise.graph.onnx_resize import resized_bytes
from pixelwise.header import Form
from pixelwise.inference import Predictor
from pixelwise.types import Classes, SizePolicy

RUNTIMES = (OnnxRuntimeBackend, OpenVinoBackend)
SIZE = (64, 48)

RESIZED = [
    ((128, 96), SIZE),
    ((100, 90), (160, 160)),
    ((1, 5), (32, 48)),
    ((1, 1), SIZE),
    (SIZE, SIZE),
    ((300, 401), (160, 160)),
    ((157, 1024), (160, 160)),
    ((720, 480), (33, 257)),
    ((441, 300), (160, 160)),  # rows first
    ((440, 300), (160, 160)),
    ((50, 40), (1, 17)),  # one row; a block and one column
    ((17, 15), (16, 32)),
]


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), np.uint8)


def smooth(height: int, width: int) -> np.ndarray:
    small = Image.fromarray(noise(max(1, height // 8), max(1, width // 8)))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.square(values, dtype=np.float64).mean()))


def resizing_model(size: tuple[int, int]) -> bytes:
    writer = OnnxWriter({})
    planes = writer.add("Transpose", ["images"], perm=[0, 3, 1, 2])
    small = resized_bytes(writer, planes, writer.sides(planes), size)
    writer.add("Transpose", [small], "pixels", perm=[0, 2, 3, 1])
    shapes = (["N", "H", "W", 3], ["N", *size, 3])
    images, pixels = (
        helper.make_tensor_value_info(name, TensorProto.UINT8, shape)
        for name, shape in zip(("images", "pixels"), shapes, strict=True)
    )
    body = helper.make_graph(writer.nodes, "resize", [images], [pixels], writer.weights)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(("photo", "size"), RESIZED)
def test_bytes_are_resized_as_pillow_does(runtime, photo: tuple[int, int], size: tuple[int, int]) -> None:
    image = noise(*photo)
    expected = np.asarray(Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BILINEAR))
    model: Backend = runtime(resizing_model(size), threads=1)
    found = model.logits(np.stack([image, image]))
    assert found.shape == (2, *size, 3)
    assert np.array_equal(found[1], expected)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("photo", [(128, 96), (80, 96), (61, 83), (20, 300), (1, 1)])
def test_every_answer_is_that_of_prediction(runtime, photo: tuple[int, int]) -> None:
    network = build("unet-xception")
    classes = Classes(("a", "b", "c", "d"))
    predictor = Predictor(TorchBackend(network, torch.device("cpu")), classes, SizePolicy("resize", SIZE))
    image = smooth(*photo)
    expected = predictor.predict(image, probabilities=True)
    assert expected.probabilities is not None
    graph = simplify(capture(network))
    found = {}
    for answer in ("logits", "probabilities", "labels"):
        model: Backend = runtime(
            to_onnx(graph, Form(answer=answer, resize=SIZE)).SerializeToString(), threads=1
        )
        (found[answer],) = model.logits(image[None])
    assert np.abs(found["probabilities"] - expected.probabilities).max() < 1e-4
    assert np.abs(np.exp(found["logits"]) - found["probabilities"]).max() < 1e-5
    assert found["labels"].dtype == np.uint8
    assert np.array_equal(found["labels"], found["probabilities"].argmax(0))
    assert (found["labels"] != expected.labels).mean() < 1e-3


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_softmax_and_argmax_without_resizing(runtime) -> None:
    graph = simplify(capture(build("unet-xception")))
    images = np.stack([smooth(61, 83)] * 2)
    logits, probabilities, labels = (
        runtime(to_onnx(graph, Form(answer=answer)).SerializeToString(), threads=1).logits(images)
        for answer in ("logits", "probabilities", "labels")
    )
    exponential = np.exp(logits - logits.max(1, keepdims=True))
    assert np.abs(probabilities - exponential / exponential.sum(1, keepdims=True)).max() < 1e-5
    assert labels.shape == (2, 61, 83)
    assert np.array_equal(labels, logits.argmax(1))


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("case", ["unet-xception", "deeplabv3plus", "mobilenet-segnet", "unet-valid"])
def test_half_precision_is_near_and_half_as_large(runtime, case: str) -> None:
    graph = simplify(capture(build(case)))
    image = smooth(61, 83)[None]
    whole, half = (
        to_onnx(graph, Form(precision=precision)).SerializeToString() for precision in ("float32", "half")
    )
    assert len(half) < 0.6 * len(whole)
    expected, found = (runtime(model, threads=1).logits(image) for model in (whole, half))
    assert found.dtype == np.float32
    assert 0 < rms(found - expected) < 0.05 * rms(expected)
