"""Less work for the same function: what a trained network's graph can do without.

Each rule looks at two nodes of which the second alone reads the first, and answers with the nodes that take
their place, or None where it does not apply. All are exact but for rounding:

| found | becomes | because |
|---|---|---|
| zeros around, convolution | the convolution with that padding | definition |
| convolution, scale | convolution with a scaled kernel and bias | both are linear |
| scale, convolution without padding | the same | zeros of a padding would not be scaled |
| nearest upsampling, ReLU | ReLU, upsampling | each pixel by itself; a quarter of them |
| upsampling, 1x1 convolution | the convolution, upsampling | interpolation weights sum to one |
| nearest upsampling by 2, 3x3 convolution | 4x4 transposed convolution | see `nn.upsample` |
| query's convolution, attention | scaled, attention without a scale | a product is linear |
| sum of convolutions, scale | convolutions scaled, their sum | see `graph.scaled` |
| linear layers in a row | one convolution, its outputs dealt out | see `graph.linear` |

And of single nodes: a transposed convolution of stride 1 is a convolution, a cut of nothing is nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import torch

from pixelwise.graph.graph import Graph, Node
from pixelwise.graph.linear import fold_linear
from pixelwise.graph.ops import NO_MARGINS, Attention, Clamp, Conv, Enlarge, Pad, Scale, TransposedConv, Trim
from pixelwise.graph.scaled import scale_summands, scaled
from pixelwise.nn.upsample import phase_kernel

Rule = Callable[[Node, Node], "list[Node] | None"]


def simplify(graph: Graph) -> Graph:
    """The same function with less work, until no rule finds anything."""
    nodes = [dataclasses.replace(node, op=_plain_convolution(node.op)) for node in graph.nodes]
    graph = graph.with_nodes(nodes)
    while (simpler := _once(graph)) is not None:
        graph = simpler
    return fold_linear(scale_summands(graph))


def _once(graph: Graph) -> Graph | None:
    """With the first change that any rule finds; None if there is none."""
    for node in graph.nodes:
        if node.op == Trim(NO_MARGINS) and node.output != graph.output:
            return graph.without(node)
        after = graph.only_reader(node.output)
        if after is None or len(node.outputs) > 1:
            continue
        for rule in RULES:
            new = rule(node, after)
            if new is not None:
                return graph.replaced([node, after], new)
    return None


def _plain_convolution(op: object) -> object:
    """A transposed convolution of stride 1 as a convolution, its kernel turned by 180 degrees."""
    if not isinstance(op, TransposedConv) or op.stride != 1 or op.groups != 1:
        return op
    rows, columns = (length - 1 - op.padding for length in op.weight.shape[2:])
    if min(rows, columns) < 0:
        return op
    weight = np.ascontiguousarray(op.weight[:, :, ::-1, ::-1].transpose(1, 0, 2, 3))
    return Conv(weight=weight, bias=op.bias, padding=(rows, columns, rows, columns))


def _pad_into_conv(first: Node, second: Node) -> list[Node] | None:
    match first.op, second.op:
        case Pad(margins), Conv() as conv:
            top, left, bottom, right = (a + b for a, b in zip(margins, conv.padding, strict=True))
            op = dataclasses.replace(conv, padding=(top, left, bottom, right))
            return [dataclasses.replace(second, op=op, inputs=first.inputs)]
    return None


def _scale_into_conv_before(first: Node, second: Node) -> list[Node] | None:
    match first.op, second.op:
        case (Conv() | TransposedConv()) as conv, Scale() as scale:
            return [dataclasses.replace(first, op=scaled(conv, scale), outputs=second.outputs)]
    return None


def _scale_into_conv_after(first: Node, second: Node) -> list[Node] | None:
    match first.op, second.op:
        case Scale() as scale, Conv() as conv:
            if conv.padding != NO_MARGINS and scale.shift.any():
                return None
            outputs, depth = conv.weight.shape[:2]
            # (out, in / groups): which channels each output channel reads.
            reads = np.arange(outputs)[:, None] // (outputs // conv.groups) * depth + np.arange(depth)
            factor, shift = (
                a.astype(np.float64)[reads][:, :, None, None] for a in (scale.factor, scale.shift)
            )
            bias = (conv.weight * shift).sum((1, 2, 3)) + (0.0 if conv.bias is None else conv.bias)
            op = dataclasses.replace(conv, weight=conv.weight * factor, bias=bias)
            return [dataclasses.replace(second, op=op, inputs=first.inputs)]
    return None


def _clamp_before_enlarging(first: Node, second: Node) -> list[Node] | None:
    match first.op, second.op:
        case Enlarge(mode="nearest"), Clamp():
            return _swapped(first, second)
    return None


def _pointwise_before_enlarging(first: Node, second: Node) -> list[Node] | None:
    match first.op, second.op:
        case Enlarge(), Conv(stride=1, padding=(0, 0, 0, 0)) as conv if conv.weight.shape[2:] == (1, 1):
            return _swapped(first, second)
    return None


def _phases(first: Node, second: Node) -> list[Node] | None:
    match first.op, second.op:
        case (
            Enlarge(factor=2, mode="nearest"),
            Conv(stride=1, padding=(1, 1, 1, 1), dilation=1, groups=1) as conv,
        ) if conv.weight.shape[2:] == (3, 3):
            kernel = phase_kernel(torch.from_numpy(conv.weight.astype(np.float64))).numpy()
            op = TransposedConv(weight=kernel, bias=conv.bias, stride=2, padding=1)
            return [dataclasses.replace(second, op=op, inputs=first.inputs)]
    return None


def _scale_into_query(first: Node, second: Node) -> list[Node] | None:
    match first.op, second.op:
        case Conv() as conv, Attention() as attention if attention.scale != 1:
            if second.inputs[0] != first.output or second.inputs.count(first.output) > 1:
                return None
            factor = np.full(conv.weight.shape[0], attention.scale)
            query = dataclasses.replace(first, op=scaled(conv, Scale(factor, np.zeros_like(factor))))
            return [query, dataclasses.replace(second, op=Attention(attention.heads, 1.0))]
    return None


RULES: tuple[Rule, ...] = (
    _pad_into_conv,
    _scale_into_conv_before,
    _scale_into_conv_after,
    _clamp_before_enlarging,
    _pointwise_before_enlarging,
    _phases,
    _scale_into_query,
)


def _swapped(first: Node, second: Node) -> list[Node]:
    """The two the other way round; what lies between them keeps its name."""
    return [
        dataclasses.replace(second, inputs=first.inputs, outputs=first.outputs),
        dataclasses.replace(first, inputs=first.outputs, outputs=second.outputs),
    ]
