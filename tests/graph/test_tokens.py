"""Attention, norms of channels and GELU: read as one operation each, and the same in every runtime."""

from __future__ import annotations

import math

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from drawn_networks import pictures
from pixelwise.backends.openvino import core
from pixelwise.errors import BackendError
from pixelwise.export.quantise import quantised_onnx
from pixelwise.graph import capture, run, simplify
from pixelwise.graph.graph import Graph, Node
from pixelwise.graph.onnx import to_onnx
from pixelwise.graph.ops import Attention, ChannelNorm, Conv, Gelu
from pixelwise.nn.attention import attend
from pixelwise.nn.channel_norm import channel_norm
from pixelwise.nn.frame import RepeatedBorder
from pixelwise.nn.normalise import Normalise
from pixelwise.nn.pointwise import Pointwise, pointwise
from pixelwise.nn.tokens import join

SCALE = 3**-0.5


class Looking(nn.Module):
    """Each pixel looks at the map made smaller by two, in two heads of three channels."""

    frame = RepeatedBorder(4)

    def __init__(self) -> None:
        super().__init__()
        self.normalise = Normalise("unit")
        self.first = Pointwise(3, 6)
        self.query = Pointwise(6, 6)
        self.pair = Pointwise(6, 12)
        self.smaller = nn.Conv2d(6, 6, 2, stride=2)
        generator = torch.Generator().manual_seed(4)
        self.norm = nn.Parameter(torch.empty(2, 6))
        for parameter in self.parameters():
            nn.init.normal_(parameter, generator=generator)

    def framed(self, x: Tensor) -> Tensor:
        x = channel_norm(self.first(x), self.norm[0], self.norm[1], 1e-3)
        small = self.smaller(x)
        key, value = (pointwise(small, *part) for part in self.pair.parts(2))
        return F.gelu(attend(self.query(x), key, value, 2, SCALE))


def by_hand(network: Looking, x: Tensor) -> Tensor:
    """The same, pixel by pixel, from the definitions."""

    def linear(x: Tensor, layer: Pointwise) -> Tensor:
        return torch.einsum("oc,nchw->nohw", layer.weight, x) + layer.bias[:, None, None]

    x = linear(x, network.first)
    mean, variance = x.mean(1, keepdim=True), x.var(1, correction=0, keepdim=True)
    weight, bias = (row[:, None, None] for row in network.norm)
    x = weight * (x - mean) / (variance + 1e-3).sqrt() + bias
    query, small = linear(x, network.query), network.smaller(x)
    key, value = linear(small, network.pair).split(6, dim=1)
    answer = torch.empty_like(query)
    for n, row, column, head in np.ndindex(len(x), x.shape[2], x.shape[3], 2):
        own = slice(3 * head, 3 * head + 3)
        likeness = torch.einsum("c,chw->hw", query[n, own, row, column], key[n, own]) * SCALE
        shares = likeness.flatten().softmax(0)
        answer[n, own, row, column] = (value[n, own].flatten(1) * shares).sum(1)
    return answer * 0.5 * (1 + torch.erf(answer / math.sqrt(2)))


def test_from_the_definitions() -> None:
    network, x = Looking().double(), torch.randn(2, 3, 4, 8, dtype=torch.float64)
    with torch.no_grad():
        expected = by_hand(network, x)
        torch.testing.assert_close(network.framed(x), expected, rtol=1e-12, atol=1e-12)
        turned = x.contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(network.framed(turned), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", [(1, 1), (4, 12), (7, 5)])
def test_captured_and_in_two_runtimes(size: tuple[int, int]) -> None:
    network = Looking().double()
    graph = capture(network)
    simple = simplify(graph)
    kinds = [type(node.op) for node in simple.nodes]
    assert [kinds.count(kind) for kind in (Conv, ChannelNorm, Attention, Gelu)] == [5, 1, 1, 1]
    batch = pictures(2, *size)
    with torch.no_grad():
        framed = network.framed(network.frame(network.normalise(batch.double())))
        expected = framed[:, :, : size[0], : size[1]]
        for found in (run(graph, batch.double()), run(simple, batch.double())):
            torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-11)
    images = batch.byte().permute(0, 2, 3, 1).contiguous().numpy()
    for one in (graph, simple):
        content = to_onnx(one).SerializeToString()
        session = onnxruntime.InferenceSession(content)
        settings = {"INFERENCE_PRECISION_HINT": "f32"}
        compiled = core().compile_model(core().read_model(content), "CPU", settings)
        for found in (session.run(None, {"images": images})[0], compiled([images])[0]):
            np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-5)


def test_the_scale_goes_into_the_query() -> None:
    def scale(graph: Graph) -> float:
        return next(node.op.scale for node in graph.nodes if isinstance(node.op, Attention))

    graph = capture(Looking())
    assert (scale(graph), scale(simplify(graph))) == (SCALE, 1.0)
    # Where query and key are one map, its scale would count twice.
    conv = Node(Conv(weight=np.ones((4, 3, 1, 1))), ("x",), ("y",), "")
    same = Graph(RepeatedBorder(1), (conv, Node(Attention(2, 0.5), ("y", "y", "y"), ("z",), "")), "x", "z")
    assert scale(simplify(same)) == 0.5
    # Where the value alone is a convolution's, nothing may be scaled.
    value = Graph(RepeatedBorder(1), (conv, Node(Attention(2, 0.5), ("x", "x", "y"), ("z",), "")), "x", "z")
    assert scale(simplify(value)) == 0.5


def test_norms_and_attention_are_the_standards_own_nodes() -> None:
    kinds = [node.op_type for node in to_onnx(simplify(capture(Looking()))).graph.node]
    assert [kinds.count(kind) for kind in ("LayerNormalization", "Softmax", "MatMul", "Erf")] == [1, 1, 2, 1]
    onnx.checker.check_model(to_onnx(capture(Looking())), full_check=True)


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (lambda x: attend(x, torch.ones_like(x.detach()), x, 2, 1.0), "no operation"),
        (lambda x: attend(x, x, x, 2, 1.0, torch.ones(1, 1, 1, 1) > 0), "some of the pixels only"),
        (lambda x: join(x[0, :, 0].t(), x), "no operation"),
        (lambda x: F.layer_norm(x, x.shape[2:]), "layer_norm"),
        (lambda x: F.dropout2d(x), "calls dropout2d"),
    ],
)
def test_what_a_graph_cannot_hold_is_refused(function, sentence: str) -> None:
    class Other(Looking):
        def framed(self, x: Tensor) -> Tensor:
            return function(self.first(x))

    with pytest.raises(BackendError, match=sentence):
        capture(Other())


def test_in_8_bits_they_stay_float() -> None:
    images = list(np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), np.uint8))
    content = to_onnx(simplify(capture(Looking()))).SerializeToString()
    nodes = onnx.load_from_string(quantised_onnx(content, images, keep=())).graph.node
    whole = {node.output[0] for node in nodes if node.op_type == "DequantizeLinear"}
    convolutions = [node for node in nodes if node.op_type == "Conv"]
    assert len(convolutions) == 5
    assert all(set(node.input[:2]) <= whole for node in convolutions)
    exact = [
        node for node in nodes if node.op_type in ("LayerNormalization", "MatMul", "Softmax", "Erf", "Add")
    ]
    assert len(exact) == 6  # GELU's own sum among them
    assert not any(set(node.input) & whole for node in exact)
