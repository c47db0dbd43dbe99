"""Linear layers in a row as one: exact to the border and the corner, and only where it is less work."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from pixelwise.graph import capture, linear, run, simplify
from pixelwise.graph.graph import Graph, Node
from pixelwise.graph.linear import fold_linear
from pixelwise.graph.ops import Add, Clamp, Conv, Op, Shuffle, TransposedConv
from pixelwise.models import build_model
from pixelwise.nn.frame import RepeatedBorder

RNG = np.random.default_rng(8)
SIZES = ((1, 1), (3, 9), (8, 4), (13, 21))


def conv(out: int, inputs: int, size: int = 3, *, padding: int | None = None) -> Conv:
    inside = size // 2 if padding is None else padding
    weight, bias = RNG.normal(size=(out, inputs, size, size)), RNG.normal(size=out)
    return Conv(weight=weight, bias=bias, padding=(inside,) * 4)


def larger(inputs: int, out: int, *, stride: int = 2, more: int = 1) -> TransposedConv:
    side = stride + 2 * more
    weight = RNG.normal(size=(inputs, out, side, side))
    return TransposedConv(weight=weight, bias=RNG.normal(size=out), stride=stride, padding=more)


def chain(*ops: Op, multiple: int = 4) -> Graph:
    """One operation after the other, on maps whose sides are a multiple; the first one reads the picture."""
    names = ["picture", *(f"v{i}" for i in range(len(ops)))]
    nodes = [Node(op, (names[i],), (names[i + 1],), f"layer{i}") for i, op in enumerate(ops)]
    return Graph(RepeatedBorder(multiple), tuple(nodes), "picture", names[-1])


def check(graph: Graph, *, folded: bool) -> Graph:
    """Compares in float64, with pictures down to one pixel, and whether anything was folded."""
    simple = fold_linear(graph)
    assert any(isinstance(node.op, Shuffle) for node in simple.nodes) == folded
    assert simple.output == graph.output
    for size in SIZES:
        x = torch.randn(2, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
        # The whole frame: what the last picture's border hides must be right as well.
        whole, expected = (run(g, g.frame(x), framed=True) for g in (simple, graph))
        torch.testing.assert_close(whole, expected, rtol=1e-11, atol=1e-11)
    return simple


@pytest.mark.parametrize(
    "ops",
    [
        [conv(16, 3), conv(1, 16)],
        [conv(9, 3, 5), conv(1, 9, 1)],
        [larger(3, 12), conv(1, 12)],
        [larger(3, 16), larger(16, 8), conv(1, 8)],
        [conv(24, 3, 1), larger(24, 8), larger(8, 4), conv(1, 4)],
        [larger(3, 8, stride=4, more=2), conv(1, 8, 5)],
        [larger(3, 32), larger(32, 1, more=0)],
    ],
    ids=lambda ops: " ".join(f"{type(op).__name__[0]}{op.weight.shape[-1]}" for op in ops),
)
def test_exact_to_the_corner(ops: list[Op]) -> None:
    check(chain(*ops), folded=True)


def test_maps_without_a_middle() -> None:
    ops = [larger(3, 12), conv(1, 12)]
    check(chain(*ops, multiple=1), folded=False)  # both borders in one pixel
    check(chain(*ops, multiple=2), folded=True)  # nothing between them


def test_no_pixel_may_feel_two_borders() -> None:
    ops = [conv(9, 3, 7), conv(1, 9, 1)]  # reaches three pixels to each side
    check(chain(*ops, multiple=3), folded=False)
    check(chain(*ops, multiple=4), folded=True)


def test_the_border_is_one_pixel_wide() -> None:
    """A second layer of 5x5 feels two pixels deep that the first one was cut off."""
    check(chain(conv(40, 3, 5), conv(1, 40, 5), multiple=8), folded=False)


def test_more_work_is_not_done() -> None:
    check(chain(conv(4, 3), conv(30, 4)), folded=False)


def test_what_is_not_linear_or_not_alone_stays() -> None:
    check(chain(conv(16, 3), Clamp(0.0), conv(1, 16)), folded=False)
    check(chain(conv(16, 3, padding=0), conv(1, 16)), folded=False)
    graph = chain(conv(16, 3), conv(16, 16, 1), Add(), conv(1, 16))
    *_, add, last = graph.nodes
    graph = graph.with_nodes([*graph.nodes[:2], dataclasses.replace(add, inputs=("v0", "v1")), last])
    check(graph, folded=False)


def test_the_kernels_are_not_sought_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "MOST_WORK", 1000)
    check(chain(conv(16, 3), conv(1, 16)), folded=False)


@pytest.mark.parametrize("classes", [2, 21])
def test_segnets_decoder_takes_a_fraction_of_the_work(classes: int) -> None:
    graph = capture(build_model("mobilenet-segnet", num_classes=classes, seed=0).eval())
    simple = simplify(graph)
    assert any(isinstance(node.op, Shuffle) for node in simple.nodes)
    # Few classes let the folding begin an upsampling earlier.
    left = sum(isinstance(node.op, TransposedConv) for node in simple.nodes)
    assert left == {2: 1, 21: 2}[classes]
