"""Blocks by hand: activations, convolution with normalisation, separable, inverted residual, ASPP, frames."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from pixelwise.errors import ConfigError
from pixelwise.nn.activation import ACTIVATIONS, make_activation
from pixelwise.nn.arguments import parse_arguments
from pixelwise.nn.aspp import ASPP
from pixelwise.nn.conv import ARITHMETICS, BatchNorm, ConvNorm, SeparableConvNorm
from pixelwise.nn.frame import enlarge, mirror
from pixelwise.nn.inverted_residual import InvertedResidual
from pixelwise.nn.same import SameConv2d, same_padding
from pixelwise.nn.wide_conv import WideConv2d

KERAS, TORCH = ARITHMETICS["keras"], ARITHMETICS["torch"]


def ones(module: nn.Module) -> nn.Module:
    """All kernels one, all biases zero, statistics as fresh: sums can be counted."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.fill_(0.0 if name.endswith("bias") else 1.0)
    return module.eval()


def test_activations() -> None:
    x = [-2.0, 0.0, 3.0, 9.0]
    expected = {
        "relu": [0, 0, 3, 9],
        "relu6": [0, 0, 3, 6],
        "leaky-relu": [-0.02, 0, 3, 9],
        "sigmoid": [1 / (1 + math.exp(-v)) for v in x],
        "tanh": [math.tanh(v) for v in x],
        "hard-swish": [-2 / 6, 0, 3, 9],  # -2 x 1/6, 0 x 1/2, then times 1
    }
    assert set(expected) == set(ACTIVATIONS)
    for name, values in expected.items():
        assert make_activation(name)(torch.tensor(x)).tolist() == pytest.approx(values)  # pyright: ignore
    with pytest.raises(ConfigError, match=r"activation must be one of relu, relu6, .* got 'swish'"):
        make_activation("swish")  # pyright: ignore[reportArgumentType]


def test_same_padding_of_a_dilated_kernel() -> None:
    assert same_padding(8, 3, 1, 4) == (4, 4)  # reaches over 9
    assert same_padding(8, 3, 2, 2) == (1, 2)  # 4 outputs: 3 steps of 2, 5 wide: 11 - 8 = 3


def test_a_dilated_convolution_skips_pixels() -> None:
    conv = ones(SameConv2d(1, 1, kernel_size=3, dilation=2, bias=False))
    spot = torch.zeros(1, 1, 5, 5)
    spot[0, 0, 2, 2] = 1
    found = conv(spot)[0, 0]
    assert found.nonzero().tolist() == [[r, c] for r in (0, 2, 4) for c in (0, 2, 4)]
    sparse = torch.zeros(1, 1, 5, 5)
    sparse[0, 0, ::2, ::2] = 1  # the dilated kernel written out with its holes
    x = torch.randn(2, 1, 9, 7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(conv(x), F.conv2d(x, sparse, padding=2))


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (5, 4)])
def test_a_depthwise_convolution_is_one_for_each_channel(size: tuple[int, int]) -> None:
    conv = SameConv2d(3, 6, kernel_size=3, stride=2, groups=3, bias=False)
    x = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0))
    for channel in range(3):
        single = SameConv2d(1, 2, kernel_size=3, stride=2, bias=False)
        single.weight = nn.Parameter(conv.weight[2 * channel : 2 * channel + 2])
        torch.testing.assert_close(
            conv(x)[:, 2 * channel : 2 * channel + 2], single(x[:, channel : channel + 1])
        )


def test_conv_norm_by_hand() -> None:
    layer = ones(ConvNorm(2, 1, arithmetic=KERAS, activation="relu6"))
    with torch.no_grad():
        layer.bn.running_mean.fill_(4.0)  # pyright: ignore
        layer.bn.running_var.fill_(4.0 - 1e-3)  # pyright: ignore
    # Over ones, a corner sees 2 channels of 4 pixels = 8, an edge 12, the middle 18: (sum - 4) / 2, up to 6.
    assert layer(torch.ones(1, 2, 3, 3))[0, 0].tolist() == [
        pytest.approx([2, 4, 2]),
        pytest.approx([4, 6, 4]),
        pytest.approx([2, 4, 2]),
    ]


def test_one_value_is_normalised_by_the_running_statistics() -> None:
    layer = BatchNorm(2, TORCH)
    with torch.no_grad():
        layer.running_mean.copy_(torch.tensor([1.0, 2.0]))  # pyright: ignore
        layer.running_var.copy_(torch.tensor([4.0, 9.0]))  # pyright: ignore
    x = torch.tensor([3.0, 5.0]).view(1, 2, 1, 1)
    assert layer.train()(x).flatten().tolist() == pytest.approx([1.0, 1.0], abs=1e-5)
    assert layer.running_mean.tolist() == [1.0, 2.0]  # pyright: ignore
    two = torch.cat([x, x + 2])
    reference = nn.BatchNorm2d(2)
    torch.testing.assert_close(BatchNorm(2, TORCH).train()(two), reference.train()(two))


def test_a_separable_convolution_by_hand() -> None:
    layer = ones(SeparableConvNorm(2, 3, arithmetic=TORCH))
    # Depthwise over ones: 4, 6 or 9 a channel; pointwise adds the two channels.
    found = layer(torch.ones(1, 2, 3, 3))[0]
    assert found.shape == (3, 3, 3)
    assert found[0].tolist() == [
        pytest.approx([8, 12, 8], rel=1e-4),
        pytest.approx([12, 18, 12], rel=1e-4),
        pytest.approx([8, 12, 8], rel=1e-4),
    ]
    assert sum(p.numel() for p in layer.parameters()) == 2 * 9 + 2 * 2 + 2 * 3 + 2 * 3


