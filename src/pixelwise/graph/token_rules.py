"""Rules for what transformers compute on maps: which operation a call is; see `graph.rules`.

Attention and norms are read whole, at the level of `nn.attention` and `nn.channel_norm`: their steps would
reshape to sizes, and no graph for all sizes could hold those.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from pixelwise.errors import BackendError
from pixelwise.graph import ops
from pixelwise.graph.calls import Call, as_array, is_known
from pixelwise.graph.ops import Op


def _gelu(call: Call) -> tuple[Op, Sequence[Tensor]]:
    x, approximate = call.bound("input", "approximate", approximate="none")
    return (ops.Gelu() if approximate == "none" else ops.GeluTanh()), [x]


def _pointwise(call: Call) -> tuple[Op, Sequence[Tensor]]:
    x, weight, bias = call.bound("x", "weight", "bias")
    kernel = as_array(weight)[:, :, None, None]  # (out, in, 1, 1)
    return ops.Conv(weight=kernel, bias=None if bias is None else as_array(bias)), [x]


def _channel_norm(call: Call) -> tuple[Op, Sequence[Tensor]]:
    x, weight, bias, eps = call.bound("x", "weight", "bias", "eps")
    return ops.ChannelNorm(as_array(weight), as_array(bias), eps), [x]


def _attend(call: Call) -> tuple[Op, Sequence[Tensor]]:
    query, key, value, heads, scale = call.bound("query", "key", "value", "heads", "scale")
    for name, x in (("query", query), ("key", key), ("value", value)):
        if not is_known(x, call):
            raise BackendError(f"attention whose {name} is not computed of the picture has no operation")
    return ops.Attention(heads, float(scale)), [query, key, value]


TOKEN_RULES: dict[str, Callable[[Call], tuple[Op, Sequence[Tensor]]]] = {
    "gelu": _gelu,
    "pointwise": _pointwise,
    "channel_norm": _channel_norm,
    "attend": _attend,
}
