"""A moving average of the weights, which often predicts better than the weights themselves.

Source: B. Polyak, A. Juditsky, "Acceleration of stochastic approximation by averaging", 1992; the exponential
form with its warm-up as TensorFlow's ExponentialMovingAverage has it. Knows no loop and no data.

Where the network is in shards, the average must be in the same ones.
"""

from __future__ import annotations

import copy

import torch
from torch import nn

from pixelwise.training.shards import local


class WeightAverage:
    """Follows a network: after each step, `average += (1 - decay) * (weights - average)`.

    Running statistics of batch normalisation are averaged like weights; counters are copied. In the first
    steps the decay is `(1 + step) / (10 + step)` where that is smaller, so that the average does not keep
    the random beginning for thousands of steps.

    Args:
        network: What is followed; the average starts as a copy of it, on its device.
        decay: Share of the average that a step keeps, below 1.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Takes in the weights after step `step`, counted from 0 since training began."""
        decay = min(self._decay, (1 + step) / (10 + step))
        averages, weights = [], []
        for average, weight in zip(_tensors(self.network), _tensors(network), strict=True):
            if average.is_floating_point():
                averages.append(average)
                weights.append(weight.detach())
            else:
                average.copy_(weight)
        torch._foreach_lerp_(averages, weights, 1 - decay)


def _tensors(network: nn.Module) -> list[torch.Tensor]:
    return [*map(local, network.parameters()), *network.buffers()]
