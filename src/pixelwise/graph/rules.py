"""Which operation a call of a torch function is: one rule a function, by the function's name.

A rule gets the call with its result and answers with the operation and the tensors that it reads. What a
graph has no operation for is refused, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from torch import Tensor

from pixelwise.errors import BackendError
from pixelwise.graph import ops
from pixelwise.graph.calls import Call, as_array, is_known, one_number, pair, per_channel
from pixelwise.graph.ops import Op
from pixelwise.graph.token_rules import TOKEN_RULES

Rule = Callable[[Call], tuple[Op, Sequence[Tensor]]]


def _conv(call: Call) -> tuple[Op, Sequence[Tensor]]:
    x, weight, bias, stride, padding, dilation, groups = call.bound(
        *("input", "weight", "bias", "stride", "padding", "dilation", "groups"),
        bias=None,
        stride=1,
        padding=0,
        dilation=1,
        groups=1,
    )
    rows, columns = pair(padding)
    op = ops.Conv(
        weight=as_array(weight),
        bias=None if bias is None else as_array(bias),
        stride=one_number(stride, "stride"),
        padding=(rows, columns, rows, columns),
        dilation=one_number(dilation, "dilation"),
        groups=groups,
    )
    return op, [x]


def _transposed_conv(call: Call) -> tuple[Op, Sequence[Tensor]]:
    x, weight, bias, stride, padding, more, groups, dilation = call.bound(
        *("input", "weight", "bias", "stride", "padding", "output_padding", "groups", "dilation"),
        bias=None,
        stride=1,
        padding=0,
        output_padding=0,
        groups=1,
        dilation=1,
    )
    if pair(more) != (0, 0) or pair(dilation) != (1, 1):
        raise BackendError("a transposed convolution with output padding or dilation has no operation")
    op = ops.TransposedConv(
        weight=as_array(weight),
        bias=None if bias is None else as_array(bias),
        stride=one_number(stride, "stride"),
        padding=one_number(padding, "padding"),
        groups=groups,
    )
    return op, [x]


def _batch_norm(call: Call) -> tuple[Op, Sequence[Tensor]]:
    x, mean, variance, weight, bias, training, _, eps = call.bound(
        *("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps"),
        weight=None,
        bias=None,
        training=False,
        momentum=0.1,
        eps=1e-5,
    )
    if training or mean is None or variance is None:
        raise BackendError("batch normalisation without running statistics depends on the batch")
    # In float64: the root of a small variance is a large factor.
    factor = 1 / (variance.double() + eps).sqrt()
    factor = factor if weight is None else factor * weight
    shift = -mean * factor if bias is None else bias - mean * factor
    return ops.Scale(as_array(factor), as_array(shift)), [x]


def _relu(call: Call) -> tuple[Op, Sequence[Tensor]]:
    return ops.Clamp(0.0), [call.args[0]]


def _relu6(call: Call) -> tuple[Op, Sequence[Tensor]]:
    return ops.Clamp(0.0, 6.0), [call.args[0]]


def _hardtanh(call: Call) -> tuple[Op, Sequence[Tensor]]:
    x, low, high = call.bound("input", "min_val", "max_val", min_val=-1.0, max_val=1.0)
    return ops.Clamp(float(low), float(high)), [x]


def _leaky(call: Call) -> tuple[Op, Sequence[Tensor]]:
    x, slope = call.bound("input", "negative_slope", negative_slope=0.01)
    return ops.Leaky(float(slope)), [x]


def _sigmoid(call: Call) -> tuple[Op, Sequence[Tensor]]:
    return ops.Sigmoid(), [call.args[0]]


def _tanh(call: Call) -> tuple[Op, Sequence[Tensor]]:
    return ops.Tanh(), [call.args[0]]


def _hard_sigmoid(call: Call) -> tuple[Op, Sequence[Tensor]]:
    return ops.HardSigmoid(), [call.args[0]]


def _hard_swish(call: Call) -> tuple[Op, Sequence[Tensor]]:
    return ops.HardSwish(), [call.args[0]]


def _add(call: Call) -> tuple[Op, Sequence[Tensor]]:
    one, other = call.two()
    if is_known(one, call) and is_known(other, call):
        if one.shape != other.shape:
            raise BackendError(f"a sum of {tuple(one.shape)} and {tuple(other.shape)} has no operation")
        return ops.Add(), [one, other]
    x, constant = (one, other) if is_known(one, call) else (other, one)
    shift = per_channel(constant, x)
    return ops.Scale(np.ones_like(shift), shift), [x]


def _sub(call: Call) -> tuple[Op, Sequence[Tensor]]:
    x, constant = call.two()
    if not is_known(x, call) or is_known(constant, call):
        raise BackendError("a difference of two maps has no operation")
    shift = per_channel(constant, x)
    return ops.Scale(np.ones_like(shift), -shift), [x]


def _subtracted(call: Call) -> tuple[Op, Sequence[Tensor]]:
    """A constant minus a map: Python hands the map first."""
    x, constant = call.two()
    shift = per_channel(constant, x)
    return ops.Scale(-np.ones_like(shift), shift), [x]


def _mul(call: Call) -> tuple[Op, Sequence[Tensor]]:
    one, other = call.two()
    if is_known(one, call) and is_known(other, call):
        if not _multiplied(one, other):
            raise BackendError(f"a product of {tuple(one.shape)} and {tuple(other.shape)} has no operation")
        return ops.Multiply(), [one, other]
    x, constant = (one, other) if is_known(one, call) else (other, one)
    factor = per_channel(constant, x)
    return ops.Scale(factor, np.zeros_like(factor)), [x]


def _multiplied(one: Tensor, other: Tensor) -> bool:
    """Whether two maps have one size, or one of them a single channel, or a single row and column."""
    if one.dim() != 4 or other.dim() != 4 or one.shape[0] != other.shape[0]:
        return False
    planes = one.shape[1] == other.shape[1] or 1 in (one.shape[1], other.shape[1])
    sides = [tuple(x.shape[2:]) for x in (one, other)]
    return planes and (sides[0] == sides[1] or (1, 1) in sides)


def _sum(call: Call) -> tuple[Op, Sequence[Tensor]]:
    x, axis, kept = call.bound("input", "dim", "keepdim", dim=None, keepdim=False)
    if x.dim() != 4 or axis not in (1, -3, (1,), [1]) or not kept:
        raise BackendError(f"a sum over the axes {axis} has no operation; over channels, kept, there is one")
    return ops.ChannelSum(), [x]


def _cat(call: Call) -> tuple[Op, Sequence[Tensor]]:
    maps, axis = call.bound("tensors", "dim", dim=0)
    if axis not in (1, -3):
        raise BackendError(f"maps are joined along axis {axis}; only channels have an operation")
    return ops.Concat(), list(maps)


def _max_pool(call: Call) -> tuple[Op, Sequence[Tensor]]:
    x, kernel, stride, padding, dilation, ceil, places = call.bound(
        *("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices"),
        stride=None,
        padding=0,
        dilation=1,
        ceil_mode=False,
        return_indices=False,
    )
    if pair(dilation) != (1, 1):
        raise BackendError("a dilated max-pooling has no operation")
    op = ops.MaxPool(
        kernel=one_number(kernel, "window"),
        stride=one_number(kernel if stride is None else stride, "stride"),
        padding=one_number(padding, "padding"),
        ceil=bool(ceil),
        places=bool(places) or isinstance(call.result, tuple),
    )
    return op, [x]


def _mean_pool(call: Call) -> tuple[Op, Sequence[Tensor]]:
    x, kernel, stride, padding, ceil, counted, divisor = call.bound(
        *("input", "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"),
        stride=None,
        padding=0,
        ceil_mode=False,
        count_include_pad=True,
        divisor_override=None,
    )
    zeros = one_number(padding, "padding")
    op = ops.MeanPool(
        kernel=one_number(kernel, "window"),
        stride=one_number(kernel if stride is None else stride, "stride"),
        padding=zeros,
    )
    cut = ceil and not _windows_lie_inside(op, x, call.result)
    if cut or divisor is not None or (zeros and not counted):
        raise BackendError("a mean-pooling that does not divide by its window's size has no operation")
    return op, [x]


def _windows_lie_inside(op: ops.MeanPool, x: Tensor, result: Tensor) -> bool:
    """Whether rounding up adds no window: for this map, so for all whose sides are such multiples."""
    sides = zip(x.shape[2:], result.shape[2:], strict=True)
    return all(
        side % op.stride == 0 and (side + 2 * op.padding - op.kernel) // op.stride + 1 == count
        for side, count in sides
    )


def _interpolate(call: Call) -> tuple[Op, Sequence[Tensor]]:
    x, mode, corners, smooth = call.bound(
        *("input", "mode", "align_corners", "antialias"), mode="nearest", align_corners=None, antialias=False
    )
    factors = {call.result.shape[i] / x.shape[i] for i in (2, 3)}
    factor = factors.pop()
    if mode not in ("nearest", "bilinear") or corners or smooth or factors or factor != int(factor):
        raise BackendError(f"an interpolation that is {mode}, by a factor of {factor}, has no operation")
    return ops.Enlarge(int(factor), mode), [x]


def _pad(call: Call) -> tuple[Op, Sequence[Tensor]]:
    x, frame, mode, value = call.bound("input", "pad", "mode", "value", mode="constant", value=None)
    if mode != "constant" or value:
        raise BackendError(f"padding by {mode if mode != 'constant' else value} has no operation")
    left, right, top, bottom, *more = (*frame, 0, 0)[: max(4, len(frame))]
    if any(more) or min(frame) < 0:
        raise BackendError(f"padding by {frame} has no operation")
    return ops.Pad((top, left, bottom, right)), [x]


def _adaptive_mean(call: Call) -> tuple[Op, Sequence[Tensor]]:
    x, size = call.bound("input", "output_size")
    count = one_number(size, "number of windows")
    return (ops.Mean() if count == 1 else ops.WindowMean(count)), [x]


def _mean(call: Call) -> tuple[Op, Sequence[Tensor]]:
    x, axes, kept = call.bound("input", "dim", "keepdim", dim=None, keepdim=False)
    if x.dim() != 4 or not kept or sorted(axis % 4 for axis in axes or ()) != [2, 3]:
        raise BackendError(
            f"a mean over the axes {axes} has no operation; over rows and columns, kept, it has"
        )
    return ops.Mean(), [x]


def _silu(call: Call) -> tuple[Op, Sequence[Tensor]]:
    return ops.Silu(), [call.args[0]]


def _group_norm(call: Call) -> tuple[Op, Sequence[Tensor]]:
    x, groups, weight, bias, eps = call.bound(
        *("input", "num_groups", "weight", "bias", "eps"), weight=None, bias=None, eps=1e-5
    )
    ones = np.ones(x.shape[1], np.float32)
    factor, shift = (
        default if given is None else as_array(given) for given, default in ((weight, ones), (bias, 0 * ones))
    )
    return ops.GroupNorm(groups, factor, shift, eps), [x]


def _expand(call: Call) -> tuple[Op, Sequence[Tensor]]:
    x, size = call.args[0], call.result.shape
    like = next((t for t in reversed(call.known) if t.dim() == 4 and t.shape[2:] == size[2:]), None)
    if tuple(x.shape[2:]) != (1, 1) or size[:2] != x.shape[:2] or like is None:
        raise BackendError(f"{tuple(x.shape)} repeated to {tuple(size)} has no operation")
    return ops.Spread(), [x, like]


def _getitem(call: Call) -> tuple[Op, Sequence[Tensor]]:
    x, places = call.args
    whole = slice(None)
    if not (
        isinstance(places, tuple)
        and len(cast("tuple[Any, ...]", places)) == 4
        and places[:2] == (whole, whole)
        and all(isinstance(place, slice) and place.step is None for place in places[2:])
    ):
        raise BackendError(f"taking {places} of a map has no operation")
    (top, bottom, _), (left, right, _) = (
        place.indices(length) for place, length in zip(places[2:], x.shape[2:], strict=True)
    )
    return ops.Trim((top, left, x.shape[2] - bottom, x.shape[3] - right)), [x]


RULES: dict[str, Rule] = {
    "conv2d": _conv,
    "conv_transpose2d": _transposed_conv,
    "batch_norm": _batch_norm,
    "relu": _relu,
    "relu_": _relu,
    "relu6": _relu6,
    "hardtanh": _hardtanh,
    "leaky_relu": _leaky,
    "sigmoid": _sigmoid,
    "tanh": _tanh,
    "silu": _silu,
    "group_norm": _group_norm,
    "hardsigmoid": _hard_sigmoid,
    "hardswish": _hard_swish,
    "add": _add,
    "add_": _add,
    "sub": _sub,
    "__rsub__": _subtracted,
    "mul": _mul,
    "sum": _sum,
    "cat": _cat,
    "max_pool2d": _max_pool,
    "max_pool2d_with_indices": _max_pool,
    "avg_pool2d": _mean_pool,
    "interpolate": _interpolate,
    "pad": _pad,
    "adaptive_avg_pool2d": _adaptive_mean,
    "mean": _mean,
    "expand": _expand,
    "__getitem__": _getitem,
    **TOKEN_RULES,
}


def changes_nothing(key: str, call: Call) -> bool:
    """Whether a call gives what it got: a dropout in evaluation, a float of what is float32."""
    if key in ("dropout", "dropout2d"):
        return not call.bound("input", "p", "training", p=0.5, training=True)[2]
    if key == "contiguous":
        return True
    return key == "float" and call.result.dtype == call.args[0].dtype
