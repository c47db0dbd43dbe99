"""Blocks that weigh one map by another, and the pyramid of windows, by hand on few pixels."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pixelwise.nn.guided_fusion import BoundaryGuide, PixelGuide
from pixelwise.nn.pappm import PAPPM
from pixelwise.nn.resample import Fit
from pixelwise.nn.squeeze import SqueezeExcitation


def constant(module: nn.Module, value: float) -> nn.Module:
    """All kernels one value, all biases zero, statistics as fresh."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.fill_(0.0 if name.endswith("bias") else value if parameter.ndim > 1 else 1.0)
    return module.eval()


def test_squeeze_and_excitation() -> None:
    block = constant(SqueezeExcitation(2, 1), 0.5)
    x = torch.tensor([[[[1.0, 3.0]], [[2.0, 2.0]]]])
    # Means 2 and 2; reduced 0.5 x 2 + 0.5 x 2 = 2; expanded 1 each; hard sigmoid 1 / 6 + 1 / 2 = 2 / 3.
    assert torch.allclose(block(x), x * 2 / 3)
    # Below zero the reduction is cut to 0, whose hard sigmoid is a half.
    assert torch.allclose(block(-x), -x / 2)


def test_a_pixel_takes_from_the_coarse_map_as_much_as_they_agree() -> None:
    guide = constant(PixelGuide(2, 1), 1.0)
    fine, coarse = torch.tensor([[[[1.0]], [[0.0]]]]), torch.tensor([[[[0.0]], [[2.0]]]])
    # Compared in one channel: (1 + 0) x (0 + 2) = 2.
    trust = 1 / (1 + math.exp(-2))
    expected = [1 - trust, 2 * trust]
    assert guide(fine, coarse).flatten().tolist() == pytest.approx(expected, rel=1e-4)


def test_boundaries_decide_between_details_and_context() -> None:
    guide = constant(BoundaryGuide(1), 1.0)
    detail, context = torch.tensor([[[[3.0, 3.0]]]]), torch.tensor([[[[5.0, 5.0]]]])
    boundary = torch.tensor([[[[30.0, -30.0]]]])
    # Sure of a boundary: detail + (context + detail); sure of none: (context + detail) + context.
    found = guide(detail, context, boundary).flatten().tolist()
    assert found == pytest.approx([3 + 8, 8 + 5], rel=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (1, 3), (2, 2), (7, 5), (33, 20)])
def test_the_pyramid_takes_maps_of_any_size(size: tuple[int, int]) -> None:
    pyramid = PAPPM(2, 3, 4)
    x = torch.randn(2, 2, *size, generator=torch.Generator().manual_seed(0))
    for mode in (True, False):
        assert pyramid.train(mode)(x).isfinite().all()
        assert pyramid(x).shape == (2, 4, *size)


def test_windows_of_the_pyramid_count_zeros_beyond_the_border() -> None:
    pyramid = constant(PAPPM(1, 1, 1), 0.0)
    seen: list[torch.Tensor] = []
    for window in pyramid.windows:  # pyright: ignore
        window.register_forward_hook(lambda _m, given, _o: seen.append(given[0]))
    with torch.no_grad():
        pyramid(torch.ones(1, 1, 3, 3))
    # All nine ones lie in every window; its size is 25, 81 and 289, and of the last one the map itself.
    assert [tuple(x.shape[2:]) for x in seen] == [(2, 2), (1, 1), (1, 1), (1, 1)]
    assert [x.max().item() for x in seen] == pytest.approx([9 / 25, 9 / 81, 9 / 289, 1.0])


def test_fitting_to_a_map_is_interpolation_to_its_sides() -> None:
    x, like = torch.randn(1, 2, 3, 4), torch.zeros(1, 5, 7, 4)
    expected = F.interpolate(x, size=(7, 4), mode="bilinear", align_corners=False)
    assert torch.equal(Fit()(x, like), expected)
    assert torch.equal(Fit()(x, x), x)
