"""The mean over time, by hand; it starts anew at cuts."""

from __future__ import annotations

import numpy as np
import pytest

from pixelwise.errors import ConfigError
from pixelwise.video.smooth import CUT, Smoother, thumbnail


def _probabilities(*first: float) -> np.ndarray:
    """Two classes on one pixel for each number, which is the probability of the first class."""
    return np.array([first, [1 - p for p in first]], np.float32)[:, None]


def _grey(value: int) -> np.ndarray:
    return np.full((20, 30, 3), value, np.uint8)


def test_by_hand() -> None:
    smoother = Smoother(0.75)
    same = _grey(90)
    first = smoother.step(_probabilities(1.0, 0.2), same)
    np.testing.assert_allclose(first, _probabilities(1.0, 0.2))
    second = smoother.step(_probabilities(0.0, 0.6), same)
    # 0.75 * 1.0 + 0.25 * 0.0 and 0.75 * 0.2 + 0.25 * 0.6
    np.testing.assert_allclose(second, _probabilities(0.75, 0.3), rtol=1e-6)
    third = smoother.step(_probabilities(0.0, 0.6), same)
    # 0.75 * 0.75 and 0.75 * 0.3 + 0.25 * 0.6
    np.testing.assert_allclose(third, _probabilities(0.5625, 0.375), rtol=1e-6)
    np.testing.assert_allclose(second, _probabilities(0.75, 0.3), rtol=1e-6)  # not changed by the next step


@pytest.mark.parametrize(("smooth", "frames"), [(0.6, 2), (0.9, 7)])
def test_it_lags_as_documented(smooth: float, frames: int) -> None:
    smoother = Smoother(smooth)
    smoother.step(_probabilities(1.0), _grey(0))
    later = [smoother.step(_probabilities(0.0), _grey(0))[0, 0, 0] < 0.5 for _ in range(frames)]
    assert later == [False] * (frames - 1) + [True]


def test_zero_keeps_each_frames_own() -> None:
    smoother = Smoother(0)
    smoother.step(_probabilities(1.0), _grey(0))
    assert smoother.step(_probabilities(0.1), _grey(0))[0, 0, 0] == np.float32(0.1)


@pytest.mark.parametrize(("change", "anew"), [(int(CUT), False), (int(CUT) + 1, True)])
def test_a_cut_starts_anew(change: int, anew: bool) -> None:
    smoother = Smoother(0.5)
    smoother.step(_probabilities(1.0), _grey(100))
    mean = smoother.step(_probabilities(0.0), _grey(100 + change))[0, 0, 0]
    assert mean == (0.0 if anew else 0.5)


def test_what_moves_is_no_cut() -> None:
    """A white quarter of a picture moves by an eighth of its width: 1/16 changes by 255, 16 in the mean."""
    smoother = Smoother(0.5)
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:32, :32] = 255
    smoother.step(_probabilities(1.0), picture)
    assert smoother.step(_probabilities(0.0), np.roll(picture, 4, axis=1))[0, 0, 0] == 0.5


def test_the_size_may_change() -> None:
    smoother = Smoother(0.5)
    smoother.step(_probabilities(1.0, 1.0), _grey(0))
    np.testing.assert_array_equal(smoother.step(_probabilities(0.25), _grey(0)), _probabilities(0.25))


def test_the_thumbnail_is_the_mean_grey() -> None:
    picture = np.zeros((32, 32, 3), np.uint8)
    picture[:2, :2] = 200  # exactly one of 16 by 16
    grey = thumbnail(picture)
    assert grey.shape == (16, 16)
    assert grey[0, 0] == 200
    assert grey.sum() == 200


@pytest.mark.parametrize("smooth", [-0.1, 1.0, 2.0, float("nan")])
def test_weights_that_make_no_mean(smooth: float) -> None:
    with pytest.raises(ConfigError, match="at least 0 and less than 1"):
        Smoother(smooth)
