"""FPN and UPerNet: what their papers say, counted and computed by hand."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.graph import capture, run
from pixelwise.models import build_model
from pixelwise.models.summary import count_parameters, summarize
from pixelwise.nn.conv import ARITHMETICS
from pixelwise.nn.pool_pyramid import PoolPyramid
from pixelwise.nn.pyramid import FeaturePyramid

RESNET18 = 11_689_512 - 513_000 + 2 * 4_800
"""As torchvision counts it without its classifier, and the running statistics of 4,800 channels."""

CHANNELS = (64, 128, 256, 512)
"""Of ResNet-18 at strides 4, 8, 16, 32."""


def meta(name: str, num_classes: int = 21, **arguments: object) -> nn.Module:
    with torch.device("meta"):
        return build_model(name, num_classes=num_classes, arguments=arguments)


# ------------------------------------------------------------------------------------------ FPN


def test_parameters_of_fpn() -> None:
    laterals = sum(c * 256 + 256 for c in CHANNELS)
    outputs = 4 * (9 * 256 * 256 + 256)
    # Strides 4, 8, 16, 32 take 1, 1, 2, 3 convolutions without bias; each norm has a scale and a shift.
    head = 4 * (9 * 256 * 128 + 256) + 3 * (9 * 128 * 128 + 256)
    assert count_parameters(meta("fpn")) == RESNET18 + laterals + outputs + head + 128 * 21 + 21
    # Batch normalisation has running statistics beside.
    assert count_parameters(meta("fpn", norm="batch")) - count_parameters(meta("fpn")) == 7 * 256


def test_figure_3_of_panoptic_fpn() -> None:
    """Each level's maps double until they have stride 4: 256 channels in, 128 out, 32 groups."""
    network = meta("fpn")
    rows = {row.name: row.output for row in summarize(network, (128, 128)).rows}
    assert [rows[f"pyramid.outputs.{level}"] for level in range(4)] == [
        (side, side, 256) for side in (32, 16, 8, 4)
    ]
    sides = {
        level: [rows[f"levels.{level}.{step}.0"][0] for step in range(count)]
        for level, count in enumerate((1, 1, 2, 3))
    }
    assert sides == {0: [32], 1: [16], 2: [8, 16], 3: [4, 8, 16]}
    assert {m.num_groups for m in network.modules() if isinstance(m, nn.GroupNorm)} == {32}
    assert rows["head"] == (32, 32, 21)


def ones_by_ones(count: int) -> nn.Module:
    """A 1x1 convolution that sums its channels."""
    layer = nn.Conv2d(count, 1, 1, bias=False)
    nn.init.ones_(layer.weight)
    return layer


@pytest.mark.parametrize("lateral_of_deepest", [True, False])
def test_a_pyramid_by_hand(lateral_of_deepest: bool) -> None:
    pyramid = FeaturePyramid(
        (2, 3, 1),
        lateral=ones_by_ones,
        output=lambda: nn.Hardtanh(0, 100),
        lateral_of_deepest=lateral_of_deepest,
    )
    assert len(pyramid.laterals) == 2 + lateral_of_deepest
    features = [torch.ones(1, 2, 4, 4), torch.ones(1, 3, 2, 2), torch.full((1, 1, 1, 1), 200.0)]
    fine, middle, deep = pyramid(features)
    # 2 + (3 + 200) and 3 + 200 are more than the output lets through; the deepest may have none.
    assert fine.flatten().unique().tolist() == [100]
    assert middle.flatten().unique().tolist() == [100]
    assert deep.item() == (100 if lateral_of_deepest else 200)
    fine, middle, _ = pyramid([*features[:2], torch.tensor([[[[5.0]]]])])
    assert (fine.unique().item(), middle.unique().item()) == (2 + 3 + 5, 3 + 5)


# -------------------------------------------------------------------------------------- UPerNet


def test_parameters_of_upernet() -> None:
    norm = 4 * 512  # scale, shift and running statistics
    pooling = 4 * (512 * 512 + norm) + 9 * (512 + 4 * 512) * 512 + norm
    pyramid = sum(c * 512 + norm for c in CHANNELS[:3]) + 3 * (9 * 512 * 512 + norm)
    join = 9 * 4 * 512 * 512 + norm
    assert count_parameters(meta("upernet")) == RESNET18 + pooling + pyramid + join + 512 * 21 + 21


def test_pooling_as_zhao_has_it() -> None:
    """The means of 1, 4, 9 and 36 windows, through their layers, beside the map."""
    pooling = PoolPyramid(3, 2, arithmetic=ARITHMETICS["torch"]).eval().double()
    x = torch.rand(2, 3, 7, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def windows(count: int) -> Tensor:
        means = torch.zeros(2, 3, count, count, dtype=torch.float64)
        for i in range(count):
            for j in range(count):
                rows = slice(i * 7 // count, -(-(i + 1) * 7 // count))
                columns = slice(j * 10 // count, -(-(j + 1) * 10 // count))
                means[:, :, i, j] = x[:, :, rows, columns].mean((2, 3))
        return means

    with torch.no_grad():
        parts = [x]
        for count, layer in zip((1, 2, 3, 6), pooling.scales, strict=True):
            parts.append(F.interpolate(layer(windows(count)), (7, 10), mode="bilinear", align_corners=False))
        torch.testing.assert_close(pooling(x), pooling.project(torch.cat(parts, 1)))


@pytest.mark.parametrize("size", [(32, 64), (100, 224), (7, 1)])
def test_pooling_in_a_graph_fits_every_size(size: tuple[int, int]) -> None:
    arguments = {"width": 4, "encoder_arguments": {"alpha": 0.1}}
    network = build_model("upernet", num_classes=3, arguments=arguments, seed=3).eval().double()
    picture = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1)).double() * 255
    with torch.no_grad():
        torch.testing.assert_close(run(capture(network), picture), network(picture))