def test_an_inverted_residual_by_hand() -> None:
    block = ones(InvertedResidual(2, 2, wide=6, arithmetic=TORCH))
    # One pixel of 0.5: expansion 2 x 0.5 = 1 in each of 6 channels, depthwise 1, projection 6, and the input.
    assert block(torch.full((1, 2, 1, 1), 0.5)).flatten().tolist() == pytest.approx([6.5, 6.5], rel=1e-4)
    # 10: the expansion's 20 is cut to 6; 6 x 6 = 36 comes out of the linear projection, uncut.
    assert block(torch.full((1, 2, 1, 1), 10.0)).flatten().tolist() == pytest.approx([46, 46], rel=1e-4)
    assert not InvertedResidual(2, 2, wide=12, stride=2, arithmetic=TORCH).residual
    assert not InvertedResidual(2, 4, wide=12, arithmetic=TORCH).residual
    assert isinstance(InvertedResidual(2, 2, wide=2, arithmetic=TORCH).expand, nn.Identity)


def test_aspp_by_hand() -> None:
    pyramid = ones(ASPP(1, 1, rates=(1, 2), dropout=0.5, arithmetic=TORCH))
    x = torch.zeros(1, 1, 5, 5)
    x[0, 0, 2, 2] = 25
    # The mean, 1, lies everywhere; the pixel branch has 25 in the middle; rate 1 puts 25 on the 3x3 around
    # it, rate 2 on every second pixel. Their sum:
    expected = torch.ones(5, 5)
    expected[2, 2] += 25
    expected[1:4, 1:4] += 25
    expected[::2, ::2] += 25
    torch.testing.assert_close(pyramid(x)[0, 0], expected, rtol=1e-4, atol=0)


def test_enlarging_logits() -> None:
    x = torch.tensor([[[[0.0, 4.0]]]])
    assert enlarge(x, 2)[0, 0].tolist() == [[0, 1, 3, 4], [0, 1, 3, 4]]
    assert enlarge(x, 1) is x


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 12), st.integers(1, 25), st.integers(1, 25))
def test_mirroring_is_numpys_reflection(h: int, w: int, before: int, rows: int, columns: int) -> None:
    x = torch.arange(h * w, dtype=torch.float32).view(1, 1, h, w)
    wide = np.pad(
        x[0, 0].numpy(), ((before, rows), (before, columns)), mode="reflect" if min(h, w) > 1 else "symmetric"
    )
    found = mirror(x, before=before, rows=rows, columns=columns)[0, 0].numpy()
    if min(h, w) > 1:
        assert np.array_equal(found, wide[:rows, :columns])
    if h == 1:
        assert (found == found[:1]).all()
    if w == 1:
        assert (found == found[:, :1]).all()


def test_arguments_of_a_command_line() -> None:
    pairs = ["encoder=vgg16", "output_stride=8", "double_rates=true", "encoder.alpha=0.5", "name=a=b"]
    assert parse_arguments(pairs) == {
        "encoder": "vgg16",
        "output_stride": 8,
        "double_rates": True,
        "encoder_arguments": {"alpha": 0.5},
        "name": "a=b",
    }
    for pair in ("alpha", "=3", "encoder.=3"):
        with pytest.raises(ConfigError, match="NAME=VALUE"):
            parse_arguments([pair])
    with pytest.raises(ConfigError, match="level is given twice"):
        parse_arguments(["level=3", "level=4"])


def test_all_blocks_pass_gradients_on() -> None:
    for block in (
        ConvNorm(4, 4, dilation=3, arithmetic=KERAS, activation="leaky-relu"),
        SeparableConvNorm(4, 4, stride=2, arithmetic=KERAS, activation="tanh"),
        InvertedResidual(4, 4, wide=24, arithmetic=KERAS),
        ASPP(4, 4, rates=(2, 3), dropout=0.0, arithmetic=KERAS),
    ):
        x = torch.randn(2, 4, 9, 7, generator=torch.Generator().manual_seed(0)).double().requires_grad_()
        block.double().train()(x).sum().backward()
        assert x.grad is not None
        assert all(p.grad is not None for p in block.parameters())


@pytest.mark.parametrize("size", [(1, 1), (3, 3), (2, 9), (5, 4), (7, 7), (8, 9)])
def test_a_wide_convolution_has_pytorchs_gradients(size: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    wide = WideConv2d(3, 4, 7).double().train()
    plain = nn.Conv2d(3, 4, 7, padding=3).double()
    plain.load_state_dict(wide.state_dict())
    x = torch.randn(2, 3, *size, generator=generator, dtype=torch.float64)
    weights = torch.randn(2, 4, *size, generator=generator, dtype=torch.float64)
    found = []
    for layer in (wide, plain):
        given = x.clone().requires_grad_()
        out = layer(given)
        (out * weights).sum().backward()
        found.append([out, given.grad, layer.weight.grad, layer.bias.grad])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


def test_a_wide_convolution_under_autocast() -> None:
    wide, x = WideConv2d(3, 4, 7).train(), torch.randn(2, 3, 3, 3).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        out = wide(x)
    out.float().sum().backward()
    assert out.dtype == torch.bfloat16
    assert x.grad is not None
    assert x.grad.dtype == wide.weight.grad.dtype == torch.float32  # pyright: ignore[reportOptionalMemberAccess]
    torch.testing.assert_close(wide.bias.grad, torch.full((4,), 18.0))
