"""What a ViT with queries computes, in 8 and 16 bits: which nodes stay float, and how far answers are off."""

from __future__ import annotations

import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from drawn_networks import build, pictures
from pixelwise.backends.openvino import core
from pixelwise.export.quantise import quantised_onnx
from pixelwise.graph import capture, simplify
from pixelwise.graph.onnx import to_onnx
from pixelwise.graph.ops import AddPlaces, AsMap, Join, QueryMasks, QueryVotes, Scale
from pixelwise.header import Form

SIZE = (61, 83)
LIMITS = {"half": (5e-4, 0.01), "int8": (1e-2, 0.12)}
"""Mean of what a probability is off, and share of the pixels that change."""


def sure() -> nn.Module:
    """A network whose queries have sharp masks and are sure of their classes."""
    network = build("eomt-s")
    with torch.no_grad():
        network.class_head.weight.mul_(20)  # pyright: ignore[reportAttributeAccessIssue]
        network.mask_head[2].weight.mul_(20)  # pyright: ignore[reportIndexIssue]
    return network


def test_captured_as_few_operations() -> None:
    """Once each, two lists that tokens join, and no scale of a branch is left beside a convolution."""
    nodes = simplify(capture(build("eomt-s"))).nodes
    kinds = [type(node.op) for node in nodes]
    counts = [kinds.count(kind) for kind in (AddPlaces, Join, AsMap, QueryMasks, QueryVotes)]
    assert counts == [1, 2, 1, 1, 1]
    assert Scale not in kinds


@pytest.mark.parametrize("precision", ["half", "int8"])
def test_in_fewer_bits(precision: str) -> None:
    network = sure()
    batch = pictures(2, *SIZE)
    images = batch.byte().permute(0, 2, 3, 1).contiguous().numpy()
    graph = simplify(capture(network))
    if precision == "half":
        content = to_onnx(graph, Form(precision="half")).SerializeToString()
    else:
        content = quantised_onnx(to_onnx(graph).SerializeToString(), list(images), keep=())
        nodes = onnx.load_from_string(content).graph.node
        whole = {node.output[0] for node in nodes if node.op_type == "DequantizeLinear"}
        # OpenVINO has no fixed shape for tokens in whole numbers where a resize is inside.
        inside = to_onnx(graph, Form(resize=(64, 96))).SerializeToString()
        core().compile_model(core().read_model(quantised_onnx(inside, list(images), keep=())), "CPU")
        float_only = ("MatMul", "Softmax", "LayerNormalization", "Erf", "Log", "Sigmoid")
        assert not any(set(node.input) & whole for node in nodes if node.op_type in float_only)
        assert any(set(node.input) & whole for node in nodes if node.op_type == "Conv")
    found = onnxruntime.InferenceSession(content).run(None, {"images": images})[0]
    with torch.no_grad():
        expected = network(batch).softmax(1)
    assert expected.amax((0, 2, 3)).max() - expected.amin((0, 2, 3)).min() > 0.5
    shares = torch.as_tensor(found).softmax(1)
    off, changed = LIMITS[precision]
    assert (shares - expected).abs().mean() <= off
    assert (shares.argmax(1) != expected.argmax(1)).float().mean() <= changed
