"""Which layers do not bear 8 bits, and an int8 network that leaves those in float."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pixelwise.graph import Graph, Node
from pixelwise.graph.ops import Conv, TransposedConv
from pixelwise.graph.run import compute, values

T = TypeVar("T")

LEVELS, KERNEL_LEVELS = 255, 63
"""Steps of a map's values, and of a kernel's to either side of zero; see `export.quantise`."""


@dataclass(frozen=True)
class Sensitivity:
    """What one layer's quantisation does to the logits, all others in float.

    Attributes:
        value: The name of what the layer answers.
        layer: Its path in the network.
        error: Of the logits, root mean square, relative to the logits.
    """

    value: str
    layer: str
    error: float


def sensitivity(graph: Graph, images: Sequence[npt.NDArray[np.uint8]]) -> list[Sensitivity]:
    """All convolutions, those that harm most first.

    Args:
        graph: In float, simplified.
        images: `(h, w, 3) uint8` RGB, all of one size; a few are enough.
    """
    pictures = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float()
    with torch.inference_mode():
        exact = values(graph, pictures)
        logits = exact[graph.output]
        scale = float(logits.square().mean().sqrt())
        found = [
            Sensitivity(
                node.output, node.layer or node.output, _error(graph, place, exact) / max(scale, 1e-30)
            )
            for place, node in enumerate(graph.nodes)
            if isinstance(node.op, Conv | TransposedConv)
        ]
    return sorted(found, key=lambda row: -row.error)


@dataclass(frozen=True)
class Chosen(Generic[T]):
    """A quantised model that bears what it lost, or the best that was found.

    Attributes:
        model: As `build` gave it.
        kept: Values whose layers are in float, most sensitive first.
        harm: What it lost.
    """

    model: T
    kept: tuple[str, ...]
    harm: float


def choose(
    order: Sequence[str], build: Callable[[Sequence[str]], T], harm: Callable[[T], float], *, limit: float
) -> Chosen[T]:
    """Leaves more and more layers in float, most sensitive first, until a model bears it.

    Args:
        order: Values of the layers that can be left, most sensitive first.
        build: Quantises with those left in float.
        harm: What a model lost.
        limit: What may be lost. Where even half the layers in float lose more, the best one is the answer.
    """
    best: Chosen[T] | None = None
    count = 0
    while best is None or (best.harm > limit and count <= len(order) // 2):
        kept = tuple(order[:count])
        model = build(kept)
        lost = harm(model)
        if best is None or lost < best.harm:
            best = Chosen(model, kept, lost)
        count = max(1, 2 * count)
    return best


def _error(graph: Graph, place: int, exact: dict[str, Tensor]) -> float:
    """Of the logits where the node at this place alone is quantised; what comes before it is not computed."""
    changed: dict[str, Tensor] = {}
    node = graph.nodes[place]
    rounded = _rounded(node)
    changed[node.output] = compute(rounded.op, [_round_map(exact[node.inputs[0]])])[0]
    for after in graph.nodes[place + 1 :]:
        if any(name in changed for name in after.inputs):
            results = compute(after.op, [changed.get(name, exact[name]) for name in after.inputs])
            changed |= dict(zip(after.outputs, results, strict=True))
    off = changed.get(graph.output, exact[graph.output]) - exact[graph.output]
    return float(off.square().mean().sqrt())


def _round_map(x: Tensor) -> Tensor:
    """Each value as the nearest of 256 between the smallest and the largest, zero among them."""
    low, high = min(float(x.min()), 0.0), max(float(x.max()), 0.0)
    step = max(high - low, 1e-30) / LEVELS
    zero = round(-low / step)
    return ((x / step + zero).round().clamp(0, LEVELS) - zero) * step


def _rounded(node: Node) -> Node:
    """A convolution whose kernels are rounded, each output channel on its own."""
    op = node.op
    if not isinstance(op, Conv | TransposedConv):
        raise TypeError(f"{node.layer} is no convolution")
    # (out, …) of a convolution; (in, out / groups, …) of a transposed one.
    axes = (1, 2, 3) if isinstance(op, Conv) else (0, 2, 3)
    step = np.maximum(np.abs(op.weight).max(axes, keepdims=True), 1e-30) / KERNEL_LEVELS
    weight = np.round(op.weight / step) * step
    return dataclasses.replace(node, op=dataclasses.replace(op, weight=weight.astype(op.weight.dtype)))
