"""What a ViT with queries computes, in 8 and 16 bits: which nodes stay float, and how far answers are off."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from drawn_networks import build, pictures
from pixelwise.export.quantise import quantised_onnx
from pixelwise.graph import capture, simplify
from pixelwise.graph.onnx import to_onnx
from pixelwise.graph.ops import AddPlaces, AsMap, Join, QueryMasks, QueryVotes, Scale
from pixelwise.header import Form

SIZE = (61, 83)


def test_captured_as_few_operations() -> None:
    """Once each, two lists that tokens join, and no scale of a branch is left beside a convolution."""
    nodes = simplify(capture(build("eomt-s"))).nodes
    kinds = [type(node.op) for node in nodes]
    counts = [kinds.count(kind) for kind in (AddPlaces, Join, AsMap, QueryMasks, QueryVotes)]
    assert counts == [1, 2, 1, 1, 1]
    assert Scale not in kinds


@pytest.mark.parametrize("precision", ["half", "int8"])
def test_in_fewer_bits(precision: str) -> None:
    network = build("eomt-s")
    batch = pictures(2, *SIZE)
    images = batch.byte().permute(0, 2, 3, 1).contiguous().numpy()
    graph = simplify(capture(network))
    if precision == "half":
        content = to_onnx(graph, Form(precision="half")).SerializeToString()
    else:
        content = quantised_onnx(to_onnx(graph).SerializeToString(), list(images), keep=())
        nodes = onnx.load_from_string(content).graph.node
        whole = {node.output[0] for node in nodes if node.op_type == "DequantizeLinear"}
        float_only = ("MatMul", "Softmax", "LayerNormalization", "Erf", "Log", "Sigmoid")
        assert not any(set(node.input) & whole for node in nodes if node.op_type in float_only)
        assert any(set(node.input) & whole for node in nodes if node.op_type == "Conv")
    found = onnxruntime.InferenceSession(content).run(None, {"images": images})[0]
    with torch.no_grad():
        expected = network(batch).softmax(1).numpy()
    shares = np.exp(found) / np.exp(found).sum(1, keepdims=True)
    assert np.abs(shares - expected).max() <= (2e-3 if precision == "half" else 5e-2)
