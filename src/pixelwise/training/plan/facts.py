"""What the decisions of a plan know: the data, the network, what a pixel costs, what there is to spend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pixelwise.data.statistics import Statistics

HELD = 64
"""Bytes that each pixel of a whole step takes besides the network: the batches that wait as bytes, and the
batch as float32 before and after its augmentation. Only the rest grows with the micro-batch."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """What matters of a network.

    Attributes:
        name: As `pixelwise models` has it.
        stride: Sides that are multiples of it need no padding.
        native_stride: Of its own logits, before they are enlarged.
        has_encoder: Whether its encoder can learn at another pace.
        fewest: Pictures that it needs to train at once: 2 where batch normalisation meets a map of one pixel.
        slow_norms: Whether running statistics follow the batches slowly, as Keras' do.
        transformer: Whether it is one, which wants smaller steps.
    """

    name: str
    stride: int
    native_stride: int
    has_encoder: bool
    fewest: int
    slow_norms: bool
    transformer: bool


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What one trial took.

    Attributes:
        train_pixels: Those that went through the network at once.
        held_pixels: Those of the whole step, before any crop.
        val_pixels: Those of the validated batch.
        train_peak: Bytes, at most, with training.
        val_peak: Bytes, at most, with validation alone.
        peak: Bytes, at most, with a validation after training.
    """

    train_pixels: int
    held_pixels: int
    val_pixels: int
    train_peak: int
    val_peak: int
    peak: int


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Memory and time as straight lines in pixels.

    Attributes:
        base: Bytes without any picture: libraries, weights, the optimiser's state.
        val_base: The same for validation, which finds the memory as training has left it.
        train_bytes: For each pixel that trains at once.
        val_bytes: For each pixel that validates at once.
        train_seconds: For each pixel trained.
        val_seconds: For each pixel validated.
    """

    base: float
    val_base: float
    train_bytes: float
    val_bytes: float
    train_seconds: float
    val_seconds: float

    def trains(self, budget: float, *, pixels: int, held: int) -> int:
        """Pictures of so many pixels that train at once within a budget, while a step holds `held` pixels."""
        return max(0, math.floor((budget - self.base - HELD * held) / (self.train_bytes * pixels)))

    def train_need(self, *, pixels: int, held: int) -> float:
        """Bytes that a step takes of which so many pixels train at once."""
        return self.base + self.train_bytes * pixels + HELD * held

    def val_need(self, *, pixels: int) -> float:
        """Bytes that a validated batch of so many pixels takes."""
        return self.val_base + (self.val_bytes + HELD) * pixels

    def validates(self, budget: float, *, pixels: int) -> int:
        """Pictures of so many pixels that validate at once within a budget."""
        return max(0, math.floor((budget - self.val_base) / ((self.val_bytes + HELD) * pixels)))


def fit_cost(seen: Sequence[Seen], *, train_seconds: float, val_seconds: float) -> Cost:
    """The lines through the least and the greatest trial, raised until none of the trials lies above.

    Args:
        seen: Trials of at least two sizes.
        train_seconds: For each pixel trained.
        val_seconds: For each pixel validated.
    """
    train = [(s.train_pixels, s.train_peak - HELD * s.held_pixels) for s in seen]
    val = [(s.val_pixels, s.val_peak - HELD * s.val_pixels) for s in seen]
    train_bytes, val_bytes = _slope(train), _slope(val)
    base = max(peak - train_bytes * pixels for pixels, peak in train)
    # Where validation took more than the training before it, memory was in pieces too small for its maps.
    above = [s.peak - (val_bytes + HELD) * s.val_pixels for s in seen if s.peak > s.train_peak]
    return Cost(
        base=base,
        val_base=max([base, *above]),
        train_bytes=train_bytes,
        val_bytes=val_bytes,
        train_seconds=train_seconds,
        val_seconds=val_seconds,
    )


def _slope(points: list[tuple[int, int]]) -> float:
    """Bytes a pixel; at least those of the logits' first copy, where the trials are too small to tell."""
    (x0, y0), (x1, y1) = min(points), max(points)
    return max(16.0, (y1 - y0) / (x1 - x0)) if x1 > x0 else 16.0


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All of it.

    Attributes:
        data: What the pictures are like.
        network: What is trained.
        cost: What a pixel takes.
        budget: Bytes to spend.
        processor: Whether there is no GPU: more pictures at once are then no faster.
    """

    data: Statistics
    network: Network
    cost: Cost
    budget: int
    processor: bool
