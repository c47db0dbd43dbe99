"""Scales taken into convolutions before them: into one, or into all that a sum is made of.

Exact but for rounding.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from pixelwise.graph.graph import Graph, Node
from pixelwise.graph.ops import Add, Conv, Enlarge, Scale, TransposedConv


def scaled(conv: Conv | TransposedConv, scale: Scale) -> Conv | TransposedConv:
    """The convolution that answers with the scaled answer of another one."""
    factor = scale.factor.astype(np.float64)
    bias = factor * (0.0 if conv.bias is None else conv.bias) + scale.shift
    if isinstance(conv, Conv):
        return dataclasses.replace(conv, weight=conv.weight * factor[:, None, None, None], bias=bias)
    # (in, out / groups, h, w): the input channels of a group share its output channels.
    each = conv.weight.shape[0] // conv.groups
    rows = np.repeat(factor.reshape(conv.groups, -1), each, axis=0)
    return dataclasses.replace(conv, weight=conv.weight * rows[:, :, None, None], bias=bias)


def scale_summands(graph: Graph) -> Graph:
    """Without the scales of sums whose summands are all convolutions, enlarged or not: those are scaled.

    A scale and an interpolation commute, since the interpolation's weights sum to one. The shift goes into
    one of the convolutions. SegFormer's decoder ends in such a sum, with batch normalisation behind it.
    """
    for node in graph.nodes:
        if isinstance(node.op, Scale):
            summands = _convolutions(graph, node)
            if len(summands) > 1:
                return scale_summands(_without(graph, node, summands))
    return graph


def _convolutions(graph: Graph, node: Node) -> list[Node]:
    """The convolutions whose sum a node reads; none where something else has a part in it."""
    makers = {name: other for other in graph.nodes for name in other.outputs}
    found: list[Node] = []
    left = [(name, node) for name in node.inputs]
    while left:
        name, reader = left.pop()
        maker = makers.get(name)
        if maker is None or graph.only_reader(name) is not reader or reader.inputs.count(name) > 1:
            return []
        if isinstance(maker.op, Conv | TransposedConv):
            found.append(maker)
        elif isinstance(maker.op, Add | Enlarge):
            left += [(source, maker) for source in maker.inputs]
        else:
            return []
    return found


def _without(graph: Graph, node: Node, summands: list[Node]) -> Graph:
    scale = node.op
    if not isinstance(scale, Scale):
        raise TypeError(f"{node.layer} is no scale")
    factor_only = Scale(scale.factor, np.zeros_like(scale.shift))
    changed = {
        summand.output: scaled(summand.op, factor_only if number else scale)
        for number, summand in enumerate(summands)
        if isinstance(summand.op, Conv | TransposedConv)
    }
    nodes: list[Node] = []
    for other in graph.nodes:
        if other is node:
            continue
        # Whoever made what the scale read makes what it answered.
        outputs = tuple(node.output if name in node.inputs else name for name in other.outputs)
        nodes.append(dataclasses.replace(other, op=changed.get(other.output, other.op), outputs=outputs))
    return graph.with_nodes(nodes)
