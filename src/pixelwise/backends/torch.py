"""The reference runtime: the network itself, eager, in evaluation mode, channels_last on the processor."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch


class TorchBackend:
    """Runs a network that keeps the contract of `pixelwise.models`.

    Args:
        network: `(N, 3, H, W)` raw RGB in 0..255 in, `(N, K, H, W)` logits out. It is left in evaluation mode
            on `device`.
        device: Where to run it.
    """

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
