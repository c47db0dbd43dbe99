"""A list of operations in the order in which they are computed, and who reads what of whom."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pixelwise.graph.ops import (
    ChannelSum,
    Concat,
    Conv,
    Enlarge,
    Multiply,
    Op,
    QueryMasks,
    QueryVotes,
    Shuffle,
    TransposedConv,
)
from pixelwise.nn.frame import Frame


@dataclass(frozen=True, eq=False)
class Node:
    """One operation.

    Attributes:
        op: What is computed.
        inputs: Names of the values that it reads.
        outputs: Names of what it gives; two for a max-pooling with places, else one.
        layer: The path of the module that did it in the network, for people.
    """

    op: Op
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    layer: str

    @property
    def output(self) -> str:
        """The first of its outputs."""
        return self.outputs[0]


@dataclass(frozen=True, eq=False)
class Graph:
    """What a network does with pictures.

    Attributes:
        frame: What pictures get around them first.
        nodes: In an order in which each value exists before it is read.
        input: Name of the framed pictures: `(N, 3, H', W') float32` raw RGB in 0..255.
        output: Name of the logits `(N, K, H' / stride, W' / stride) float32`. Enlarged bilinearly by the
            stride, pixels taken as areas, their upper left is the answer for the picture.
        stride: Of the logits; 1 is at the pictures' size.
    """

    frame: Frame
    nodes: tuple[Node, ...]
    input: str
    output: str
    stride: int = 1

    def readers(self, value: str) -> list[Node]:
        """The nodes that read a value, in their order."""
        return [node for node in self.nodes if value in node.inputs]

    def only_reader(self, value: str) -> Node | None:
        """The one node that reads a value; None if there are several, or the value is the result."""
        readers = self.readers(value)
        return readers[0] if len(readers) == 1 and value != self.output else None

    def with_nodes(self, nodes: Iterable[Node]) -> Graph:
        """The same pictures and logits, computed by other nodes."""
        return dataclasses.replace(self, nodes=tuple(nodes))

    def replaced(self, old: Sequence[Node], new: Sequence[Node]) -> Graph:
        """With some nodes taken out, and others put where the last of them stood.

        The values that others read of the old nodes must be outputs of the new ones.
        """
        last = max(self.nodes.index(node) for node in old)
        nodes = [*self.nodes[: last + 1], *new, *self.nodes[last + 1 :]]
        return self.with_nodes(node for node in nodes if node not in old)

    def without(self, node: Node) -> Graph:
        """Without a node of one input and one output; who read its output reads its input."""
        (source,) = node.inputs
        return self.with_nodes(
            dataclasses.replace(
                other, inputs=tuple(source if name == node.output else name for name in other.inputs)
            )
            for other in self.nodes
            if other is not node
        )

    def coarse(self) -> Graph:
        """The same network, answering at its own stride where enlarging is the last that it does."""
        last = next((node for node in self.nodes if self.output in node.outputs), None)
        if last is None or not isinstance(last.op, Enlarge) or last.op.mode != "bilinear":
            return self
        (source,) = last.inputs
        nodes = tuple(node for node in self.nodes if node is not last)
        return dataclasses.replace(self, nodes=nodes, output=source, stride=self.stride * last.op.factor)

    def channels(self) -> dict[str, int]:
        """How many channels each value has."""
        found = {self.input: 3}
        for node in self.nodes:
            first = found[node.inputs[0]]
            match node.op:
                case Conv(weight=weight):
                    count = weight.shape[0]
                case TransposedConv(weight=weight, groups=groups):
                    count = weight.shape[1] * groups
                case Concat(axis=1):
                    count = sum(found[name] for name in node.inputs)
                case Multiply():
                    count = max(found[name] for name in node.inputs)
                case ChannelSum():
                    count = 1
                case Shuffle(factor):
                    count = first // factor**2
                case QueryMasks(queries):
                    count = queries
                case QueryVotes(classes):
                    count = classes
                case _:
                    count = first
            found |= dict.fromkeys(node.outputs, count)
        return found
