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
from pixelwise.nn.queries import LEAST


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
    query, key, value, heads, scale, seen = call.bound(
        *("query", "key", "value", "heads", "scale", "seen"), seen=None
    )
    if seen is not None:
        raise BackendError("attention to some of the pixels only has no operation")
    for name, x in (("query", query), ("key", key), ("value", value)):
        if not is_known(x, call):
            raise BackendError(f"attention whose {name} is not computed of the picture has no operation")
    return ops.Attention(heads, float(scale)), [query, key, value]


def _add_places(call: Call) -> tuple[Op, Sequence[Tensor]]:
    x, places = call.bound("x", "places")
    return ops.AddPlaces(as_array(places)), [x]


def _join(call: Call) -> tuple[Op, Sequence[Tensor]]:
    tokens, x = call.bound("tokens", "x")
    if is_known(tokens, call):
        raise BackendError("tokens that are computed of the picture have no operation that joins them")
    return ops.Join(as_array(tokens)), [x]


def _leading(call: Call) -> tuple[Op, Sequence[Tensor]]:
    x, count = call.bound("x", "count")
    return ops.Part(0, count), [x]


def _as_map(call: Call) -> tuple[Op, Sequence[Tensor]]:
    x, like, skip = call.bound("x", "like", "skip")
    return ops.AsMap(skip), [x, like]


def _query_masks(call: Call) -> tuple[Op, Sequence[Tensor]]:
    queries, x = call.bound("queries", "x")
    return ops.QueryMasks(queries.shape[3]), [queries, x]


def _query_votes(call: Call) -> tuple[Op, Sequence[Tensor]]:
    classes, masks = call.bound("classes", "masks")
    return ops.QueryVotes(classes.shape[1] - 1, LEAST), [classes, masks]


TOKEN_RULES: dict[str, Callable[[Call], tuple[Op, Sequence[Tensor]]]] = {
    "gelu": _gelu,
    "pointwise": _pointwise,
    "channel_norm": _channel_norm,
    "attend": _attend,
    "add_places": _add_places,
    "join": _join,
    "leading": _leading,
    "as_map": _as_map,
    "query_masks": _query_masks,
    "query_votes": _query_votes,
}
