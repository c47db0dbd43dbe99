"""Each rule by itself on drawn operations: it applies where it may, leaves what others read, and is exact."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from pixelwise.graph import run, simplify
from pixelwise.graph.graph import Graph, Node
from pixelwise.graph.ops import Add, Clamp, Conv, Enlarge, Op, Pad, Scale, TransposedConv, Trim
from pixelwise.nn.frame import RepeatedBorder

RNG = np.random.default_rng(5)


def drawn(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape)


def conv(out: int, inputs: int, size: int, **values: object) -> Conv:
    return Conv(weight=drawn(out, inputs, size, size), **values)  # pyright: ignore[reportArgumentType]


def chain(*ops: Op) -> Graph:
    """One operation after the other."""
    names = ["picture", *(f"v{i}" for i in range(len(ops)))]
    nodes = [Node(op, (names[i],), (names[i + 1],), f"layer{i}") for i, op in enumerate(ops)]
    return Graph(RepeatedBorder(1), tuple(nodes), "picture", names[-1])


def kinds(graph: Graph) -> list[str]:
    return [type(node.op).__name__ for node in graph.nodes]


def check(graph: Graph, *expected: str) -> Graph:
    """Simplifies, compares in float64 on odd and tiny maps, and says what is left."""
    simple = simplify(graph)
    assert kinds(simple) == list(expected)
    for height, width in ((7, 5), (1, 1), (2, 3)):
        x = torch.randn(2, 3, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        torch.testing.assert_close(run(simple, x), run(graph, x), rtol=1e-11, atol=1e-11)
    return simple


def test_padding_becomes_the_convolutions() -> None:
    graph = check(chain(Pad((0, 1, 2, 0)), conv(4, 3, 3, padding=(1, 1, 0, 2), stride=2)), "Conv")
    op = graph.nodes[0].op
    assert isinstance(op, Conv)
    assert op.padding == (1, 2, 2, 2)


@pytest.mark.parametrize("bias", [None, drawn(6)])
def test_a_scale_after_a_convolution(bias: np.ndarray | None) -> None:
    first = conv(6, 1, 3, groups=3, padding=(1, 1, 1, 1), bias=bias)
    check(chain(first, Scale(drawn(6), drawn(6))), "Conv")


@pytest.mark.parametrize("groups", [1, 3])
def test_a_scale_after_a_transposed_convolution(groups: int) -> None:
    first = TransposedConv(weight=drawn(3, 4, 4, 4), stride=2, padding=1, groups=groups)
    check(chain(first, Scale(drawn(4 * groups), drawn(4 * groups))), "TransposedConv")


@pytest.mark.parametrize("groups", [1, 3])
def test_a_scale_before_a_convolution(groups: int) -> None:
    check(chain(Scale(drawn(3), drawn(3)), conv(6, 3 // groups, 1, groups=groups)), "Conv")
    # Zeros of a padding are not shifted, so only a pure factor may go in.
    padded = conv(6, 3 // groups, 3, padding=(1, 1, 1, 1), groups=groups)
    check(chain(Scale(drawn(3), np.zeros(3)), padded), "Conv")
    check(chain(Scale(drawn(3), drawn(3)), padded), "Scale", "Conv")


def test_phases_and_what_lies_between() -> None:
    after = conv(5, 3, 3, padding=(1, 1, 1, 1), bias=drawn(5))
    check(chain(Enlarge(2, "nearest"), Clamp(0.0), after), "Clamp", "TransposedConv")
    check(chain(Enlarge(2, "bilinear"), after), "Enlarge", "Conv")
    check(chain(Enlarge(4, "nearest"), after), "Enlarge", "Conv")
    check(chain(Enlarge(2, "nearest"), Clamp(0.0)), "Clamp", "Enlarge")


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_a_pointwise_convolution_goes_first(mode) -> None:
    graph = check(chain(Enlarge(3, mode), conv(2, 3, 1, bias=drawn(2))), "Conv", "Enlarge")
    # Values keep the names that others may know them by.
    assert graph.output == "v1"


def test_bilinear_upsampling_and_relu_do_not_commute() -> None:
    check(chain(Enlarge(2, "bilinear"), Clamp(0.0)), "Enlarge", "Clamp")


def test_a_transposed_convolution_of_stride_one() -> None:
    check(chain(TransposedConv(weight=drawn(3, 2, 3, 3), bias=drawn(2), padding=1)), "Conv")
    check(chain(TransposedConv(weight=drawn(3, 2, 5, 5))), "Conv")
    check(chain(TransposedConv(weight=drawn(3, 2, 2, 2), stride=2)), "TransposedConv")


def test_a_cut_of_nothing() -> None:
    check(chain(Clamp(0.0, 6.0), Trim((0, 0, 0, 0)), Scale(drawn(3), drawn(3))), "Clamp", "Scale")


def test_what_somebody_else_reads_stays() -> None:
    """The sum reads the convolution's own output, and the scaled one."""
    graph = chain(conv(3, 3, 1), Scale(drawn(3), drawn(3)), Add())
    *nodes, last = graph.nodes
    graph = graph.with_nodes([*nodes, dataclasses.replace(last, inputs=("v0", "v1"))])
    check(graph, "Conv", "Scale", "Add")


def test_the_result_stays() -> None:
    """The logits are read by nobody in the graph, and yet by somebody."""
    graph = chain(conv(3, 3, 1), Scale(drawn(3), drawn(3)))
    check(dataclasses.replace(graph, output="v0"), "Conv", "Scale")


def summed(first: Op, second: Op, *after: Op) -> Graph:
    """Two operations on the picture, their sum, and what follows."""
    nodes = [Node(first, ("picture",), ("a",), ""), Node(second, ("picture",), ("b",), "")]
    nodes.append(Node(Add(), ("a", "b"), ("v0",), ""))
    nodes += [Node(op, (f"v{i}",), (f"v{i + 1}",), "") for i, op in enumerate(after)]
    return Graph(RepeatedBorder(1), tuple(nodes), "picture", f"v{len(after)}")


def test_a_scale_of_a_sum_of_convolutions() -> None:
    scale = Scale(drawn(4), drawn(4))
    check(summed(conv(4, 3, 1), conv(4, 3, 3, padding=(1,) * 4, bias=drawn(4)), scale), "Conv", "Conv", "Add")
    # Something else that is added would have to be scaled by itself.
    check(summed(Clamp(0.0), conv(3, 3, 1), Scale(drawn(3), drawn(3))), "Clamp", "Conv", "Add", "Scale")


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_a_scale_of_a_sum_of_enlarged_convolutions(mode) -> None:
    graph = summed(conv(4, 3, 1), conv(4, 3, 1, bias=drawn(4)), Enlarge(3, mode), Scale(drawn(4), drawn(4)))
    check(graph, "Conv", "Conv", "Add", "Enlarge")


def test_a_sum_that_somebody_else_reads_is_not_scaled() -> None:
    graph = summed(conv(3, 3, 1), conv(3, 3, 1), Scale(drawn(3), drawn(3)), Add())
    *nodes, last = graph.nodes
    graph = graph.with_nodes([*nodes, dataclasses.replace(last, inputs=("v0", "v1"))])
    check(graph, "Conv", "Conv", "Add", "Scale", "Add")
    twice = summed(conv(3, 3, 1), Clamp(0.0), Scale(drawn(3), drawn(3)))
    first, _, add, scale = twice.nodes
    check(
        twice.with_nodes([first, dataclasses.replace(add, inputs=("a", "a")), scale]), "Conv", "Add", "Scale"
    )
