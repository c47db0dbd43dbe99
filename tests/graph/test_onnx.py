"""The ONNX model of every network, run by two runtimes that share no code, answers what the network does."""

from __future__ import annotations

import copy

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from drawn_networks import CLASSES, build, photos, with_timm
from pixelwise.backends.openvino import core
from pixelwise.graph import Graph, Node, capture, run, simplify
from pixelwise.graph.onnx import OPSET, to_onnx
from pixelwise.graph.ops import MaxPool, UnpoolPlaces
from pixelwise.models import build_model
from pixelwise.nn.frame import RepeatedBorder

SIZES = ((61, 83), (64, 32), (1, 1))


def check(network: torch.nn.Module, case: str = "") -> None:
    """Beside float64, a runtime may be off by a few times what PyTorch's own float32 is off."""
    network.eval()
    exact = copy.deepcopy(network).double()
    model = to_onnx(simplify(capture(network))).SerializeToString()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    # This processor may know bfloat16; here the function is compared, not the precision.
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1"}
    compiled = core().compile_model(core().read_model(model), "CPU", settings)
    for size in SIZES:
        images = photos(case, *size)
        batch = torch.from_numpy(images).permute(0, 3, 1, 2)
        with torch.no_grad():
            own, expected = network(batch.float()).numpy(), exact(batch.double()).numpy()
        bound = 5 * np.abs(own - expected).max() + 1e-6 * np.abs(expected).max()
        for found in (session.run(None, {"images": images})[0], compiled([images])[0]):
            assert found.dtype == np.float32
            assert found.shape == expected.shape
            assert np.abs(found - expected).max() <= bound


@pytest.mark.parametrize("name", with_timm)
def test_two_runtimes_answer_what_the_network_does(name: str) -> None:
    check(build(name), name)


@pytest.mark.parametrize("activation", ["leaky-relu", "sigmoid", "tanh", "hard-swish"])
def test_other_activations(activation: str) -> None:
    arguments = {"width": 4, "activation": activation, "upsampling": "unpool-corner"}
    check(build_model("unet", num_classes=3, arguments=arguments, seed=1))


def test_equal_maxima_go_where_pytorch_puts_them() -> None:
    """Three grey levels: most windows have their maximum more than once."""
    pool, unpool = MaxPool(kernel=2, stride=2, places=True), UnpoolPlaces()
    nodes = (Node(pool, ("x",), ("y", "places"), ""), Node(unpool, ("y", "places"), ("z",), ""))
    graph = Graph(RepeatedBorder(2), nodes, "x", "z")
    images = np.random.default_rng(3).integers(0, 3, (2, 34, 48, 3), np.uint8)
    expected = run(graph, torch.from_numpy(images).permute(0, 3, 1, 2).float()).numpy()
    session = onnxruntime.InferenceSession(to_onnx(graph).SerializeToString())
    assert np.array_equal(session.run(None, {"images": images})[0], expected)
    assert np.count_nonzero(expected) < expected.size / 4  # one of each window, unless that is all black


def test_what_the_model_says_of_itself() -> None:
    model = to_onnx(capture(build("unet-xception")), metadata={"pixelwise": "{}", "note": "Rand ß"})
    assert {p.key: p.value for p in model.metadata_props} == {"pixelwise": "{}", "note": "Rand ß"}
    assert model.opset_import[0].version == OPSET
    (images,), (logits,) = model.graph.input, model.graph.output
    assert images.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert [d.dim_param or d.dim_value for d in images.type.tensor_type.shape.dim] == ["N", "H", "W", 3]
    assert [d.dim_param or d.dim_value for d in logits.type.tensor_type.shape.dim] == ["N", CLASSES, "H", "W"]
    onnx.checker.check_model(model, full_check=True)
