"""One network as `pixelwise train` and `pixelwise predict` set it up, a step at a time; for whole processes.

Used by `models.py` and `train_speed_networks.py`. Pictures and masks are drawn once: knows no data, no
augmentation and no validation.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from typing import Any

from machine import peak_rate

CLASSES = 21


class Network:
    """A network with its optimizer and a batch of pictures, channels_last, in the numbers of this processor.

    Made before torch allocates anything, since the process' allocator is told to keep large blocks.

    Attributes:
        facts: What a result must say of it.
    """

    def __init__(self, name: str, *, size: int, batch: int) -> None:
        from pixelwise.torch_runtime import choose_precision, keep_large_blocks

        keep_large_blocks()  # before torch allocates anything
        import torch

        from pixelwise.models import build_model
        from pixelwise.training.rmsprop import KerasRMSprop

        precision, why = choose_precision(torch.device("cpu"))
        network = build_model(name, num_classes=CLASSES, seed=0)
        self._network = network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self._optimizer = KerasRMSprop([p for p in network.parameters() if p.requires_grad], lr=1e-4)
        generator = torch.Generator().manual_seed(0)
        pictures = torch.randint(0, 256, (batch, 3, size, size), generator=generator).float()
        self._pictures = pictures.contiguous(memory_format=torch.channels_last)
        self._masks = torch.randint(0, CLASSES, (batch, size, size), generator=generator).to(torch.uint8)
        self._half, self._size = precision == torch.bfloat16, (size, size)
        numbers = "bfloat16" if self._half else "float32"
        self.facts = {"precision": why, "peak_of": numbers, "torch": torch.__version__}

    def predict(self) -> None:
        """The batch forward, without gradients."""
        import torch

        self._network.eval()
        with torch.inference_mode():
            self._forward()

    def train(self) -> None:
        """A step: forward, cross-entropy, backward and RMSprop."""
        from pixelwise.losses import cross_entropy

        self._network.train()
        cross_entropy(self._forward(), self._masks).backward()
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)

    def peak(self) -> float:
        """Multiply-adds a second of fat convolutions, now, in the numbers that the network computes in."""
        return peak_rate(half=self._half)

    def multiply_adds(self, *, published: bool) -> int:
        """Of a picture's way forward: through the published graph, or through the one that is computed."""
        from pixelwise.models.summary import multiply_adds

        return multiply_adds(self._network, self._size, published=published)

    def parameters(self) -> int:
        """As Keras counts them."""
        from pixelwise.models.summary import count_parameters

        return count_parameters(self._network)

    def _forward(self) -> Any:
        import torch

        with torch.autocast("cpu", torch.bfloat16, enabled=self._half):
            return self._network(self._pictures)


def timed(step: Callable[[], None], count: int) -> list[float]:
    """Seconds of each of `count` calls, after one to warm up."""
    step()
    return [time_of(step) for _ in range(count)]


def time_of(step: Callable[[], None]) -> float:
    """Seconds of a call."""
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def peak_memory() -> float:
    """The most memory that this process ever held, in MiB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)  # Linux counts in KiB
