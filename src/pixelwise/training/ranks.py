"""The processes that train together: what they add up, agree on and wait for. Knows no network and no file.

Every method is called by all ranks or by none, in the same order. One process alone needs no process group,
and every method is then what it would be without ranks.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from lightning_fabric import Fabric
from torch import Tensor

from pixelwise.data.share import Share
from pixelwise.errors import PixelwiseError

STEP_SECONDS = 50.0
"""A rank that does not come to a sum of a training step within this time is taken for lost."""

COMPILE_SECONDS = 600.0
"""The same where `torch.compile` works within the steps."""

_PATIENCE = datetime.timedelta(hours=24)
"""For waits of unknown length, such as for pictures being prepared; a process that died is noticed anyway."""

_LOST = re.compile(
    r"gloo|nccl|connection (closed|reset|refused)|broken pipe|timed out waiting|process group"
    r"|application timeout",
    re.IGNORECASE,
)


class RankLostError(PixelwiseError):
    """Another process of the run died, or its machine cannot be reached any more."""


class Ranks:
    """This process among those that train together.

    Args:
        rank: Its number, from 0; the first one writes the run's files.
        count: How many there are.
        local: Its number on its machine.
        seconds: How long a sum may wait for the others.

    Attributes:
        present: Whether what goes through the network now counts; see `SyncedBatchNorm`.
    """

    def __init__(
        self, *, rank: int = 0, count: int = 1, local: int = 0, seconds: float = STEP_SECONDS
    ) -> None:
        self.rank, self.count, self.local = rank, count, local
        self.present = True
        self._prompt: Any = None
        self._patient: Any = None
        if count > 1:
            # On the processor: they wait for processes and not for what a GPU has still to do.
            prompt = datetime.timedelta(seconds=seconds)
            self._prompt = dist.new_group(backend="gloo", timeout=prompt)
            self._patient = dist.new_group(backend="gloo", timeout=_PATIENCE)

    @staticmethod
    def of(fabric: Fabric, *, seconds: float = STEP_SECONDS) -> Ranks:
        """Those of a launched Fabric."""
        return Ranks(
            rank=fabric.global_rank, count=fabric.world_size, local=fabric.local_rank, seconds=seconds
        )

    @property
    def first(self) -> bool:
        """Whether this is the rank that writes and speaks."""
        return self.rank == 0

    def share(self, *, unit: int = 1) -> Share:
        """The part of the data that is this rank's."""
        return Share(self.rank, self.count, unit)

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum over the ranks, bit for bit the same on all of them; on the tensor's device."""
        if self.count == 1:
            return tensor
        total = tensor.detach().clone().contiguous()
        dist.all_reduce(total)
        return total

    def gather(self, tensor: Tensor) -> Tensor:
        """`(ranks, *shape)`: the tensor of every rank."""
        parts = [torch.empty_like(tensor) for _ in range(self.count)]
        dist.all_gather(parts, tensor.contiguous())
        return torch.stack(parts)

    def largest(self, *numbers: int) -> tuple[int, ...]:
        """For each number the largest that a rank gave: how they agree to stop, or to save."""
        if self.count == 1:
            return numbers
        found = torch.tensor(numbers, dtype=torch.int64)
        dist.all_reduce(found, dist.ReduceOp.MAX, group=self._prompt)
        return tuple(found.tolist())

    def wait(self) -> None:
        """Until all ranks have come here, however long that takes."""
        if self.count > 1:
            dist.all_reduce(torch.zeros(1), group=self._patient)

    def tell(self, value: Any) -> Any:
        """The first rank's value, plain JSON values, on all ranks; however long it takes to have one."""
        if self.count == 1:
            return value
        content = json.dumps(value).encode() if self.first else b""
        length = torch.tensor([len(content)])
        dist.broadcast(length, 0, group=self._patient)
        text = torch.zeros(int(length), dtype=torch.uint8)
        if self.first:
            text.copy_(torch.frombuffer(bytearray(content), dtype=torch.uint8))
        dist.broadcast(text, 0, group=self._patient)
        return json.loads(bytes(text.tolist()))

    def write(self, action: Callable[[], None]) -> None:
        """Lets the first rank write while the others wait."""
        if self.first:
            action()
        self.wait()

    @contextmanager
    def in_turn(self) -> Generator[None, None, None]:
        """The block runs on one rank of each machine first, then on the others: they find its files."""
        if self.local:
            self.wait()
            yield
        else:
            yield
            self.wait()


ALONE = Ranks()
"""One process that trains by itself."""


def lost(error: BaseException) -> str | None:
    """Why an error means that another rank is gone, in words; None where it means something else."""
    named = isinstance(error, (dist.DistError,))
    if not named and not (isinstance(error, RuntimeError) and _LOST.search(str(error))):
        return None
    reason = str(error).strip().splitlines() or [type(error).__name__]
    # Without its place in the source, and without the advice to developers that follows.
    return re.sub(r"^\[[^\]]*\]\s*", "", reason[0]).split(". ")[0]
