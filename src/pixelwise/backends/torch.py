"""PyTorch: the network itself, eager, which is the reference, and its graph, which takes less work."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from pixelwise.errors import BackendError, ConfigError
from pixelwise.graph import Graph, run
from pixelwise.graph.ops import Op
from pixelwise.torch_runtime import choose_precision


class TorchBackend:
    """Runs a network that keeps the contract of `pixelwise.models`.

    Args:
        network: `(N, 3, H, W)` raw RGB in 0..255 in, `(N, K, H, W)` logits out. It is left in evaluation mode
            on `device`.
        device: Where to run it.
    """

    stride = 1

    def __init__(self, network: torch.nn.Module, device: torch.device) -> None:
        network = network.to(device).eval()
        self.network = network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.device = device

    def logits(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """`(N, H, W, 3) uint8` RGB in, `(N, K, H, W) float32` logits out."""
        with torch.inference_mode():
            # Height, width, channel in memory is what channels_last means: the permutation moves no byte.
            batch = torch.from_numpy(images).to(self.device).permute(0, 3, 1, 2)
            return self.network(batch.float()).float().cpu().numpy()


class FoldedBackend:
    """Runs a network's graph with its weights on a device: the same answers but for rounding, with less work.

    Args:
        graph: Simplified: batch normalisation folded, phases, 1x1 convolutions before upsamplings.
        device: Where to run it.
        compiled: Through `torch.compile`, which takes a minute at each new size and gains on GPUs at most.
        half: Compute in bfloat16 or float16, whichever the device multiplies.

    Raises:
        BackendError: The device has neither. When it is compiled, at the first picture: there is no compiler,
            or it fails.
    """

    def __init__(
        self, graph: Graph, device: torch.device, *, compiled: bool = False, half: bool = False
    ) -> None:
        self.device = device
        self.stride = graph.stride
        self._type, why = choose_precision(device) if half else (torch.float32, "")
        if half and self._type == torch.float32:
            raise BackendError(f"half would gain nothing: {why}")
        self._graph = graph.with_nodes(dataclasses.replace(n, op=_placed(n.op, device)) for n in graph.nodes)
        self._run = torch.compile(self._answer, dynamic=False) if compiled else self._answer
        self._compiled = compiled

    def logits(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """`(N, H, W, 3) uint8` RGB in, `(N, K, h, w) float32` logits out, see `Backend`."""
        with torch.inference_mode():
            batch = torch.from_numpy(images).to(self.device).permute(0, 3, 1, 2)
            try:
                return self._run(batch.float()).float().cpu().numpy()
            except Exception as error:  # whatever a compiler and its tools raise
                if not self._compiled:
                    raise
                lines = str(error).strip().splitlines() or [type(error).__name__]
                raise BackendError(f"torch.compile failed, so go without it: {lines[0]}") from error

    def _answer(self, pictures: torch.Tensor) -> torch.Tensor:
        whole = self._type == torch.float32
        with torch.autocast(self.device.type, None if whole else self._type, enabled=not whole):
            return run(self._graph, pictures)


def _placed(op: Op, device: torch.device) -> Op:
    """An operation whose weights are float32 tensors on a device, laid out as the maps are."""
    arrays = {
        field.name: torch.from_numpy(np.ascontiguousarray(value)).float().to(device)
        for field in dataclasses.fields(op)
        if isinstance(value := getattr(op, field.name), np.ndarray)
    }
    kernels = {
        name: t.contiguous(memory_format=torch.channels_last) for name, t in arrays.items() if t.ndim == 4
    }
    return dataclasses.replace(op, **(arrays | kernels)) if arrays else op


def choose_device(name: Literal["auto", "cpu", "cuda"]) -> torch.device:
    """The device of that name; `auto` is a GPU where there is one.

    Raises:
        ConfigError: A GPU was asked for and there is none.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda was asked for, but torch sees no CUDA GPU: use --device auto")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
