"""Device, precision and compilation: the network as Lightning Fabric runs it. Knows no data and no loop."""

from __future__ import annotations

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from pixelwise.config import TrainConfig
from pixelwise.errors import ConfigError, PixelwiseError
from pixelwise.models.auxiliary import forward_with_auxiliary
from pixelwise.torch_runtime import choose_precision

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
    return Fabric(accelerator=device.type, devices=1, precision=_FABRIC_PRECISION[precision])  # pyright: ignore[reportArgumentType]


class Heads(nn.Module):
    """A network whose answer is a list: its logits, and in training those of its auxiliary heads."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> list[Tensor]:
        """`(N, 3, H, W)` raw RGB to logits `(N, K, H, W)`, the network's own first."""
        if self.training:
            return forward_with_auxiliary(self.network, x)
        return [self.network(x)]


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
