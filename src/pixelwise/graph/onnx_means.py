"""Means over parts of a map, and what has no name of its own, in the terms of ONNX; see `graph.onnx_nodes`.

Means are taken in float32 whatever the maps' type: a sum over a whole picture is no number for float16.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx

from pixelwise.graph import ops
from pixelwise.graph.graph import Node
from pixelwise.graph.onnx_nodes import OnnxWriter

_FLOAT = onnx.TensorProto.FLOAT


def _silu(writer: OnnxWriter, node: Node, _: ops.Silu) -> None:
    writer.add("Mul", [*node.inputs, writer.add("Sigmoid", node.inputs)], node.output)


def _gelu_tanh(writer: OnnxWriter, node: Node, _: ops.GeluTanh) -> None:
    (x,) = node.inputs
    cube = writer.add("Mul", [writer.add("Mul", [x, x]), x])
    bent = writer.add("Add", [x, writer.add("Mul", [cube, writer.real(0.044715)])])
    share = writer.add("Tanh", [writer.add("Mul", [bent, writer.real(math.sqrt(2 / math.pi))])])
    half = writer.add("Mul", [x, writer.real(0.5)])
    writer.add("Mul", [half, writer.add("Add", [share, writer.real(1.0)])], node.output)


def _group_norm(writer: OnnxWriter, node: Node, op: ops.GroupNorm) -> None:
    """Instance normalisation of the groups, each laid out as one channel; then the scale of the channels."""
    (x,) = node.inputs
    groups = writer.add("Reshape", [_single(writer, x), writer.number([0, op.groups, -1])])
    ones, zeros = (writer.single([value] * op.groups) for value in (1.0, 0.0))
    normal = writer.add("InstanceNormalization", [groups, ones, zeros], epsilon=op.eps)
    maps = _typed(writer, writer.add("Reshape", [normal, writer.add("Shape", [x])]))
    factor, shift = (array.reshape(1, -1, 1, 1) for array in (op.weight, op.bias))
    scaled = writer.add("Mul", [maps, writer.weight(factor, f"{node.output}.factor")])
    writer.add("Add", [scaled, writer.weight(shift, f"{node.output}.shift")], node.output)


def _window_mean(writer: OnnxWriter, node: Node, op: ops.WindowMean) -> None:
    """Two products with matrices of the shares that rows and columns have in the windows."""
    (x,) = node.inputs
    sides = writer.sides(x)
    rows, columns = (
        _shares(writer, writer.add("Gather", [sides, writer.number(i)]), op.count) for i in (0, 1)
    )
    along = writer.add("MatMul", [rows, _single(writer, x)])
    means = writer.add("MatMul", [along, writer.add("Transpose", [columns], perm=[1, 0])])
    _typed(writer, means, node.output)


def _shares(writer: OnnxWriter, side: str, count: int) -> str:
    """`(count, side)`: one over a window's length where a row lies in it, else zero."""
    windows = np.arange(count)[:, None]
    first, after = (writer.add("Mul", [side, _column(writer, windows + more)]) for more in (0, 1))
    begin = writer.add("Div", [first, writer.number(count)])
    end = writer.add("Div", [writer.add("Add", [after, writer.number(count - 1)]), writer.number(count)])
    places = writer.add("Range", [writer.number(0), side, writer.number(1)])
    inside = writer.add(
        "And", [writer.add("GreaterOrEqual", [places, begin]), writer.add("Less", [places, end])]
    )
    length = writer.add("Cast", [writer.add("Sub", [end, begin])], to=_FLOAT)
    return writer.add("Div", [writer.add("Cast", [inside], to=_FLOAT), length])


def _column(writer: OnnxWriter, numbers: Any) -> str:
    row = writer.number([int(number) for number in numbers[:, 0]])
    return writer.add("Unsqueeze", [row, writer.number([1])])


def _single(writer: OnnxWriter, x: str) -> str:
    return x if writer.real_type == _FLOAT else writer.add("Cast", [x], to=_FLOAT)


def _typed(writer: OnnxWriter, x: str, output: str | None = None) -> str:
    """In the maps' own type again."""
    if writer.real_type == _FLOAT:
        return x if output is None else writer.add("Identity", [x], output)
    return writer.add("Cast", [x], output, to=writer.real_type)


MEAN_WRITERS: dict[type, Callable[[OnnxWriter, Node, Any], None]] = {
    ops.Silu: _silu,
    ops.GeluTanh: _gelu_tanh,
    ops.GroupNorm: _group_norm,
    ops.WindowMean: _window_mean,
}
