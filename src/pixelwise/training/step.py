"""One update of the weights: a batch in pieces through the network, gradients added up, one optimiser step.

Ranks have a share of the batch each, in as many pieces as the others, and DDP or FSDP adds their gradients
up. Knows neither epochs nor files; where a step stands in the run is handed in.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from pixelwise.training.objective import Objective
from pixelwise.training.ranks import ALONE, Ranks
from pixelwise.types import IGNORE


@dataclass(frozen=True)
class Update:
    """What one step gave: the loss of the network's own logits, and the weight of its pixels."""

    loss: float
    weight: float


@dataclass(frozen=True)
class Stepper:
    """Moves the weights.

    Attributes:
        fabric: Device, precision, backward.
        engine: `Heads` of the network as Fabric runs it.
        optimizer: As Fabric steps it.
        objective: What is minimised.
        micro_batch: Pictures that go through the network at once; None for the whole batch.
        clip_norm: Largest norm of the gradient; None for any.
        ranks: Who else has a share of the batch.
        sharded: The network is in shards, one a rank.
    """

    fabric: Fabric
    engine: nn.Module
    optimizer: torch.optim.Optimizer
    objective: Objective
    micro_batch: int | None
    clip_norm: float | None
    ranks: Ranks = ALONE
    sharded: bool = False

    def backward(
        self, images: Tensor, masks: Tensor, *, seed: tuple[int, ...], largest: int | None = None
    ) -> Update:
        """Leaves the batch's gradients in the parameters.

        A mean over pixels comes out as if the batch had gone through at once, because each piece counts by
        its pixels; terms that are no such mean (dice) are averaged, and batch normalisation sees the pieces.
        The same holds for the shares of ranks, but that batch normalisation sees them together.

        Args:
            images: `(N, 3, H, W) float32`: this rank's share of the batch, which may be empty.
            masks: `(N, H, W) uint8`, 255 = ignore.
            seed: Decides what the network draws (dropout).
            largest: Pictures of the largest share; ours where not given.
        """
        size = self.micro_batch or max(largest or 0, len(images))
        count = -(-max(largest or 0, len(images)) // size)
        pieces = list(zip(images.split(size), masks.split(size), strict=True)) if len(images) else []
        absent = count - len(pieces)
        pieces += [_nothing(images)] * absent
        weights = torch.stack([self.objective.weight(piece) for _, piece in pieces])
        weight = self.ranks.sum(weights.sum())
        # A batch without any counted pixel has a loss of zero, whatever the shares.
        shares = (weights / weight.clamp(min=1e-12)).float()
        whole = count == self.ranks.count == 1
        total = torch.zeros((), device=images.device)
        # Ranks draw for different pictures, and must not draw the same.
        with _drawing(images.device, (*seed, self.ranks.rank) if self.ranks.rank else seed):
            for number, (share, (image, mask)) in enumerate(zip(shares, pieces, strict=True)):
                self.ranks.present = number < count - absent
                with self._summed(last=number == count - 1):
                    own, minimised = self.objective(self.engine(image), mask)
                    # One piece is the batch: no share of it is rounded. Gradients are the ranks' mean.
                    self.fabric.backward(minimised if whole else minimised * (share * self.ranks.count))
                total += own.detach() * (1 if whole else share)
        self.ranks.present = True
        return Update(float(self.ranks.sum(total)), float(weight))

    def _summed(self, *, last: bool) -> AbstractContextManager[None]:
        """The ranks' gradients are added up once a step, in the backward pass of the last piece.

        Those of a network in shards are added up with every piece: to wait would take room for all of them.
        """
        if self.ranks.count == 1 or self.sharded:
            return nullcontext()
        return self.fabric.no_backward_sync(self.engine, enabled=not last)  # pyright: ignore[reportArgumentType]

    def step(self) -> None:
        """Moves the weights along the gradients, and clears them."""
        if self.clip_norm is not None:
            # With float16 the gradients may be infinite: the step is then left out, and the scale lowered.
            self.fabric.clip_gradients(
                self.engine, self.optimizer, max_norm=self.clip_norm, error_if_nonfinite=False
            )
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)


def _nothing(images: Tensor) -> tuple[Tensor, Tensor]:
    """A picture without a counted pixel, of the batch's size: it costs 0 and has a gradient of zeros."""
    height, width = images.shape[2:]
    image = images.new_zeros(1, 3, height, width).contiguous(memory_format=torch.channels_last)
    return image, torch.full((1, height, width), IGNORE, dtype=torch.uint8, device=images.device)


@contextmanager
def _drawing(device: torch.device, place: tuple[int, ...]) -> Generator[None, None, None]:
    """What the network draws while the block runs (dropout) is a function of the place: seed, epoch, step."""
    seed = int(np.random.SeedSequence(place).generate_state(1, np.uint64)[0] >> 1)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
