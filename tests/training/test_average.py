"""The moving average of the weights, by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pixelwise.training.average import WeightAverage


def test_by_hand() -> None:
    network = nn.Conv2d(1, 1, 1, bias=False)
    nn.init.constant_(network.weight, 8.0)
    average = WeightAverage(network, 0.5)
    seen: list[float] = []
    for step, value in enumerate((0.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0)):
        nn.init.constant_(network.weight, value)
        average.update(network, step)
        seen.append(average.network.weight.item())
    # Decay of step t: min(0.5, (1 + t) / (10 + t)) = 1/10, 2/11, 3/12, …, 8/17, 9/18 = 0.5.
    # Step 0: 8 x 1/10 + 0 x 9/10 = 0.8; step 1: 0.8 x 2/11 + 4 x 9/11 = 3.41818.
    assert seen[:2] == pytest.approx([0.8, 0.8 * 2 / 11 + 4 * 9 / 11])
    # From then on the distance to 4 shrinks by the decay.
    assert seen[8] == pytest.approx(4 - (4 - seen[7]) * 0.5)
    assert seen[7] == pytest.approx(4 - (4 - seen[6]) * 8 / 17)


def test_statistics_are_averaged_counters_copied_and_nothing_is_trained() -> None:
    network = nn.BatchNorm2d(2)
    average = WeightAverage(network, 0.9)
    for step in range(3):
        network(torch.randn(4, 2, 3, 3, generator=torch.Generator().manual_seed(step)) + 5)
        average.update(network, step)
    mean = average.network
    assert mean.num_batches_tracked is not None
    assert mean.num_batches_tracked.item() == 3
    assert mean.running_mean is not None
    assert network.running_mean is not None
    # It trails the statistics, which themselves move from 0 towards 5.
    assert (mean.running_mean > 0).all()
    assert (mean.running_mean < network.running_mean).all()
    assert not mean.training
    assert not any(p.requires_grad for p in mean.parameters())
    assert network.training
