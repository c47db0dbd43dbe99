"""What transformers compute on maps, in the terms of ONNX; see `graph.onnx_nodes`.

Norms and attention stay in float where a model is quantised: their nodes are named for that, see `EXACT`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from pixelwise.graph import ops
from pixelwise.graph.graph import Node
from pixelwise.graph.onnx_nodes import EXACT, OnnxWriter


def _gelu(writer: OnnxWriter, node: Node, _: ops.Gelu) -> None:
    """By erf, as runtimes look for it to make one kernel of it; ONNX has a GELU of its own from set 20 on."""
    (x,) = node.inputs
    below = _exact(writer, "Erf", _exact(writer, "Div", x, writer.real(math.sqrt(2))))
    share = _exact(writer, "Add", below, writer.real(1.0))
    writer.add("Mul", [_exact(writer, "Mul", x, share), writer.real(0.5)], node.output)


def _channel_norm(writer: OnnxWriter, node: Node, op: ops.ChannelNorm) -> None:
    last = writer.add("Transpose", node.inputs, perm=[0, 2, 3, 1])
    weight = writer.weight(op.weight, f"{node.output}.weight")
    bias = writer.weight(op.bias, f"{node.output}.bias")
    normal = writer.add("LayerNormalization", [last, weight, bias], axis=-1, epsilon=op.eps)
    writer.add("Transpose", [normal], node.output, perm=[0, 3, 1, 2])


def _attention(writer: OnnxWriter, node: Node, op: ops.Attention) -> None:
    def heads(x: str, *, pixels_first: bool) -> str:
        """`(N, C, H, W)` to `(N, heads, C / heads, H W)`, or its last two axes turned round."""
        each = writer.channels[x] // op.heads
        split = _exact(writer, "Reshape", x, writer.number([0, op.heads, each, -1]))
        return _turned(writer, split) if pixels_first else split

    query, key, value = node.inputs
    q = heads(query, pixels_first=True)
    if op.scale != 1:
        q = _exact(writer, "Mul", q, writer.real(op.scale))
    likeness = _exact(writer, "MatMul", q, heads(key, pixels_first=False))
    shares = writer.add("Softmax", [likeness], axis=-1)
    mean = _turned(writer, _exact(writer, "MatMul", shares, heads(value, pixels_first=True)))
    # Channels lie together again: (N, heads, C / heads, H W) to (N, C, H, W).
    writer.add("Reshape", [mean, writer.add("Shape", [query])], node.output)


def _turned(writer: OnnxWriter, x: str) -> str:
    return writer.add("Transpose", [x], perm=[0, 1, 3, 2])


def _exact(writer: OnnxWriter, kind: str, *inputs: str) -> str:
    """A node that is never quantised."""
    return writer.add(kind, list(inputs), f"{EXACT}{kind.lower()}.{len(writer.nodes)}")


TOKEN_WRITERS: dict[type, Callable[[OnnxWriter, Node, Any], None]] = {
    ops.Gelu: _gelu,
    ops.ChannelNorm: _channel_norm,
    ops.Attention: _attention,
}
