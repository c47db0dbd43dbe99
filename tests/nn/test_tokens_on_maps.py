"""Layers of transformers on maps: beside PyTorch's own on tokens, and stochastic depth by its shares."""

from __future__ import annotations

import torch
from torch import nn

from pixelwise.nn.channel_norm import ChannelNorm
from pixelwise.nn.drop_path import DropPath
from pixelwise.nn.pointwise import Pointwise


def test_a_norm_of_channels_is_pytorchs_of_tokens() -> None:
    norm, other = ChannelNorm(6, eps=1e-2), nn.LayerNorm(6, eps=1e-2)
    with torch.no_grad():
        norm.weight.uniform_(0.5, 2)
        norm.bias.uniform_(-1, 1)
    other.load_state_dict(norm.state_dict())
    x = torch.randn(2, 6, 3, 5)
    tokens = other(x.flatten(2).transpose(1, 2))  # (N, H W, C)
    torch.testing.assert_close(norm(x).flatten(2).transpose(1, 2), tokens)


def test_a_pointwise_layer_is_a_convolution() -> None:
    layer, conv = Pointwise(5, 7), nn.Conv2d(5, 7, 1)
    with torch.no_grad():
        conv.weight.copy_(layer.weight[:, :, None, None])
        conv.bias.copy_(layer.bias)  # pyright: ignore[reportOptionalMemberAccess]
    x = torch.randn(2, 5, 3, 4)
    torch.testing.assert_close(layer(x), conv(x))
    (a, b), (c, d) = Pointwise(3, 4).parts(2)
    assert (a.shape, b.shape, c.shape, d.shape) == ((2, 3), (2,), (2, 3), (2,))


def test_stochastic_depth_keeps_the_mean() -> None:
    drop, x = DropPath(0.25).train(), torch.ones(4000, 2, 1, 1)
    torch.manual_seed(0)
    y = drop(x)
    assert torch.equal(y[:, 0], y[:, 1])  # a whole picture goes around, or none of it
    assert set(y.unique().tolist()) == {0.0, torch.tensor(1 / 0.75).item()}
    # Kept are 3000 of 4000, give or take sqrt(4000 / 4 * 3 / 4) = 27.
    assert abs(int((y[:, 0] > 0).sum()) - 3000) < 5 * 27
    assert drop.eval()(x) is x
    assert DropPath(0.0).train()(x) is x


def test_its_gradient_goes_where_the_picture_went() -> None:
    x = torch.randn(16, 1, 1, 1, requires_grad=True)
    y = DropPath(0.5).train()(x)
    y.sum().backward()
    torch.testing.assert_close(x.grad, torch.where(y == 0, 0.0, 2.0))
