"""Whatever the size and stride: `same` padding as defined, and the rewritten graphs as the plain ones."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.nn.frame import crop, pad_to_multiple
from pixelwise.nn.same import SameConv2d, SameMaxPool2d, same_padding
from pixelwise.nn.upsample import Conv2dTranspose, add_upsampled, upsample_conv

sides = st.integers(1, 12)
channels = st.integers(1, 4)
seeds = st.integers(0, 2**16)
quick = settings(max_examples=60, deadline=None, derandomize=True)


def draw(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@quick
@given(st.integers(1, 400), st.integers(1, 7), st.integers(1, 4))
def test_same_padding_gives_the_length_it_promises(size: int, kernel: int, stride: int) -> None:
    before, after = same_padding(size, kernel, stride)
    assert 0 <= before <= after <= before + 1
    assert (size + before + after - kernel) // stride + 1 == -(-size // stride)
    if before + after:  # one zero less would be one output less
        assert (size + before + after - 1 - kernel) // stride + 1 < -(-size // stride)


@quick
@given(sides, sides, st.sampled_from([(1, 1), (1, 2), (3, 1), (3, 2)]), seeds)
def test_same_convolution_is_padding_and_a_plain_one(
    height: int, width: int, shape: tuple[int, int], seed: int
) -> None:
    kernel, stride = shape
    conv, x = SameConv2d(2, 3, kernel_size=kernel, stride=stride).double(), draw(seed, 1, 2, height, width)
    (top, bottom), (left, right) = (same_padding(n, kernel, stride) for n in (height, width))
    expected = F.conv2d(F.pad(x, (left, right, top, bottom)), conv.weight, conv.bias, stride)
    torch.testing.assert_close(conv(x), expected, rtol=0, atol=1e-12)


@quick
@given(sides, sides, seeds)
def test_pooling_is_padding_with_minus_infinity(height: int, width: int, seed: int) -> None:
    x = draw(seed, 2, 2, height, width)
    (top, bottom), (left, right) = (same_padding(n, 3, 2) for n in (height, width))
    expected = F.max_pool2d(F.pad(x, (left, right, top, bottom), value=-torch.inf), 3, 2)
    assert torch.equal(SameMaxPool2d()(x), expected)


@quick
@given(sides, sides, channels, channels, seeds)
def test_phases_are_upsampling_and_a_3x3_convolution(
    height: int, width: int, incoming: int, outgoing: int, seed: int
) -> None:
    x, kernel = draw(seed, 1, incoming, height, width), draw(seed + 1, outgoing, incoming, 3, 3)
    bias = draw(seed + 2, outgoing)
    expected = F.conv2d(F.interpolate(x, scale_factor=2), kernel, bias, padding=1)
    torch.testing.assert_close(upsample_conv(x, kernel, bias), expected, rtol=0, atol=1e-12)


@quick
@given(sides, sides, channels, seeds)
def test_transposed_convolution_is_a_turned_one(height: int, width: int, outgoing: int, seed: int) -> None:
    layer, x = Conv2dTranspose(2, outgoing).double(), draw(seed, 1, 2, height, width)
    torch.testing.assert_close(layer.as_convolution(x), layer(x), rtol=0, atol=1e-12)


@quick
@given(sides, sides, channels, seeds)
def test_adding_an_upsampled_map(height: int, width: int, count: int, seed: int) -> None:
    large, small = draw(seed, 2, count, 2 * height, 2 * width), draw(seed + 1, 2, count, height, width)
    assert torch.equal(
        add_upsampled(large, small), large + small.repeat_interleave(2, 2).repeat_interleave(2, 3)
    )


@quick
@given(sides, sides, st.integers(1, 16), seeds)
def test_frame_adds_less_than_a_multiple_and_comes_off_whole(
    height: int, width: int, multiple: int, seed: int
) -> None:
    x = draw(seed, 1, 1, height, width)
    framed = pad_to_multiple(x, multiple)
    for before, after in zip(x.shape[2:], framed.shape[2:], strict=True):
        assert after % multiple == 0
        assert 0 <= after - before < multiple
    assert torch.equal(crop(framed, height, width), x)
