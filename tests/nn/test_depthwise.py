"""Depthwise convolutions in bfloat16: the same answers, and gradients that are those of float32."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from pixelwise.nn.depthwise import depthwise_conv2d, slow_in_bfloat16
from pixelwise.nn.same import SameConv2d


@pytest.mark.parametrize(("stride", "dilation", "multiplier"), [(2, 1, 1), (1, 2, 1), (1, 3, 2), (2, 2, 1)])
@pytest.mark.parametrize("biased", [False, True])
def test_answers_are_autocasts_and_gradients_float32s(
    stride: int, dilation: int, multiplier: int, biased: bool
) -> None:
    draw = torch.Generator().manual_seed(0)
    # Whole numbers small enough that bfloat16 holds each product and sum: the gradients must be equal.
    x = torch.randint(-3, 4, (2, 6, 13, 9), generator=draw).float().requires_grad_()
    weight = torch.randint(-2, 3, (6 * multiplier, 1, 3, 3), generator=draw).float().requires_grad_()
    bias = torch.ones(6 * multiplier).requires_grad_() if biased else None
    inputs = [t for t in (x, weight, bias) if t is not None]
    padding = (1, dilation)
    exact = F.conv2d(x, weight, bias, stride, padding, dilation, 6)
    upstream = torch.randint(-2, 3, exact.shape, generator=draw).float()
    with torch.autocast("cpu", torch.bfloat16):
        expected = F.conv2d(x, weight, bias, stride, padding, dilation, 6)
        found = depthwise_conv2d(x, weight, bias, stride, padding, dilation)
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, expected)
    wanted = torch.autograd.grad(exact, inputs, upstream)
    for ours, theirs in zip(torch.autograd.grad(found, inputs, upstream.bfloat16()), wanted, strict=True):
        assert ours.dtype == torch.float32
        assert torch.equal(ours, theirs)


def test_a_frozen_kernel_and_a_picture_need_no_gradient() -> None:
    x, weight = torch.rand(1, 2, 5, 5), torch.rand(2, 1, 3, 3)
    for of_x in (False, True):
        a, b = x.clone().requires_grad_(of_x), weight.clone().requires_grad_(not of_x)
        with torch.autocast("cpu", torch.bfloat16):
            depthwise_conv2d(a, b, None, 2, (1, 1), 1).sum().backward()
        assert (a.grad is None) == (not of_x)
        assert (b.grad is None) == of_x


def test_taken_where_it_pays() -> None:
    x = torch.rand(1, 4, 8, 8)
    assert not slow_in_bfloat16(x, 2, 1, 4)
    with torch.autocast("cpu", torch.bfloat16):
        assert slow_in_bfloat16(x, 2, 1, 4)
        assert slow_in_bfloat16(x, 1, 2, 4)
        assert not slow_in_bfloat16(x, 1, 1, 4)
        assert not slow_in_bfloat16(x, 2, 1, 1)
        with torch.no_grad():
            assert not slow_in_bfloat16(x, 2, 1, 4)
    with torch.autocast("cpu", torch.float16):
        assert not slow_in_bfloat16(x, 2, 1, 4)


def test_the_layer_takes_it() -> None:
    layer = SameConv2d(4, 4, kernel_size=3, stride=2, groups=4)
    with torch.autocast("cpu", torch.bfloat16):
        assert "Depthwise" in type(layer(torch.rand(1, 4, 8, 8)).grad_fn).__name__
    assert "Depthwise" not in type(layer(torch.rand(1, 4, 8, 8)).grad_fn).__name__
