"""What the training loop works on, in one place. Holds the parts and does nothing with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch

from pixelwise.config import TrainConfig
from pixelwise.data.prepared import Prepared
from pixelwise.metrics import Metrics
from pixelwise.training.average import WeightAverage
from pixelwise.training.checkpoint import Progress
from pixelwise.training.events import Listener
from pixelwise.training.log import Log
from pixelwise.training.ranks import Ranks
from pixelwise.training.step import Stepper
from pixelwise.types import Classes

WEIGHTS, AVERAGE = "weights", "average"
"""The two models of an epoch: what training moves, and its moving average."""


@dataclass(frozen=True)
class Job:
    """What the loop works on; put together by `train`.

    Attributes:
        config: The settings.
        classes: Names of the train ids.
        train: Training pictures at the network's size.
        val: Validation pictures at the network's size.
        stepper: Moves the weights.
        network: The network itself, on its device; its state is what is saved.
        frozen: Its layers that stay in evaluation mode.
        average: The moving average of its weights, and that as Fabric runs it; None where none is kept.
        progress: Where the run stands; the loop moves it.
        save_checkpoint: Writes the state.
        save_models: Writes the models of an epoch; the scores are those of the weights and of their average,
            and the name is that of the one which is the best so far, if any is.
        log: Writes history, curves, examples and what else logs.
        listener: Hears of everything.
        warned: Kinds of trouble that the last epoch had, so that each is not told in every epoch.
    """

    config: TrainConfig
    classes: Classes
    train: Prepared
    val: Prepared
    stepper: Stepper
    network: torch.nn.Module
    frozen: tuple[torch.nn.Module, ...]
    average: tuple[WeightAverage, torch.nn.Module] | None
    progress: Progress
    save_checkpoint: Callable[[], None]
    save_models: Callable[[Mapping[str, Metrics], str | None], None]
    log: Log
    listener: Listener
    warned: set[str] = field(default_factory=set[str])

    @property
    def ranks(self) -> Ranks:
        """Who else trains."""
        return self.stepper.ranks

    @property
    def sharded(self) -> bool:
        """Whether the network is in shards, so that all ranks must run it together."""
        return self.stepper.sharded

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.stepper.fabric.device


def steps_per_epoch(pictures: int, batch_size: int) -> int:
    """Steps of an epoch; the last one takes what is left over."""
    return -(-pictures // batch_size)
