"""What a plain ViT and its queries compute, in the terms of ONNX: places, lists of tokens, masks and votes.

All of it stays in float where a model is quantised, see `EXACT`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import onnx

from pixelwise.graph import ops
from pixelwise.graph.graph import Node
from pixelwise.graph.onnx_nodes import EXACT, OnnxWriter


def _add_places(writer: OnnxWriter, node: Node, op: ops.AddPlaces) -> None:
    """Two matrix products, as `nn.places` has it; the weights in float32 whatever the maps are."""
    (x,) = node.inputs
    sides = writer.sides(x)
    rows, columns = (
        _cubic(writer, writer.add("Gather", [sides, writer.number(axis)], axis=0), op.places.shape[1 + axis])
        for axis in (0, 1)
    )
    places = writer.weight(op.places[None], f"{node.output}.places", whole=True)
    if op.places.dtype != "float32":
        places = writer.add("Cast", [places], to=onnx.TensorProto.FLOAT)
    across = writer.add("Transpose", [columns], perm=[1, 0])
    fitted = _exact(writer, "MatMul", _exact(writer, "MatMul", rows, places), across)
    placed = _exact(writer, "Add", x, writer.add("Cast", [fitted], to=writer.real_type))
    writer.add("Identity", [placed], node.output)


def _cubic(writer: OnnxWriter, new: str, old: int) -> str:
    """The weights `(new, old)` of `nn.places.cubic_weights`, for a side that comes with the picture."""
    one, two, count = writer.number(1), writer.number(2), writer.number(old)

    def centres(steps: str, other: str) -> str:
        places = writer.add("Range", [writer.number(0), steps, one])
        return writer.add("Mul", [writer.add("Add", [writer.add("Mul", [places, two]), one]), other])

    def whole(x: str) -> str:
        return writer.add("Cast", [x], to=onnx.TensorProto.FLOAT)

    def polynomial(x: str, *factors: float) -> str:
        """The value at `x`, the factor of the highest power first."""
        value = writer.single(factors[0])
        for factor in factors[1:]:
            value = _exact(writer, "Add", _exact(writer, "Mul", value, x), writer.single(factor))
        return value

    outputs = writer.add("Unsqueeze", [centres(new, count), writer.number([1])])
    distance = writer.add("Abs", [writer.add("Sub", [outputs, centres(count, new)])])
    width = writer.add("Mul", [writer.add("Max", [count, new]), two])
    t = _exact(writer, "Div", whole(distance), whole(width))
    near = polynomial(t, 1.5, -2.5, 0.0, 1.0)
    far = polynomial(writer.add("Min", [t, writer.single(2.0)]), -0.5, 2.5, -4.0, 2.0)
    heights = writer.add("Where", [writer.add("Less", [t, writer.single(1.0)]), near, far])
    total = writer.add("ReduceSum", [heights, writer.number([1])], keepdims=1)
    return _exact(writer, "Div", heights, total)


def _join(writer: OnnxWriter, node: Node, op: ops.Join) -> None:
    (x,) = node.inputs
    count, channels = op.tokens.shape
    tokens = writer.weight(op.tokens.T.reshape(1, channels, 1, count), f"{node.output}.tokens")
    pictures = writer.add("Slice", [writer.add("Shape", [x]), writer.number([0]), writer.number([1])])
    wanted = writer.add("Concat", [pictures, writer.number([channels, 1, count])], axis=0)
    listed = _exact(writer, "Reshape", x, writer.number([0, channels, 1, -1]))
    joined = _exact(writer, "Concat", writer.add("Expand", [tokens, wanted]), listed, axis=3)
    writer.add("Identity", [joined], node.output)


def _as_map(writer: OnnxWriter, node: Node, op: ops.AsMap) -> None:
    x, like = node.inputs
    rest = [writer.number([op.skip]), writer.number([2**62]), writer.number([3])]
    pixels = writer.add("Slice", [x, *rest])
    writer.add("Reshape", [pixels, _planes(writer, writer.channels[x], like)], node.output)


def _query_masks(writer: OnnxWriter, node: Node, op: ops.QueryMasks) -> None:
    queries, x = node.inputs
    asked = writer.add("Transpose", [_flat(writer, queries)], perm=[0, 2, 1])
    alike = _exact(writer, "MatMul", asked, _flat(writer, x))
    writer.add("Reshape", [alike, _planes(writer, op.count, x)], node.output)


def _query_votes(writer: OnnxWriter, node: Node, op: ops.QueryVotes) -> None:
    classes, masks = node.inputs
    shares = writer.add("Softmax", [_flat(writer, classes)], axis=1)
    objects = writer.add("Slice", [shares, *(writer.number([n]) for n in (0, op.classes, 1))])
    inside = writer.add("Sigmoid", [_flat(writer, masks)])
    scores = _exact(writer, "MatMul", objects, inside)
    voted = writer.add("Log", [_exact(writer, "Add", scores, writer.real(op.least))])
    writer.add("Reshape", [voted, _planes(writer, op.classes, masks)], node.output)


def _flat(writer: OnnxWriter, x: str) -> str:
    """`(N, C, H, W)` to `(N, C, H W)`."""
    return _exact(writer, "Reshape", x, writer.number([0, writer.channels[x], -1]))


def _planes(writer: OnnxWriter, channels: int, like: str) -> str:
    """The shape of a map of these channels with the sides of another one."""
    return writer.add("Concat", [writer.number([-1, channels]), writer.sides(like)], axis=0)


def _exact(writer: OnnxWriter, kind: str, *inputs: str, **attributes: int) -> str:
    """A node that is never quantised."""
    return writer.add(kind, list(inputs), f"{EXACT}{kind.lower()}.{len(writer.nodes)}", **attributes)


QUERY_WRITERS: dict[type, Callable[[OnnxWriter, Node, Any], None]] = {
    ops.AddPlaces: _add_places,
    ops.Join: _join,
    ops.AsMap: _as_map,
    ops.QueryMasks: _query_masks,
    ops.QueryVotes: _query_votes,
}
