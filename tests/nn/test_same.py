"""Keras' `same` padding by hand: sizes, sampled pixels, and the pooling against its definition."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from pixelwise.nn.same import SameConv2d, SameMaxPool2d, SeparableConv2d, same_padding


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"),
    [
        (160, 3, 2, (0, 1)),  # (80 - 1) * 2 + 3 - 160 = 1, and the odd one comes last
        (161, 3, 2, (1, 1)),  # (81 - 1) * 2 + 3 - 161 = 2
        (10, 3, 1, (1, 1)),
        (10, 1, 2, (0, 0)),  # (5 - 1) * 2 + 1 - 10 < 0: nothing is padded
        (1, 3, 2, (1, 1)),  # 0 * 2 + 3 - 1 = 2
        (5, 4, 1, (1, 2)),
    ],
)
def test_padding(size: int, kernel: int, stride: int, expected: tuple[int, int]) -> None:
    assert same_padding(size, kernel, stride) == expected


def test_strided_convolution_samples_the_pixels_that_keras_samples() -> None:
    conv = SameConv2d(1, 1, kernel_size=3, stride=2)
    with torch.no_grad():
        conv.weight.fill_(1.0)
        conv.bias.fill_(0.5)
    x = torch.arange(16.0).view(1, 1, 4, 4)
    # Rows and columns 0..2 and 2..4, the latter with a border of zeros below and right:
    # 0+1+2 + 4+5+6 + 8+9+10 = 45;  2+3 + 6+7 + 10+11 = 39;  8+9+10 + 12+13+14 = 66;  10+11 + 14+15 = 50.
    expected = torch.tensor([[45.5, 39.5], [66.5, 50.5]])
    assert torch.equal(conv(x)[0, 0], expected)


def test_strided_1x1_convolution_takes_the_upper_left_pixels() -> None:
    conv = SameConv2d(1, 1, kernel_size=1, stride=2)
    with torch.no_grad():
        conv.weight.fill_(2.0)
    assert torch.equal(
        conv(torch.arange(16.0).view(1, 1, 4, 4))[0, 0], torch.tensor([[0.0, 4.0], [16.0, 20.0]])
    )


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (4, 4), (5, 7), (6, 9), (16, 10)])
def test_pooling_is_padding_with_minus_infinity(size: tuple[int, int]) -> None:
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    (top, bottom), (left, right) = (same_padding(n, 3, 2) for n in size)
    expected = F.max_pool2d(F.pad(x, (left, right, top, bottom), value=-torch.inf), 3, 2)
    assert torch.equal(SameMaxPool2d()(x), expected)


def test_pooling_by_hand() -> None:
    x = -torch.arange(16.0).view(1, 1, 4, 4)  # negative: a padding of zeros would win
    assert torch.equal(SameMaxPool2d()(x)[0, 0], torch.tensor([[0.0, -2.0], [-8.0, -10.0]]))


def test_separable_convolution_by_hand() -> None:
    conv = SeparableConv2d(2, 1)
    with torch.no_grad():
        conv.depthwise.copy_(torch.stack((torch.ones(1, 3, 3), 2 * torch.ones(1, 3, 3))))
        conv.pointwise.copy_(torch.tensor([10.0, 1.0]).view(1, 2, 1, 1))
        conv.bias.fill_(0.25)
    x = torch.ones(1, 2, 3, 3)
    # Middle: 10 * 9 * 1 + 1 * 9 * 2 = 108; corner: four of nine pixels: 10 * 4 + 8 = 48; both plus the bias.
    y = conv(x)[0, 0]
    assert y[1, 1] == 108.25
    assert y[0, 0] == 48.25


def test_fresh_kernels_lie_within_glorots_limit_and_biases_are_zero() -> None:
    conv = SameConv2d(3, 32, kernel_size=3)
    limit = (6 / (27 + 288)) ** 0.5
    assert 0.95 * limit < conv.weight.abs().max() <= limit
    assert not conv.bias.any()
    separable = SeparableConv2d(64, 32)
    assert 0.95 * (6 / (64 * 9 + 9)) ** 0.5 < separable.depthwise.abs().max() <= (6 / (64 * 9 + 9)) ** 0.5
    assert 0.95 * (6 / 96) ** 0.5 < separable.pointwise.abs().max() <= (6 / 96) ** 0.5
