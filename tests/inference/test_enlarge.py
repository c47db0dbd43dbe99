"""Probabilities at the photo's size: strips leave no seam, and the arithmetic is bilinear."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.inference import enlarge as enlarge_module
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


def _patches(seed: int, classes: int, size: tuple[int, int]) -> np.ndarray:
    """Areas of one class with few borders, as networks answer them."""
    generator = np.random.default_rng(seed)
    p = generator.random((classes, *size), dtype=np.float32) * 0.2
    p[generator.integers(classes)] += 0.5
    for _ in range(2):
        top, left = generator.integers(size[0]), generator.integers(size[1])
        p[generator.integers(classes), top : top + size[0] // 3 + 1, left : left + size[1] // 3 + 1] += 1
    return p / p.sum(0)


@settings(max_examples=120, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(1, 30),
    st.tuples(st.integers(1, 24), st.integers(1, 24)),
    st.tuples(st.integers(0, 60), st.integers(0, 60)),
    st.integers(1, 4000),
)
def test_deciding_borders_alone_is_deciding_everything(
    seed: int, classes: int, small: tuple[int, int], more: tuple[int, int], strip: int
) -> None:
    p = _patches(seed, classes, small)
    size = small[0] + more[0], small[1] + more[1]
    labels, confidence = decide(p, size, strip_elements=strip)
    whole = enlarge(p, size)
    assert confidence is not None
    np.testing.assert_allclose(confidence, whole.max(0), atol=2e-6)
    ranked = np.sort(whole, axis=0)
    clear = ranked[-1] - (ranked[-2] if classes > 1 else 0) > 2e-6  # else rounding decides
    assert np.array_equal(labels[clear], whole.argmax(0)[clear])
    again, nothing = decide(p, size, confidence=False, strip_elements=strip)
    assert nothing is None
    assert np.array_equal(again, labels)


def test_few_borders_are_not_decided_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("every pixel of every class was interpolated")

    monkeypatch.setattr(enlarge_module, "_decide_everywhere", refuse)
    p = np.zeros((150, 40, 40), np.float32)
    p[3] = 1
    p[7, 10:20, 10:20] = 2
    labels, _ = decide(p / p.sum(0), (400, 300))
    assert set(np.unique(labels)) == {3, 7}


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
