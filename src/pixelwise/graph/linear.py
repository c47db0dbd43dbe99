"""Layers with nothing but linear arithmetic between them, computed as one where that takes less work.

Convolutions and learned upsamplings in a row, without an activation, are one linear map. From `C` channels to
`K` classes at `f` times the size it is a convolution with `K * f * f` outputs, one for each place within a
pixel of the small map, dealt out to those places (`Shuffle`). Few classes at the end of wide layers make that
a fraction of the work: `mobilenet-segnet`'s last two upsamplings and its head need a 15th.

At the border it is another map: each layer sees zeros around what the one before it has answered, not what
that would have answered there. So the pixels along the border, those of each side and of each corner, have
kernels of their own: nine in all. Exact but for rounding.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.graph.graph import Graph, Node
from pixelwise.graph.ops import Concat, Conv, Op, Part, Shuffle, TransposedConv, Trim
from pixelwise.graph.run import compute, values

WORTH = 0.8
"""The share of the work that must be left at most: one convolution more is one more to start."""

MOST_WORK = 4_000_000_000
"""Multiply-adds in float64 that may be spent on finding the kernels, which is about half a second."""

_ROWS = {-1: "first", 0: "middle", 1: "last"}
_COLUMNS = {-1: "left", 0: "middle", 1: "right"}
"""The parts of a map: its border, one pixel wide, and what lies between."""


def fold_linear(graph: Graph) -> Graph:
    """The same function, its chains of linear layers computed as one where that is less work."""
    least: dict[str, int] | None = None
    for end in reversed(graph.nodes):
        chain = _chain(graph, end)
        candidates = [c for c in _candidates(chain) if c.saved > 0]
        if not candidates:
            continue
        if least is None:
            least = _least_sides(graph)
        able = [c for c in candidates if least[c.nodes[0].inputs[0]] >= c.least_side]
        if able:
            best = max(able, key=lambda c: c.saved / c.factor**2)
            return fold_linear(graph.replaced(best.nodes, _folded(best)))
    return graph


@dataclass(frozen=True)
class _Candidate:
    """Layers of a chain that could be one.

    Attributes:
        nodes: In their order.
        factor: How much larger the map becomes.
        reach: How many pixels of the small map to each side have a part in a pixel's places.
        saved: Multiply-adds a pixel of the small map; not above zero where they are not to be folded.
    """

    nodes: tuple[Node, ...]
    factor: int
    reach: int
    saved: float

    @property
    def side(self) -> int:
        """Of the smallest map with a pixel between the borders, and all that has a part in any of them."""
        return max(3, 2 * self.reach + 1)

    @property
    def least_side(self) -> int:
        """Of the maps for which the nine kernels are right: no pixel feels two opposite borders."""
        return max(2, self.reach + 1)


@dataclass(frozen=True)
class _Layer:
    """A linear layer as a transposed convolution that makes a map `stride` times as large."""

    stride: int
    kernel: int
    padding: int
    work: int  # multiply-adds a pixel of what it reads


def _layer(op: Op) -> _Layer | None:
    """What an operation is of that; None for any that is not, or whose answer has another size."""
    match op:
        case Conv(stride=1, dilation=1, groups=1) if _square(op):
            length = op.weight.shape[2]
            if op.padding == (length // 2,) * 4 and length % 2:
                return _Layer(1, length, length // 2, op.weight.size)
        case TransposedConv(groups=1) if _square(op):
            length = op.weight.shape[2]
            if length - 2 * op.padding == op.stride:
                return _Layer(op.stride, length, op.padding, op.weight.size)
        case _:
            pass
    return None


def _square(op: Conv | TransposedConv) -> bool:
    return op.weight.shape[2] == op.weight.shape[3]


def _chain(graph: Graph, end: Node) -> list[Node]:
    """The linear layers that lead to a node, it included, each read by the next alone."""
    makers = {name: node for node in graph.nodes for name in node.outputs}
    chain: list[Node] = []
    node: Node | None = end
    while node is not None and _layer(node.op) is not None:
        chain.insert(0, node)
        before = makers.get(node.inputs[0])
        node = before if before is not None and graph.only_reader(before.output) is node else None
    return chain


def _candidates(chain: Sequence[Node]) -> list[_Candidate]:
    """The chain's ends of two layers and more."""
    return [_candidate(chain[begin:]) for begin in range(len(chain) - 1)]


