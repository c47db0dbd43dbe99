"""The layer table and the count of multiply-adds, on networks small enough to count by hand."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.models import MODELS, build_model
from pixelwise.models.auxiliary import drop_auxiliary
from pixelwise.models.summary import Layer, count_parameters, multiply_adds, summarize
from pixelwise.models.unet_xception import UNetXception
from pixelwise.nn.upsample import Add


class Small(nn.Module):
    """A convolution, its normalisation, and their sum; and a layer that never runs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.add = Add()
        self.unused = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return self.add(self.norm(x), x)


def test_rows_by_hand() -> None:
    summary = summarize(Small(), (8, 6))
    assert summary.rows == (
        Layer("conv", "Conv2d", (4, 3, 4), 3 * 4 * 9 + 4, 0, ()),
        Layer("norm", "BatchNorm2d", (4, 3, 4), 16, 8, ("conv",)),
        Layer("add", "Add", (4, 3, 4), 0, 0, ("norm", "conv")),
    )
    assert summary.parameters == 112 + 16 + 6
    assert summary.trainable == 112 + 8 + 6
    assert count_parameters(Small()) == summary.parameters


def test_frozen_weights_are_not_trainable() -> None:
    network = Small()
    network.conv.requires_grad_(False)
    assert summarize(network, (8, 6)).rows[0].fixed == 112


def test_multiply_adds_by_hand() -> None:
    # Each of 4 x 3 positions and 4 channels sums over 27 numbers.
    assert multiply_adds(Small(), (8, 6)) == 4 * 3 * 4 * 27


def test_rewritten_graph_does_less() -> None:
    network = UNetXception(num_classes=3)
    published = multiply_adds(network, (160, 160))

    assert 0.6 < multiply_adds(network, (160, 160), published=False) / published < 0.65
    assert multiply_adds(network, (320, 160)) == 2 * published


def test_the_network_is_left_as_it_was() -> None:
    network = UNetXception(num_classes=2).train()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    summarize(network, (32, 32))
    multiply_adds(network, (32, 32))
    assert network.training
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())
    assert not network.stem.conv._forward_hooks


class Borrowing(nn.Module):
    """Its `lent` layer never runs; the weights of it are computed with, between two layers that run."""

    def __init__(self) -> None:
        super().__init__()
        self.lent = nn.Conv2d(4, 2, 1)
        self.first = nn.Conv2d(3, 4, 1)
        self.last = nn.Conv2d(2, 1, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        halves = zip(self.lent.weight.chunk(2), self.lent.bias.chunk(2), strict=True)  # pyright: ignore[reportOptionalMemberAccess]
        x = self.first(x)
        return self.last(torch.cat([F.conv2d(x, weight, bias) for weight, bias in halves], dim=1))


def test_a_layer_whose_weights_alone_are_used_has_a_row() -> None:
    summary = summarize(Borrowing(), (8, 6))
    assert summary.rows == (
        Layer("lent", "Conv2d", (), 4 * 2 + 2, 0, ()),
        Layer("first", "Conv2d", (8, 6, 4), 3 * 4 + 4, 0, ()),
        Layer("last", "Conv2d", (8, 6, 1), 2, 0, ()),
    )


@pytest.mark.parametrize("name", MODELS)
def test_rows_hold_all_parameters_of_every_network(name: str) -> None:
    with torch.device("meta"):
        network = build_model(name, num_classes=3)
        drop_auxiliary(network)
    summary = summarize(network, (64, 96))

    assert sum(row.parameters for row in summary.rows) == summary.parameters
