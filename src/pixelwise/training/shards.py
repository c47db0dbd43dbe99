"""Tensors in parts, one a rank: the whole one, a rank's part, the numbers that it holds.

Whoever reads or writes a network's state goes through here, and need not know whether it is in shards
(`sharding`). Knows no network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from torch import Tensor
from torch.distributed.tensor import DTensor, Shard


def whole(tensor: Tensor) -> Tensor:
    """A tensor with the parts of all ranks, which must all ask; one that is in no parts as it is."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def gathered(tensors: Mapping[str, Tensor], *, keep: bool) -> dict[str, Tensor]:
    """Whole tensors on the processor, one at a time, so that a GPU need not have room for all of them.

    Args:
        tensors: Where one of them is in parts, all ranks must ask, for the same ones in the same order.
        keep: Whether this rank wants them; it gets none otherwise.
    """
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if keep or isinstance(tensor, DTensor):
            complete = whole(tensor.detach())
            if keep:
                found[name] = complete.cpu().contiguous()
    return found


def part_like(tensor: Tensor, like: Tensor) -> Tensor:
    """This rank's part of a whole tensor, in the shape of `like`; all of it where `like` is in no parts."""
    if not isinstance(like, DTensor) or tensor.shape != like.shape:
        return tensor
    (placement,), mesh = like.placements, like.device_mesh
    rows = tensor.chunk(mesh.size(), cast("Shard", placement).dim)  # as `Shard` deals them out
    rank = mesh.get_local_rank()
    own = rows[rank] if rank < len(rows) else tensor[:0]
    local = own.to(like.device, like.dtype, copy=True).contiguous()
    return DTensor.from_local(
        local, mesh, like.placements, run_check=False, shape=like.shape, stride=like.stride()
    )


def local(tensor: Tensor) -> Tensor:
    """The numbers that this rank holds."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor
