"""Computes a graph with torch, one operation after the other: what other runtimes are compared with.

Plain on purpose: nothing is kept longer than it is read, and nothing else is clever.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.graph import ops
from pixelwise.graph.graph import Graph
from pixelwise.graph.ops import Op
from pixelwise.nn import resample
from pixelwise.nn.attention import attend
from pixelwise.nn.channel_norm import channel_norm
from pixelwise.nn.frame import crop
from pixelwise.nn.places import add_places
from pixelwise.nn.queries import query_masks, query_votes
from pixelwise.nn.tokens import as_map, join


def run(graph: Graph, pictures: Tensor, *, framed: bool = False) -> Tensor:
    """Logits `(N, K, H, W)` of pictures; of a graph with a stride `(N, K, h, w)`, those of the whole frame.

    Args:
        graph: What to compute.
        pictures: `(N, 3, H, W)` raw RGB in 0..255; float64 computes in float64.
        framed: Whether they have their frame already; the logits are not cut then.
    """
    values: dict[str, Tensor] = {graph.input: pictures if framed else graph.frame(pictures)}
    last = {name: node for node in graph.nodes for name in node.inputs}
    for node in graph.nodes:
        results = compute(node.op, [values[name] for name in node.inputs])
        values |= dict(zip(node.outputs, results, strict=True))
        for name in node.inputs:
            if last[name] is node and name != graph.output:
                values.pop(name, None)
    logits = values[graph.output]
    return logits if framed or graph.stride > 1 else crop(logits, *pictures.shape[2:])


def values(graph: Graph, pictures: Tensor) -> dict[str, Tensor]:
    """Every value of a graph for pictures, by name, at the framed size; arguments as of `run`."""
    found: dict[str, Tensor] = {graph.input: graph.frame(pictures)}
    for node in graph.nodes:
        results = compute(node.op, [found[name] for name in node.inputs])
        found |= dict(zip(node.outputs, results, strict=True))
    return found


def compute(op: Op, inputs: list[Tensor]) -> tuple[Tensor, ...]:
    """The outputs of one operation."""
    x = inputs[0]
    match op:
        case ops.Conv():
            weight, bias = _like(x, op.weight), None if op.bias is None else _like(x, op.bias)
            top, left, bottom, right = op.padding
            inside = (top, left)
            if inside != (bottom, right):
                x, inside = F.pad(x, (left, right, top, bottom)), (0, 0)
            return (F.conv2d(x, weight, bias, op.stride, inside, op.dilation, op.groups),)
        case ops.TransposedConv():
            weight, bias = _like(x, op.weight), None if op.bias is None else _like(x, op.bias)
            return (F.conv_transpose2d(x, weight, bias, op.stride, op.padding, groups=op.groups),)
        case ops.Scale():
            factor, shift = (_like(x, array).view(1, -1, 1, 1) for array in (op.factor, op.shift))
            return (x * factor + shift,)
        case ops.ChannelNorm():
            return (channel_norm(x, _like(x, op.weight), _like(x, op.bias), op.eps),)
        case ops.AddPlaces():
            return (add_places(x, _like(x, op.places)),)
        case ops.Join():
            return (join(_like(x, op.tokens), x),)
        case ops.GroupNorm():
            return (F.group_norm(x, op.groups, _like(x, op.weight), _like(x, op.bias), op.eps),)
        case ops.MaxPool(places=True):
            return F.max_pool2d(x, op.kernel, op.stride, op.padding, ceil_mode=op.ceil, return_indices=True)
        case _:
            return (_SIMPLE[type(op)](op, *inputs),)


def _max_pool(op: ops.MaxPool, x: Tensor) -> Tensor:
    return F.max_pool2d(x, op.kernel, op.stride, op.padding, ceil_mode=op.ceil)


def _enlarge(op: ops.Enlarge, x: Tensor) -> Tensor:
    corners = False if op.mode == "bilinear" else None
    return F.interpolate(x, scale_factor=op.factor, mode=op.mode, align_corners=corners)


def _pad(op: ops.Pad, x: Tensor) -> Tensor:
    top, left, bottom, right = op.margins
    return F.pad(x, (left, right, top, bottom))


def _trim(op: ops.Trim, x: Tensor) -> Tensor:
    top, left, bottom, right = op.margins
    return x[:, :, top : x.shape[2] - bottom, left : x.shape[3] - right]


def _part(op: ops.Part, x: Tensor) -> Tensor:
    rows, columns = (_end(count) for count in (op.rows, op.columns))
    return x[:, :, rows, columns]


def _end(count: int) -> slice:
    return slice(count, None) if count < 0 else slice(count or None)


_SIMPLE: dict[type, Callable[..., Tensor]] = {
    ops.Clamp: lambda op, x: x.clamp(op.low, op.high),
    ops.Leaky: lambda op, x: F.leaky_relu(x, op.slope),
    ops.Sigmoid: lambda _, x: x.sigmoid(),
    ops.Tanh: lambda _, x: x.tanh(),
    ops.Silu: lambda _, x: F.silu(x),
    ops.HardSigmoid: lambda _, x: F.hardsigmoid(x),
    ops.HardSwish: lambda _, x: F.hardswish(x),
    ops.Add: lambda _, x, y: x + y,
    ops.Multiply: lambda _, x, y: x * y,
    ops.ChannelSum: lambda _, x: x.sum(1, keepdim=True),
    ops.Concat: lambda op, *maps: torch.cat(maps, op.axis),
    ops.MaxPool: _max_pool,
    ops.MeanPool: lambda op, x: F.avg_pool2d(x, op.kernel, op.stride, op.padding),
    ops.Enlarge: _enlarge,
    ops.Pad: _pad,
    ops.Trim: _trim,
    ops.Part: _part,
    ops.Shuffle: lambda op, x: F.pixel_shuffle(x, op.factor),
    ops.Mean: lambda _, x: x.mean((2, 3), keepdim=True),
    ops.Spread: lambda _, x, like: x.expand(-1, -1, *like.shape[2:]),
    ops.WindowMean: lambda op, x: F.adaptive_avg_pool2d(x, op.count),
    ops.Fit: lambda _, x, like: resample.Fit()(x, like),
    ops.UnpoolCorner: lambda op, x: resample.UnpoolCorner(op.factor)(x),
    ops.UnpoolPlaces: lambda _, x, places: resample.UnpoolIndices()(x, places),
    ops.Gelu: lambda _, x: F.gelu(x),
    ops.GeluTanh: lambda _, x: F.gelu(x, approximate="tanh"),
    ops.Attention: lambda op, query, key, value: attend(query, key, value, op.heads, op.scale),
    ops.AsMap: lambda op, x, like: as_map(x, like, op.skip),
    ops.QueryMasks: lambda _, queries, x: query_masks(queries, x),
    ops.QueryVotes: lambda _, classes, masks: query_votes(classes, masks),
}
"""Operations without weights, of one output."""


def _like(x: Tensor, array: object) -> Tensor:
    return torch.as_tensor(array, dtype=x.dtype, device=x.device)
