"""The identities of `pixelwise.nn.upsample`: the phase weights by hand, the rest against the plain way."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from pixelwise.nn.resample import Interpolate
from pixelwise.nn.same import SameConv2d
from pixelwise.nn.upsample import (
    Conv2dTranspose,
    UpsampledConv2d,
    add_upsampled,
    phase_kernel,
    upsample_conv,
)

SIZES = [(1, 1), (1, 4), (3, 5), (8, 6)]


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_phase_weights_by_hand() -> None:
    # With a = (1, 2, 3) down and b = (1, 10, 100) across, the 3x3 kernel is their product, and each axis
    # becomes (w1, w0 + w1, w-1 + w0, w-1): (3, 5, 3, 1) and (100, 110, 11, 1).
    down, across = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 10.0, 100.0])
    kernel = torch.outer(down, across).view(1, 1, 3, 3)
    expected = torch.outer(torch.tensor([3.0, 5.0, 3.0, 1.0]), torch.tensor([100.0, 110.0, 11.0, 1.0]))
    assert torch.equal(phase_kernel(kernel), expected.view(1, 1, 4, 4))


def test_one_pixel_by_hand() -> None:
    # A single 1 becomes a 2x2 block of ones between zeros; a kernel of 1..9 sums over the part that meets it.
    kernel = torch.arange(1.0, 10.0).view(1, 1, 3, 3)
    y = upsample_conv(torch.ones(1, 1, 1, 1), kernel, torch.zeros(1))
    # Upper left: centre, right, below, below right = 5 + 6 + 8 + 9 = 28; and so on around.
    assert torch.equal(y[0, 0], torch.tensor([[28.0, 24.0], [16.0, 12.0]]))


@pytest.mark.parametrize("size", SIZES)
def test_3x3_convolution_after_upsampling(size: tuple[int, int]) -> None:
    x, kernel, bias = draw(2, 4, *size), draw(5, 4, 3, 3, seed=1), draw(5, seed=2)
    expected = F.conv2d(F.interpolate(x, scale_factor=2), kernel, bias, padding=1)
    torch.testing.assert_close(upsample_conv(x, kernel, bias), expected, rtol=0, atol=1e-12)


def test_gradients_reach_the_3x3_kernel() -> None:
    tensors = [t.requires_grad_() for t in (draw(1, 2, 2, 3), draw(2, 2, 3, 3, seed=1), draw(2, seed=2))]
    assert torch.autograd.gradcheck(upsample_conv, tensors)


@pytest.mark.parametrize("size", SIZES)
def test_transposed_convolution_three_ways(size: tuple[int, int]) -> None:
    layer = Conv2dTranspose(4, 3).double()
    with torch.no_grad():
        layer.bias.normal_(generator=torch.Generator().manual_seed(1))
    x = draw(2, 4, *size)
    torch.testing.assert_close(layer.as_convolution(x), layer(x), rtol=0, atol=1e-12)
    torch.testing.assert_close(
        layer.after_upsampling(x), layer(Interpolate(2, "nearest")(x)), rtol=0, atol=1e-12
    )


def test_transposed_convolution_spreads_its_kernel_unflipped() -> None:
    layer = Conv2dTranspose(1, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.arange(9.0).view(1, 1, 3, 3))
    x = torch.zeros(1, 1, 3, 3)
    x[0, 0, 1, 1] = 1
    assert torch.equal(layer(x)[0, 0], torch.arange(9.0).view(3, 3))


@pytest.mark.parametrize("size", SIZES)
def test_1x1_convolution_commutes_with_upsampling(size: tuple[int, int]) -> None:
    conv, up, x = SameConv2d(4, 3, kernel_size=1).double(), Interpolate(2, "nearest"), draw(2, 4, *size)
    torch.testing.assert_close(up(conv(x)), conv(up(x)), rtol=0, atol=1e-12)


def test_convolution_that_takes_the_upsampling_along() -> None:
    conv, x = UpsampledConv2d(4, 3, kernel_size=3).double(), draw(2, 4, 3, 5)
    torch.testing.assert_close(
        conv.after_upsampling(x), conv(Interpolate(2, "nearest")(x)), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("size", SIZES)
def test_adding_an_upsampled_map(size: tuple[int, int], memory_format: torch.memory_format) -> None:
    height, width = size
    large = draw(2, 3, 2 * height, 2 * width).to(memory_format=memory_format).requires_grad_()
    small = draw(2, 3, height, width, seed=1).to(memory_format=memory_format).requires_grad_()
    weights = draw(2, 3, 2 * height, 2 * width, seed=2)
    expected = large + small.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    got = add_upsampled(large, small)
    assert torch.equal(got, expected)
    wanted = torch.autograd.grad((expected * weights).sum(), (large, small))
    for mine, theirs in zip(torch.autograd.grad((got * weights).sum(), (large, small)), wanted, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-12)
