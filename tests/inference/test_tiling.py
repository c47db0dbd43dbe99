"""Where tiles lie: every pixel covered, weights that sum to one, on the grid of the networks' stride."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.config import PredictConfig
from pixelwise.config.predict import TILE_STEP
from pixelwise.errors import ConfigError
from pixelwise.inference.tiling import Grid, lay

CONFIGS = st.builds(
    PredictConfig,
    tile=st.sampled_from([32, 64, 96, 160, 512]),
    overlap=st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.6, 0.75]),
    blend=st.sampled_from(["gaussian", "linear", "flat"]),
)


@given(length=st.integers(1, 2000), config=CONFIGS)
@settings(deadline=None, max_examples=150)
def test_every_pixel_is_covered_and_its_weights_sum_to_one(length: int, config: PredictConfig) -> None:
    axis = lay(length, config)
    total = np.zeros(length)
    for start, end, weights in zip(axis.starts, axis.ends, axis.weights, strict=True):
        assert 0 <= start < end <= length
        assert end - start <= config.tile
        assert (weights > 0).all()
        total[start:end] += weights
    np.testing.assert_allclose(total, 1, atol=1e-6)


@given(length=st.integers(1, 2000), config=CONFIGS)
@settings(deadline=None, max_examples=100)
def test_tiles_lie_on_the_grid_and_ascend(length: int, config: PredictConfig) -> None:
    axis = lay(length, config)
    assert all(start % TILE_STEP == 0 for start in axis.starts)
    assert list(axis.starts) == sorted(set(axis.starts))
    assert list(axis.ends) == sorted(set(axis.ends))
    # Only the last may be shorter, by less than a step.
    assert all(
        end - start == config.tile for start, end in zip(axis.starts[:-1], axis.ends[:-1], strict=True)
    )
    assert axis.ends[-1] == length
    if length >= config.tile:
        assert length - axis.starts[-1] > config.tile - TILE_STEP
    # Neighbours have at least the asked overlap in common, where the grid has room for it.
    asked = min(config.overlap * config.tile, config.tile - TILE_STEP)
    for end, following in zip(axis.ends[:-1], axis.starts[1:], strict=True):
        assert end - following >= asked - 0.5


@given(length=st.integers(1, 2000), config=CONFIGS, pixel=st.integers(0, 1999))
@settings(deadline=None, max_examples=100)
def test_what_is_final_is_covered_by_no_later_tile(length: int, config: PredictConfig, pixel: int) -> None:
    axis = lay(length, config)
    pixel %= length
    first = axis.first_covering(pixel)
    assert all(end <= pixel for end in axis.ends[:first])
    assert pixel < axis.ends[first]
    for number in range(len(axis)):
        assert (pixel < axis.final(number)) == all(pixel < start for start in axis.starts[number + 1 :])


def test_tiles_by_hand() -> None:
    config = PredictConfig(tile=64, overlap=0.5, blend="flat")
    axis = lay(140, config)  # stride 32; the last must begin at 76 or later, on the grid: 96
    assert axis.starts == (0, 32, 64, 96)
    assert axis.ends == (64, 96, 128, 140)
    assert [axis.final(n) for n in range(4)] == [32, 64, 96, 140]
    np.testing.assert_allclose(axis.weights[0], [1] * 32 + [1 / 2] * 32)
    np.testing.assert_allclose(axis.weights[3], [1 / 2] * 32 + [1] * 12)


def test_a_linear_slope_by_hand() -> None:
    axis = lay(96, PredictConfig(tile=64, overlap=0.5, blend="linear"))
    # Two tiles, 0..64 and 32..96: in the middle the first falls as the second rises, from 1/64 to 63/64.
    rise = (np.arange(32) + 0.5) / 32
    np.testing.assert_allclose(axis.weights[1][:32], rise, atol=1e-6)
    np.testing.assert_allclose(axis.weights[0][32:], 1 - rise, atol=1e-6)
    np.testing.assert_allclose(axis.weights[0][:32], 1)


def test_a_gaussian_favours_the_tile_in_whose_middle_a_pixel_lies() -> None:
    axis = lay(96, PredictConfig(tile=64, overlap=0.5, blend="gaussian"))
    first, second = axis.weights[0][32:], axis.weights[1][:32]
    assert first[0] > 0.98
    assert second[-1] > 0.98
    np.testing.assert_allclose(first, second[::-1], atol=1e-6)


def test_a_picture_no_larger_than_a_tile_is_one_tile() -> None:
    grid = Grid.over((1, 512), PredictConfig())
    assert len(grid) == 1
    np.testing.assert_allclose(grid.weight(0, 0), 1)


@pytest.mark.parametrize("tile", [0, 16, 33, 500, 16384, -32])
def test_a_tile_that_no_network_can_take_is_refused(tile: int) -> None:
    with pytest.raises(ConfigError, match=f"a multiple of 32, the stride of the networks.*got {tile}"):
        PredictConfig(tile=tile)


@pytest.mark.parametrize("overlap", [-0.1, 0.8, 1.0])
def test_an_overlap_that_is_none_is_refused(overlap: float) -> None:
    with pytest.raises(ConfigError, match=r"0\.\.0\.75"):
        PredictConfig(overlap=overlap)
