"""Upsampling three ways on a 2x2 map, by hand; and the convolution as a matrix."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.errors import ConfigError
from pixelwise.nn.conv_matrix import conv_matrix
from pixelwise.nn.resample import (
    Interpolate,
    TransposedConv2d,
    UnpoolCorner,
    UnpoolIndices,
    bilinear_kernel,
    make_upsampling,
)

SMALL = torch.tensor([[1.0, 2.0], [3.0, 4.0]])[None, None]


def rows(x: Tensor) -> list[list[float]]:
    return x[0, 0].tolist()


def test_nearest_and_repeat() -> None:
    expected = [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]
    assert rows(make_upsampling("nearest", 1)(SMALL)) == expected
    assert rows(make_upsampling("unpool-repeat", 1)(SMALL)) == expected


def test_corner() -> None:
    assert rows(UnpoolCorner(2)(SMALL)) == [[1, 0, 2, 0], [0, 0, 0, 0], [3, 0, 4, 0], [0, 0, 0, 0]]
    assert rows(UnpoolCorner(3)(SMALL))[0] == [1, 0, 0, 2, 0, 0]
    assert UnpoolCorner(3)(torch.ones(2, 5, 4, 3)).shape == (2, 5, 12, 9)


def test_bilinear() -> None:
    # Centres of the large pixels lie at -0.25, 0.25, 0.75, 1.25 of the small ones; the edges are repeated, so
    # the first row is 1, 1 + 0.25, 1 + 0.75, 2, and rows differ by twice as much.
    first = [1, 1.25, 1.75, 2]
    assert rows(Interpolate(2, "bilinear")(SMALL)) == [[v + d for v in first] for d in (0, 0.5, 1.5, 2)]
    assert Interpolate(1, "bilinear")(SMALL) is SMALL


def test_indices() -> None:
    large = torch.tensor([[5.0, 1, 2, 8], [0, 2, 3, 1], [1, 0, 0, 0], [4, 9, 0, 7]])[None, None]
    pooled, indices = F.max_pool2d(large, 2, return_indices=True)
    assert rows(pooled) == [[5, 8], [9, 7]]
    assert rows(UnpoolIndices()(SMALL, indices)) == [[1, 0, 0, 2], [0, 0, 0, 0], [0, 0, 0, 0], [0, 3, 0, 4]]


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (4, 4)])
def test_indices_undo_the_pooling(size: tuple[int, int]) -> None:
    x = torch.randn(2, 3, 2 * size[0], 2 * size[1], generator=torch.Generator().manual_seed(0))
    pooled, indices = F.max_pool2d(x, 2, return_indices=True)
    back = UnpoolIndices()(pooled, indices)
    assert torch.equal(back[back != 0], x[back != 0])
    assert torch.equal(back, F.max_unpool2d(pooled, indices, 2))


def test_the_bilinear_kernel() -> None:
    # One axis for factor 2: a triangle of half-width 2 at 0.5 and 1.5 from its centre: 1 - 1.5/2, 1 - 0.5/2.
    axis = torch.tensor([0.25, 0.75, 0.75, 0.25])
    assert torch.equal(bilinear_kernel(2), axis[:, None] * axis)
    # Factor 3 has an odd kernel: 1 - |d| / 3 at d = -2 … 2.
    axis = torch.tensor([1, 2, 3, 2, 1]) / 3
    torch.testing.assert_close(bilinear_kernel(3), axis[:, None] * axis)


@pytest.mark.parametrize("factor", [2, 3, 4, 8, 16, 32])
@pytest.mark.parametrize("per_channel", [True, False])
def test_transposed_begins_as_bilinear_interpolation(factor: int, per_channel: bool) -> None:
    layer = TransposedConv2d(2, factor, per_channel=per_channel)
    x = torch.randn(1, 2, 4, 5, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = layer(x)
    expected = F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
    assert found.shape == expected.shape
    inside = slice(factor, -factor)  # at the edges zeros stand where interpolation repeats the border
    torch.testing.assert_close(
        found[..., inside, inside], expected[..., inside, inside], rtol=1e-5, atol=1e-5
    )
    assert not torch.allclose(found[..., 0, :], expected[..., 0, :])


def test_transposed_can_be_fixed() -> None:
    assert all(p.requires_grad for p in TransposedConv2d(2, 2).parameters())
    assert not any(p.requires_grad for p in TransposedConv2d(2, 2, learned=False).parameters())


def test_indices_need_a_mirrored_decoder() -> None:
    with pytest.raises(ConfigError, match=r"unpool-indices needs a decoder that mirrors .* segnet, or unet"):
        make_upsampling("unpool-indices", 4)


# ----------------------------------------------------------------------------------- the matrix


def test_the_matrix_of_a_convolution_by_hand() -> None:
    # A 3x3 kernel 1 … 9 over a 4x4 plane, as textbooks draw it: four rows of sixteen.
    kernel = torch.arange(1.0, 10).view(3, 3)
    matrix = conv_matrix(kernel, (4, 4))
    assert matrix.int().tolist() == [
        [1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 0, 0, 0, 0, 0],
        [0, 1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 0, 0, 0, 0],
        [0, 0, 0, 0, 1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 0],
        [0, 0, 0, 0, 0, 1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9],
    ]


@pytest.mark.parametrize(
    ("kernel", "size"), [((3, 3), (4, 4)), ((1, 1), (2, 2)), ((2, 2), (2, 2)), ((2, 3), (5, 4))]
)
def test_a_transposed_convolution_is_the_matrix_transposed(
    kernel: tuple[int, int], size: tuple[int, int]
) -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(*kernel, generator=generator, dtype=torch.float64)
    plane = torch.randn(*size, generator=generator, dtype=torch.float64)
    matrix = conv_matrix(weight, size)
    small = F.conv2d(plane[None, None], weight[None, None])
    torch.testing.assert_close(matrix @ plane.flatten(), small.flatten())
    large = F.conv_transpose2d(small, weight[None, None])
    assert large.shape[2:] == size
    torch.testing.assert_close(matrix.T @ small.flatten(), large.flatten())


def test_a_kernel_larger_than_the_plane() -> None:
    with pytest.raises(ConfigError, match="a 3x3 kernel does not fit into a 2x4 plane"):
        conv_matrix(torch.ones(3, 3), (2, 4))
