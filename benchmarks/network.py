"""One network as `pixelwise train` and `pixelwise predict` set it up, a step at a time; for whole processes.

Used by `models_contestants.py` and `train_speed_networks.py`. Pictures and masks are drawn once: knows no
data, no augmentation and no validation.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from machine import peak_rate

if TYPE_CHECKING:
    from torch import nn

CLASSES = 21


def ours(name: str, arguments: Sequence[str] = ()) -> Callable[[], nn.Module]:
    """Builds a network of `pixelwise models`, with arguments as `--model-args` has them."""

    def build() -> nn.Module:
        from pixelwise.models import build_model
        from pixelwise.nn.arguments import parse_arguments

        return build_model(name, num_classes=CLASSES, arguments=parse_arguments(arguments), seed=0)

    return build


class Network:
    """A network with its optimizer and a batch of pictures, channels_last, in the numbers of this processor.

    Made before torch allocates anything, since the process' allocator is told to keep large blocks.

    Args:
        build: The network, one of ours or any other that takes `(N, 3, H, W)` and answers with logits.
        size: Height and width of the pictures.
        batch: How many there are.

    Attributes:
        facts: What a result must say of it.
    """

    def __init__(self, build: Callable[[], nn.Module], *, size: int, batch: int) -> None:
        from pixelwise.torch_runtime import choose_precision, keep_large_blocks

        keep_large_blocks()  # before torch allocates anything
        import torch

        from pixelwise.config import TrainConfig
        from pixelwise.training.objective import build_objective
        from pixelwise.training.rmsprop import KerasRMSprop

        precision, why = choose_precision(torch.device("cpu"))
        network = build()
        self._objective = build_objective(network, TrainConfig(), None)
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
        with torch.inference_mode(), self._numbers():
            self._network(self._pictures)

    def train(self) -> None:
        """A step: forward, cross-entropy (and what auxiliary heads add), backward and RMSprop."""
        from pixelwise.models.auxiliary import forward_with_auxiliary

        self._network.train()
        with self._numbers():
            outputs = forward_with_auxiliary(self._network, self._pictures)
        _, loss = self._objective(outputs, self._masks)
        loss.backward()
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

    def _numbers(self) -> Any:
        import torch

        return torch.autocast("cpu", torch.bfloat16, enabled=self._half)


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
