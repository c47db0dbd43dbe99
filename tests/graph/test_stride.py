"""Networks that answer at their own stride: enlarged and cut, that is their answer, in every backend."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from drawn_networks import build, photos, with_timm
from pixelwise.backends.onnxruntime import OnnxRuntimeBackend
from pixelwise.backends.openvino import OpenVinoBackend
from pixelwise.backends.torch import FoldedBackend, TorchBackend
from pixelwise.errors import BackendError
from pixelwise.graph import capture, run, simplify
from pixelwise.graph.onnx import to_onnx
from pixelwise.header import Form
from pixelwise.inference.predictor import Predictor
from pixelwise.nn.frame import crop, enlarge
from pixelwise.types import Classes, SizePolicy

SIZE = (61, 83)

STRIDES = {"lraspp": 8, "pidnet-s": 8, "deeplabv3plus": 4, "segformer-b0": 4, "fpn": 4, "unet-resnet": 4}
"""Of some networks, as their papers have them."""

FOUR = Classes(("a", "b", "c", "d"))


@pytest.mark.parametrize("name", with_timm)
def test_its_answer_enlarged_is_the_networks(name: str) -> None:
    graph = simplify(capture(build(name)))
    coarse = graph.coarse()
    assert coarse.stride == STRIDES.get(name, coarse.stride)
    pictures = torch.from_numpy(photos(name, *SIZE)).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        whole, native = run(graph, pictures), run(coarse, pictures)
    if coarse.stride == 1:
        assert coarse is graph
    else:
        native = enlarge(native, coarse.stride)
    assert torch.equal(crop(native, *SIZE), whole)


@pytest.mark.parametrize(
    "name", ["lraspp", "deeplabv3plus", "unet-resnet", "mobilenet-segnet", "unet-xception"]
)
def test_every_backend_has_the_labels_of_the_eager_network(name: str) -> None:
    network = build(name).eval()
    graph = simplify(capture(network)).coarse()
    model = to_onnx(graph).SerializeToString()
    images = list(photos(name, *SIZE))
    eager = TorchBackend(network, torch.device("cpu"))
    logits = eager.logits(np.stack(images))
    ranked = np.sort(logits, axis=1)
    clear = ranked[:, -1] - ranked[:, -2] > 1e-3 * np.abs(logits).max()  # else rounding decides
    assert clear.mean() > 0.9
    for backend in (
        FoldedBackend(graph, torch.device("cpu")),
        OnnxRuntimeBackend(model, threads=1, stride=graph.stride),
        OpenVinoBackend(model, threads=1, stride=graph.stride),
    ):
        predictor = Predictor(backend, FOUR, SizePolicy("native", (64, 64)))
        answers = predictor.predict_many(images, confidence=False)
        for answer, expected, sure in zip(answers, logits.argmax(1), clear, strict=True):
            np.testing.assert_array_equal(answer.labels[sure], expected[sure])
        shares = predictor.network_probabilities(images)
        np.testing.assert_allclose(shares, torch.from_numpy(logits).softmax(1), atol=1e-3)


def test_a_stride_has_no_other_form() -> None:
    graph = simplify(capture(build("lraspp"))).coarse()
    for form in (Form(answer="labels"), Form(answer="probabilities"), Form(resize=(64, 64))):
        with pytest.raises(ValueError, match="stride"):
            to_onnx(graph, form)


class Short:
    """Answers fewer logits than the picture has at the stride, or another number of classes."""

    stride = 8

    def __init__(self, *shape: int) -> None:
        self._shape = shape

    def logits(self, images: np.ndarray) -> np.ndarray:
        return np.zeros((len(images), *self._shape), np.float32)


@pytest.mark.parametrize("shape", [(4, 7, 11), (4, 8, 10), (3, 8, 11), (4, 8)])
def test_a_backend_that_answers_too_little_is_told(shape: tuple[int, ...]) -> None:
    predictor = Predictor(Short(*shape), FOUR, SizePolicy("native", (64, 64)))
    with pytest.raises(BackendError, match=r"where \(1, 4, 8, 11\) at the least, at stride 8, was expected"):
        list(predictor.predict_many([np.zeros((61, 83, 3), np.uint8)], confidence=False))
    enough = Predictor(Short(4, 8, 12), FOUR, SizePolicy("native", (64, 64)))
    assert enough.predict(np.zeros((61, 83, 3), np.uint8)).labels.shape == (61, 83)