def _candidate(nodes: Sequence[Node]) -> _Candidate:
    layers = [layer for node in nodes if (layer := _layer(node.op)) is not None]
    factor, padding, wrong, work = 1, 0, 0, 0
    for number, layer in enumerate(layers):
        work += layer.work * factor**2
        # How far from the border an answer feels that the layer before was cut off there.
        wrong = max(0, layer.stride * (wrong - 1) + layer.kernel - layer.padding) if number else 0
        padding = padding * layer.stride + layer.padding
        factor *= layer.stride
    reach = (factor - 1 + padding) // factor
    places = _outputs(nodes[-1].op) * factor**2
    new = _inputs(nodes[0].op) * places * (2 * reach + 1) ** 2
    side = max(3, 2 * reach + 1)
    finding = 9 * places * side**2 * work
    able = wrong <= factor and new <= WORTH * work and finding <= MOST_WORK
    return _Candidate(tuple(nodes), factor, reach, work - new if able else 0)


def _inputs(op: Op) -> int:
    match op:
        case Conv(weight=weight):
            return weight.shape[1]
        case TransposedConv(weight=weight):
            return weight.shape[0]
        case _:
            raise TypeError(f"{type(op).__name__} is no convolution")


def _outputs(op: Op) -> int:
    match op:
        case Conv(weight=weight):
            return weight.shape[0]
        case TransposedConv(weight=weight):
            return weight.shape[1]
        case _:
            raise TypeError(f"{type(op).__name__} is no convolution")


def _least_sides(graph: Graph) -> dict[str, int]:
    """The shorter side of each value for a picture of one pixel; no other picture has smaller ones."""
    with torch.inference_mode():
        found = values(graph, torch.zeros(1, 3, 1, 1))
    return {name: min(value.shape[2:]) for name, value in found.items()}


def _folded(candidate: _Candidate) -> list[Node]:
    """The nodes that take the place of the candidate's."""
    (source,), (target,) = candidate.nodes[0].inputs, candidate.nodes[-1].outputs
    layer = candidate.nodes[-1].layer
    reach = candidate.reach
    nodes: list[Node] = []

    def add(op: Op, inputs: Sequence[str], name: str) -> str:
        nodes.append(Node(op, tuple(inputs), (name,), layer))
        return name

    rows: list[str] = []
    for row in _ROWS:
        columns: list[str] = []
        for column in _COLUMNS:
            name = f"{target}.{_ROWS[row]}-{_COLUMNS[column]}"
            part = source
            if (row, column) != (0, 0):
                part = add(Part(-row * (reach + 1), -column * (reach + 1)), [source], f"{name}.part")
            weight, bias = _kernel(candidate, row, column)
            # The middle is answered for the border too, and cut, since nothing may be between the borders;
            # the kernel of a border answers its one row or column.
            tall, wide = (reach if place == 0 else 0 for place in (row, column))
            conv = Conv(weight=weight, bias=bias, padding=(tall, wide, tall, wide))
            answered = add(conv, [part], name)
            tall, wide = min(tall, 1), min(wide, 1)
            if tall or wide:
                answered = add(Trim((tall, wide, tall, wide)), [answered], f"{name}.cut")
            columns.append(answered)
        rows.append(add(Concat(axis=3), columns, f"{target}.row{row + 1}"))
    add(Shuffle(candidate.factor), [add(Concat(axis=2), rows, f"{target}.places")], target)
    return nodes


def _kernel(
    candidate: _Candidate, row: int, column: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The kernel `(K * f * f, C, h, w)` and bias of the pixels of one part of the map.

    Found on a small map: what a layer's answer owes to what it read is its transpose, so that of a whole
    chain, from an answer back to the map, is one transposed layer after the other.
    """
    factor, reach, side = candidate.factor, candidate.reach, candidate.side
    top, left = ((0, side // 2, side - 1)[place + 1] for place in (row, column))
    classes = _outputs(candidate.nodes[-1].op)
    owed = torch.zeros(classes * factor**2, classes, side * factor, side * factor, dtype=torch.float64)
    for number, (k, a, b) in enumerate(itertools.product(range(classes), range(factor), range(factor))):
        owed[number, k, top * factor + a, left * factor + b] = 1
    constant = torch.zeros(1, _inputs(candidate.nodes[0].op), side, side, dtype=torch.float64)
    for node in candidate.nodes:
        constant = compute(node.op, [constant])[0]
    block = constant[0, :, top * factor : (top + 1) * factor, left * factor : (left + 1) * factor]
    for node in reversed(candidate.nodes):
        owed = _transposed(node.op, owed)
    tall, wide = (slice(max(0, place - reach), min(side, place + reach + 1)) for place in (top, left))
    return owed[:, :, tall, wide].numpy().copy(), block.reshape(-1).numpy().copy()


def _transposed(op: Op, owed: Tensor) -> Tensor:
    match op:
        case Conv(weight=weight, padding=padding):
            return F.conv_transpose2d(owed, torch.as_tensor(weight).double(), padding=padding[0])
        case TransposedConv(weight=weight, stride=stride, padding=padding):
            return F.conv2d(owed, torch.as_tensor(weight).double(), stride=stride, padding=padding)
        case _:
            raise TypeError(f"{type(op).__name__} is no convolution")
