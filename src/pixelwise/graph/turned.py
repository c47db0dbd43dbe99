"""Maps whose channels come last for a while, `(N, H, W, C)`, as networks of timm turn them for a norm.

Nothing is computed by turning axes. A turned map goes by the name that it had, and a call that reads one
becomes an operation only where it does the same to the channels of each pixel whichever place they have.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from pixelwise.errors import BackendError
from pixelwise.graph import ops
from pixelwise.graph.calls import Call, as_array
from pixelwise.graph.ops import Op

_TURN, _BACK = (0, 2, 3, 1), (0, 3, 1, 2)


def turns_back(call: Call, *, turned: bool) -> bool:
    """Whether a `permute` puts the channels of a map from the last place to the second, not the other way.

    Args:
        call: Of `permute`.
        turned: Whether its map has the channels last.

    Raises:
        BackendError: It does neither.
    """
    x, *given = call.args
    axes = call.kwargs.get("dims", given[0] if len(given) == 1 else given)
    order = tuple(axis % x.dim() for axis in axes)
    if order != (_BACK if turned else _TURN):
        raise BackendError(f"axes in the order {tuple(axes)} have no operation")
    return turned


def _layer_norm(call: Call) -> tuple[Op, Sequence[Tensor]]:
    x, shape, weight, bias, eps = call.bound(
        *("input", "normalized_shape", "weight", "bias", "eps"), weight=None, bias=None, eps=1e-5
    )
    if len(shape) != 1:
        raise BackendError(f"layer normalisation over {len(shape)} axes has no operation")
    ones = np.ones(x.shape[-1], np.float32)
    factor, shift = (
        default if given is None else as_array(given) for given, default in ((weight, ones), (bias, 0 * ones))
    )
    return ops.ChannelNorm(factor, shift, eps), [x]


def _linear(call: Call) -> tuple[Op, Sequence[Tensor]]:
    x, weight, bias = call.bound("input", "weight", "bias", bias=None)
    kernel = as_array(weight)[:, :, None, None]  # (out, in, 1, 1)
    return ops.Conv(weight=kernel, bias=None if bias is None else as_array(bias)), [x]


TURNED_RULES: dict[str, Callable[[Call], tuple[Op, Sequence[Tensor]]]] = {
    "layer_norm": _layer_norm,
    "linear": _linear,
}
"""Rules for what reads the last axis, and so turned maps alone."""

POINTWISE = ("gelu", "silu", "silu_", "relu", "relu_", "hardswish", "hardswish_", "sigmoid", "tanh")
"""Functions with a rule for maps that does not ask where channels are."""
