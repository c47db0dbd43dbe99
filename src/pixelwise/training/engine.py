"""Device, ranks, precision and compilation: the network as Lightning Fabric runs it.

Knows no data and no loop.
"""

from __future__ import annotations

import atexit
import datetime
import inspect
import os

import torch
import torch.distributed as dist
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from lightning_fabric.strategies import DDPStrategy, ParallelStrategy
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from pixelwise.config import TrainConfig
from pixelwise.errors import ConfigError, PixelwiseError
from pixelwise.models.auxiliary import forward_with_auxiliary
from pixelwise.nn.outputs import LOGITS
from pixelwise.torch_runtime import choose_precision
from pixelwise.training.launch import Launch
from pixelwise.training.sharding import sharded_strategy

MEETING_SECONDS = 1800.0
"""How long ranks wait for each other at the start."""

_FABRIC_PRECISION = {"float32": "32-true", "bfloat16": "bf16-mixed", "float16": "16-mixed"}


def decide_precision(config: TrainConfig, device: torch.device) -> tuple[str, str]:
    """`float32`, `bfloat16` or `float16`, and why, for the log.

    Raises:
        ConfigError: float16 on a processor, which has no fast arithmetic for it.
    """
    if config.precision == "float16" and device.type != "cuda":
        raise ConfigError(
            f"--precision float16 is for CUDA GPUs, and this trains on {device.type}: use auto, which takes "
            "bfloat16 where the processor computes it"
        )
    if config.precision != "auto":
        return config.precision, f"{config.precision}: asked for"
    dtype, why = choose_precision(device)
    return str(dtype).removeprefix("torch."), why


def make_fabric(device: torch.device, precision: str) -> Fabric:
    """Fabric on one device; with float16 it scales the loss, so that small gradients are not lost."""
    return Fabric(
        accelerator=device.type,
        devices=1 if device.index is None else [device.index],
        precision=_FABRIC_PRECISION[precision],  # pyright: ignore[reportArgumentType]
        plugins=[LightningEnvironment()],  # a cluster's own would refuse to be used for one process
    )


def join_fabric(
    device: torch.device, precision: str, launch: Launch, *, seconds: float, sharded: bool = False
) -> Fabric:
    """Fabric as one of several ranks, when all of them have come; DDP or FSDP adds their gradients up.

    Args:
        device: Its type counts: each rank has a GPU of its own, or a share of the processor.
        precision: As `decide_precision` gives it.
        launch: How the ranks were started.
        seconds: How long a sum over the ranks may take.
        sharded: Networks are set up in shards (FSDP).
    """
    environment = cluster_environment(launch)
    _meet(device, launch, environment, seconds)
    fabric = Fabric(
        accelerator=device.type,
        devices=launch.devices,
        num_nodes=launch.nodes,
        strategy=sharded_strategy(launch.ranks) if sharded else _replicated(),
        precision=_FABRIC_PRECISION[precision],  # pyright: ignore[reportArgumentType]
        plugins=[environment],
    )
    fabric.launch()
    return fabric


def _replicated() -> ParallelStrategy:
    """DDP. Buffers are the same everywhere already: running statistics are those of the whole batch."""
    newer = "forward_sync_buffers" in inspect.signature(DistributedDataParallel).parameters
    quiet = {"forward_sync_buffers" if newer else "broadcast_buffers": False}
    return DDPStrategy(gradient_as_bucket_view=True, **quiet)  # pyright: ignore[reportArgumentType]


def _meet(device: torch.device, launch: Launch, environment: ClusterEnvironment, seconds: float) -> None:
    """Makes the process group, which Fabric then finds.

    Fabric would give the meeting as little time as a sum, and machines start minutes apart.
    """
    if dist.is_initialized():
        return
    os.environ["MASTER_ADDR"] = environment.main_address
    os.environ["MASTER_PORT"] = str(environment.main_port)
    patience = datetime.timedelta(seconds=MEETING_SECONDS)
    meeting = dist.rendezvous("env://", rank=launch.rank, world_size=launch.ranks, timeout=patience)
    store = next(iter(meeting))[0]
    store.set(f"come {launch.rank}", "")
    store.wait([f"come {rank}" for rank in range(launch.ranks)], patience)
    backend, own = process_group(device, environment.local_rank())
    dist.init_process_group(
        backend,
        store=dist.PrefixStore("training", store),
        rank=launch.rank,
        world_size=launch.ranks,
        timeout=datetime.timedelta(seconds=seconds),
        device_id=own,
    )
    if own is not None:  # NCCL complains of groups that are left open
        atexit.register(dist.destroy_process_group)


def process_group(device: torch.device, local: int) -> tuple[str, torch.device | None]:
    """The backend of the ranks' sums, and the GPU that it is bound to.

    Args:
        device: Its type counts.
        local: The rank's number on its machine, that of its GPU, as its launcher says: numbers among all
            ranks need not follow the machines (SLURM's cyclic distribution).
    """
    if device.type == "cuda":
        return "nccl", torch.device("cuda", local)
    return "gloo", None


def check_devices(device: torch.device, launch: Launch) -> None:
    """Refuses more ranks on a machine than it has GPUs.

    Raises:
        ConfigError: They are too few.
    """
    found = torch.cuda.device_count() if device.type == "cuda" else launch.devices
    if found >= launch.devices:
        return
    if launch.by == "SLURM":
        raise ConfigError(
            f"{launch.devices} tasks on each machine need {launch.devices} GPUs that each of them sees, and "
            f"this one sees {found}: ask with --gres=gpu:{launch.devices}, without --gpus-per-task"
        )
    raise ConfigError(
        f"{launch.devices} devices were asked for, but torch sees {found} CUDA GPU{'s' * (found != 1)}: use "
        f"--devices {found}, or --device cpu to train with processes on the processor"
    )


def cluster_environment(launch: Launch) -> ClusterEnvironment:
    """Where Lightning finds the ranks' numbers and their meeting place."""
    if launch.by == "torchrun":
        return TorchElasticEnvironment()
    return SLURMEnvironment() if launch.by == "SLURM" else LightningEnvironment()


class Heads(nn.Module):
    """A network that answers by name: its logits, and in training what its auxiliary heads say."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """`(N, 3, H, W)` raw RGB to outputs as `nn.outputs` names them, all at that size."""
        if self.training:
            return forward_with_auxiliary(self.network, x)
        return {LOGITS: self.network(x)}


def set_up(network: nn.Module, fabric: Fabric, config: TrainConfig) -> nn.Module:
    """The network as Fabric runs it: its answers a list (`Heads`), compiled where the config asks for it."""
    return fabric.setup_module(compiled(Heads(network), config))


def compiled(module: nn.Module, config: TrainConfig) -> nn.Module:
    """The module, through torch.compile where the config asks for it; its weights stay the module's own."""
    return torch.compile(module) if config.compile else module  # pyright: ignore[reportReturnType]


def compile_failure(error: Exception, config: TrainConfig) -> PixelwiseError | None:
    """What to say of an error that torch.compile raised; None if it is none."""
    module = type(error).__module__
    if not config.compile or not module.startswith(("torch._dynamo", "torch._inductor")):
        return None
    reason = " ".join(str(error).split("\n\n")[0].split())  # torch's advice to developers follows
    return PixelwiseError(f"torch.compile failed on this machine ({reason}): leave --compile away")
