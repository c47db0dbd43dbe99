"""Probabilities at the photo's size: strips leave no seam, and the arithmetic is bilinear."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.inference.enlarge import decide, enlarge

sizes = st.tuples(st.integers(1, 40), st.integers(1, 40))


def _probabilities(seed: int, classes: int, size: tuple[int, int]) -> np.ndarray:
    scores = np.random.default_rng(seed).random((classes, *size), dtype=np.float32) + 1e-3
    return scores / scores.sum(0)


def test_doubling_by_hand() -> None:
    # Centres of the two source pixels lie at 0.5 and 1.5, those of the four target pixels at 0.25, 0.75, 1.25
    # and 1.75 source pixels: beyond the outer centres the border holds, between them 3:1 and 1:3.
    p = np.array([[[0.0, 1.0]], [[1.0, 0.0]]], np.float32)
    large = enlarge(p, (1, 4))
    np.testing.assert_allclose(large[0, 0], [0, 0.25, 0.75, 1], atol=1e-6)
    labels, confidence = decide(p, (1, 4))
    assert labels.tolist() == [[1, 1, 0, 0]]
    np.testing.assert_allclose(confidence, [[1, 0.75, 0.75, 1]], atol=1e-6)


def test_the_lowest_class_wins_a_tie() -> None:
    assert decide(np.full((3, 2, 2), 1 / 3, np.float32), (5, 3))[0].max() == 0


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 5), sizes, sizes, st.integers(1, 400))
def test_strips_equal_the_whole(
    seed: int, classes: int, small: tuple[int, int], large: tuple[int, int], strip: int
) -> None:
    p = _probabilities(seed, classes, small)
    whole = enlarge(p, large)
    labels, confidence = decide(p, large, strip_elements=strip)
    assert labels.shape == confidence.shape == large
    np.testing.assert_allclose(confidence, whole.max(0), atol=2e-6)
    # Where two classes are within rounding of each other either may win.
    chosen = np.take_along_axis(whole, labels[None].astype(np.int64), 0)[0]
    np.testing.assert_allclose(chosen, whole.max(0), atol=2e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 5), sizes, sizes)
def test_probabilities_stay_probabilities(
    seed: int, classes: int, small: tuple[int, int], large: tuple[int, int]
) -> None:
    whole = enlarge(_probabilities(seed, classes, small), large)
    assert whole.shape == (classes, *large)
    assert whole.min() >= -1e-6
    np.testing.assert_allclose(whole.sum(0), 1, atol=1e-5)


def test_the_same_size_changes_nothing() -> None:
    p = _probabilities(0, 3, (7, 5))
    assert np.array_equal(enlarge(p, (7, 5)), p)


@pytest.mark.parametrize("size", [(13, 29), (64, 48)])
def test_enlarging_agrees_with_torch(size: tuple[int, int]) -> None:
    import torch

    p = _probabilities(1, 4, (13, 24))
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(p)[None], size=size, mode="bilinear", align_corners=False
    )[0]
    np.testing.assert_allclose(enlarge(p, size), expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 21, 255])
def test_the_winner_is_that_of_argmax(count: int) -> None:
    """Few values, so that most pixels have their largest more than once: the lowest id wins."""
    values = np.random.default_rng(count).integers(0, 4, (count, 13, 17)).astype(np.float32)
    labels, confidence = decide(values, (13, 17))
    assert np.array_equal(labels, values.argmax(0))
    assert np.array_equal(confidence, values.max(0))
