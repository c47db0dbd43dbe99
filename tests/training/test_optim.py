"""Learning-rate courses by hand, and which parameters decay."""

from __future__ import annotations

import math

import pytest
import torch

from pixelwise.config import TrainConfig
from pixelwise.training.optim import build_optimizer, learning_rate, set_learning_rate


def test_constant_never_moves() -> None:
    config = TrainConfig(lr=0.5)
    assert {learning_rate(step, 10, config) for step in range(10)} == {0.5}


def test_warm_up_rises_in_equal_parts() -> None:
    # Three warm-up steps: a quarter, a half, three quarters, then all of it.
    config = TrainConfig(lr=0.4, warmup_steps=3)
    assert [learning_rate(step, 10, config) for step in range(5)] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4])


def test_cosine_by_hand() -> None:
    # Four steps: cos of 0, 45, 90 and 135 degrees.
    config = TrainConfig(lr=2.0, schedule="cosine")
    expected = [1 + math.cos(math.radians(angle)) for angle in (0, 45, 90, 135)]
    assert [learning_rate(step, 4, config) for step in range(4)] == pytest.approx(expected)
    assert learning_rate(4, 4, config) == pytest.approx(0)


def test_poly_by_hand() -> None:
    config = TrainConfig(lr=1.0, schedule="poly", warmup_steps=2)
    # After two warm-up steps eight are left; at step 6 half of them is done.
    assert learning_rate(6, 10, config) == pytest.approx(0.5**0.9)
    assert learning_rate(10, 10, config) == 0


@pytest.mark.parametrize("name", ["rmsprop", "adamw", "sgd"])
def test_only_kernels_decay_and_steps_move_every_parameter(name: str) -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    config = TrainConfig(optimizer=name, weight_decay=0.1)  # pyright: ignore[reportArgumentType]
    optimizer = build_optimizer(network, config)
    decayed = [p for group in optimizer.param_groups if group["weight_decay"] for p in group["params"]]
    assert [tuple(p.shape) for p in decayed] == [(4, 3, 3, 3)]
    before = [p.detach().clone() for p in network.parameters()]
    set_learning_rate(optimizer, 0.01)
    (network(torch.rand(2, 3, 8, 8)) * torch.rand(2, 4, 6, 6)).sum().backward()
    optimizer.step()
    moved = [not torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True)]
    # A bias before a batch normalisation has no gradient but rounding, so it alone may stay.
    assert moved[0]
    assert all(moved[2:])
