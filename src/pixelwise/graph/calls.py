"""A call of a torch function that was seen, and how its arguments are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pixelwise.errors import BackendError
from pixelwise.graph.ops import Array


@dataclass(frozen=True, eq=False)
class Call:
    """A call of a torch function.

    Attributes:
        args: By place.
        kwargs: By name.
        result: What it gave.
        known: All values that were computed of the picture before, the oldest first.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Any
    known: Sequence[Tensor]

    def bound(self, *names: str, **defaults: Any) -> list[Any]:
        """The arguments of these names, in this order; by place, by name or as the default has it."""
        given = {**defaults, **dict(zip(names, self.args, strict=False)), **self.kwargs}
        return [given[name] for name in names]

    def two(self) -> tuple[Any, Any]:
        """The operands of a sum or a product, which may have no option beside them."""
        if len(self.args) != 2 or self.kwargs:
            options = ", ".join(self.kwargs) or f"{len(self.args)} operands"
            raise BackendError(f"arithmetic with {options} has no operation")
        return self.args[0], self.args[1]


def is_known(value: Any, call: Call) -> bool:
    """Whether something was computed of the picture."""
    return any(value is tensor for tensor in call.known)


def as_array(tensor: Tensor) -> Array:
    """A weight, in the type that it has."""
    return np.ascontiguousarray(tensor.detach().cpu().numpy())


def per_channel(constant: Any, x: Tensor) -> Array:
    """A number, or `(1, C, 1, 1)` of them, as `(C,)`."""
    tensor = torch.as_tensor(constant, dtype=x.dtype)
    if tensor.numel() != 1 and tuple(tensor.shape) != (1, x.shape[1], 1, 1):
        raise BackendError(f"a map and a constant {tuple(tensor.shape)} together have no operation")
    return as_array(tensor.flatten().expand(x.shape[1]))


def pair(value: Any) -> tuple[int, int]:
    """A number for both axes, or one for each, as two."""
    if isinstance(value, str):
        raise BackendError(f"padding {value!r} has no operation: give numbers")
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[-1]))


def one_number(value: Any, what: str) -> int:
    """A number that must be the same for both axes."""
    rows, columns = pair(value)
    if rows != columns:
        raise BackendError(f"a {what} of {rows} rows and {columns} columns has no operation")
    return rows
