"""A network in shards: each rank holds its part of every parameter, gradient and optimiser state.

That is FSDP as PyTorch has it in `fully_shard`: before a group of layers runs, the ranks gather its
parameters, and after it they keep their own part again; gradients are added up where they are kept.
Source: S. Rajbhandari et al., "ZeRO: Memory Optimizations Toward Training Trillion Parameter Models", SC
2020, stage 3. Knows no loop, no file and no architecture but that some have an `encoder`.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
import torch.distributed as dist
from lightning_fabric.strategies import ModelParallelStrategy
from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard

from pixelwise.config import TrainConfig
from pixelwise.errors import ConfigError

LEAST = 1_000_000
"""Layers with fewer parameters than this are gathered together with those around them: each gathering has
its price, whatever its size."""

MOST = 8_000_000
"""Blocks with more parameters than this are gathered in parts, since what is gathered takes room."""

_ANSWER_VIEWS = (
    "Heads|Stage|Block|EfficientAttention|MixFFN|SelfAttention|MLP|Upscaling|Pointwise|ChannelNorm"
)
"""Layers of ours that answer with a view of what they computed."""

_PROBE = (32, 32)
"""Height and width of the picture that shows which layers are called."""


def sharded_strategy(ranks: int) -> ModelParallelStrategy:
    """Lightning's strategy for FSDP2, over all ranks; it works on processors as on GPUs."""
    return ModelParallelStrategy(_shard_all, data_parallel_size=ranks, tensor_parallel_size=1)


def check_sharded(config: TrainConfig, precision: str, ranks: int) -> bool:
    """Whether the network is to be in shards: one rank alone has nothing to share out.

    Raises:
        ConfigError: It would train in float16, whose scaled gradients Fabric knows whole only, or compiled,
            where every gathering would cut the network into graphs of their own.
    """
    if config.strategy != "fsdp" or ranks == 1:
        return False
    if config.compile:
        raise ConfigError(
            "--compile is for networks that each device has whole: leave it away, or use --strategy ddp"
        )
    if precision == "float16":
        asked = "that was asked for" if config.precision == "float16" else "which auto takes on this GPU"
        raise ConfigError(
            f"--strategy fsdp trains in float32 and bfloat16, not in float16, {asked}: add "
            "--precision float32, or use --strategy ddp"
        )
    return True


def shard(module: nn.Module, mesh: DeviceMesh) -> nn.Module:
    """Shards a module in place over the ranks of a mesh and returns it; its parameters are new objects.

    Args:
        module: `Heads` of a network, which is always called.
        mesh: Of one dimension.
    """
    # It is about what the caller does with the answer, and nobody writes into logits, nor into the maps that
    # our linear layers turn round. Layers of others still warn.
    views = rf"FSDP2-wrapped module \(FSDP({_ANSWER_VIEWS})\) returned a view"
    warnings.filterwarnings("ignore", message=views)
    # Shards are rows of the parameters, so these must lie in memory row by row.
    module.to(memory_format=torch.contiguous_format)  # pyright: ignore[reportCallIssue]
    for group in groups(module, least=LEAST, most=MOST):
        fully_shard(group, mesh=mesh)
    fully_shard(module, mesh=mesh)  # what is left over
    return module


def groups(module: nn.Module, *, least: int, most: int) -> list[nn.Module]:
    """The layers whose parameters are gathered together, inner ones first; what is left is gathered at once.

    Args:
        module: `Heads` of a network.
        least: Parameters that a group has at least; the rest belongs to whatever is around it.
        most: Parameters above which a block's own blocks become groups.
    """
    found: list[nn.Module] = []
    called = _called(module)

    def visit(layer: nn.Module) -> int:
        """Adds the groups in a layer, and says how many of its parameters they leave."""
        size = sum(p.numel() for p in layer.parameters())
        if size < least:
            return size
        left = size
        if size > most or layer not in called:
            own = sum(p.numel() for p in layer.parameters(recurse=False))
            left = own + sum(visit(child) for child in layer.children())
        if layer not in called or left < least:
            return left
        found.append(layer)
        return 0

    for network in module.children():
        for child in network.children():
            visit(child)
    return found


@torch.no_grad()
def _called(module: nn.Module) -> set[nn.Module]:
    """The layers that a picture goes through by their `forward`, in training and in evaluation.

    Nobody would gather the parameters of others: some networks and layers have other ways through, such as
    `forward_with_indices` and `after_upsampling`, and lists have none. Which way is taken cannot be read off
    a layer, so a small picture is sent through.
    """
    modes = {layer: layer.training for layer in module.modules()}
    picture = torch.zeros(1, 3, *_PROBE, device=next(module.parameters()).device)
    seen: list[nn.Module] = []

    def note(layer: nn.Module, _: object) -> None:
        seen.append(layer)

    hooks = [layer.register_forward_pre_hook(note) for layer in modes]
    passes: list[set[nn.Module]] = []
    module.eval()
    for training in (True, False):
        module.training = training  # of `Heads` alone: auxiliary heads speak, and no statistics move
        module(picture)
        passes.append(set(seen))
        seen.clear()
    for hook in hooks:
        hook.remove()
    for layer, mode in modes.items():
        layer.training = mode
    return set.intersection(*passes)


def fold(module: nn.Module) -> None:
    """Leaves every rank with its part alone, after a pass that no backward pass followed."""
    for layer in module.modules():
        if isinstance(layer, FSDPModule):
            layer.reshard()


def _shard_all(module: nn.Module, mesh: Any) -> nn.Module:
    """Over the group of all ranks: Fabric's own mesh has groups that wait for a lost rank too long."""
    world = dist.group.WORLD
    assert world is not None  # noqa: S101 - Fabric has launched
    return shard(module, DeviceMesh.from_group(world, mesh.device_type))
