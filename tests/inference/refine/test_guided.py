"""The guided filter: against windows taken one by one, and edges that follow the photo."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.errors import ConfigError, DataError
from pixelwise.inference.enlarge import decide, enlarge
from pixelwise.inference.refine import GuidedFilter, decide_refined, guided
from pixelwise.inference.refine.box import box_mean


def probabilities(seed: int, classes: int, size: tuple[int, int]) -> np.ndarray:
    scores = np.random.default_rng(seed).random((classes, *size), dtype=np.float32) + 1e-3
    return scores / scores.sum(0)


def photo(seed: int, size: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.uint8)


def _window(at: int, radius: int, length: int) -> slice:
    return slice(max(0, at - radius), min(length, at + radius + 1))


def _by_windows(p: np.ndarray, image: np.ndarray, radius: int, epsilon: float) -> np.ndarray:
    """He, Sun, Tang: equations 14 to 16, one window after the other, before anything is clipped."""
    colours = image / 255
    h, w, _ = colours.shape
    slopes, offsets = np.empty((h, w, 3)), np.empty((h, w))
    for y in range(h):
        for x in range(w):
            window = _window(y, radius, h), _window(x, radius, w)
            inside, values = colours[window].reshape(-1, 3), p[window].reshape(-1)
            covariance = np.cov(inside.T, bias=True) if len(inside) > 1 else np.zeros((3, 3))
            together = (inside * values[:, None]).mean(0) - inside.mean(0) * values.mean()
            slopes[y, x] = np.linalg.solve(covariance + epsilon * np.eye(3), together)
            offsets[y, x] = values.mean() - slopes[y, x] @ inside.mean(0)
    answer = np.empty((h, w))
    for y in range(h):
        for x in range(w):
            window = _window(y, radius, h), _window(x, radius, w)
            answer[y, x] = slopes[window].mean((0, 1)) @ colours[y, x] + offsets[window].mean()
    return answer


@pytest.mark.parametrize(("radius", "epsilon"), [(1, 1e-2), (2, 1e-4), (30, 1e-3)])
def test_against_windows_one_by_one(radius: int, epsilon: float) -> None:
    p, image = probabilities(0, 3, (9, 12)), photo(1, (9, 12))
    image[:5, :6] = 90  # a flat part, whose covariance is zero
    expected = np.maximum([_by_windows(plane, image, radius, epsilon) for plane in p.astype(np.float64)], 0)
    papers = GuidedFilter(radius=radius, epsilon=epsilon, subsampling=1, residue=0)
    np.testing.assert_allclose(papers.refine(p, image), expected / expected.sum(0), atol=2e-5)


def test_means_over_windows_that_shrink_at_the_border() -> None:
    # 1 2 6 with a radius of one: (1 + 2) / 2, (1 + 2 + 6) / 3, (2 + 6) / 2.
    line = np.array([[1.0, 2.0, 6.0]])
    np.testing.assert_allclose(box_mean(line, 1), [[1.5, 3, 4]])
    np.testing.assert_allclose(box_mean(line.T, 1), [[1.5], [3], [4]])


def test_an_edge_lands_where_the_photo_has_it() -> None:
    """The network's pixels are four of the photo wide and its edge is soft; the photo's lies between two."""
    image = np.zeros((32, 64, 3), np.uint8)
    image[:, 30:] = 255
    small = np.tile(np.array([*[0] * 6, 0.1, 0.2, 0.4, 0.8, *[1] * 6], np.float32), (8, 1))
    p = np.stack([1 - small, small])
    plain, _ = decide(p, (32, 64))
    np.testing.assert_array_equal(plain, np.tile(np.arange(64) >= 35, (32, 1)))
    labels, confidence = decide_refined(GuidedFilter(radius=3, epsilon=1e-5, residue=0), p, image)
    np.testing.assert_array_equal(labels, np.tile(np.arange(64) >= 30, (32, 1)))
    assert confidence is not None
    assert confidence[:, [29, 30]].min() > 0.6


def test_a_flat_photo_leaves_means() -> None:
    p = probabilities(2, 4, (11, 7))
    expected = box_mean(box_mean(p.astype(np.float64), 2), 2).astype(np.float32)
    image = np.full((33, 21, 3), 128, np.uint8)
    found = GuidedFilter(radius=2, residue=0).refine(p, image)
    np.testing.assert_allclose(found, enlarge(expected, (33, 21)), atol=1e-5)


def test_what_no_colour_tells_is_kept() -> None:
    """A strip of one pixel along an outline: the paper's filter loses it, with its residue it stays."""
    small = np.full((3, 16, 16), 0.1, np.float32)
    small[0, :, :7], small[1, :, 7], small[2, :, 8:] = 0.8, 0.8, 0.8
    image = np.zeros((32, 32, 3), np.uint8)
    image[:, 15:] = (200, 100, 50)  # two colours and three classes
    lost, _ = decide_refined(GuidedFilter(residue=0), small, image)
    kept, _ = decide_refined(GuidedFilter(), small, image)
    assert sorted(set(lost.ravel())) == [0, 2]
    assert sorted(set(kept.ravel())) == [0, 1, 2]
    flat = np.zeros_like(image)
    np.testing.assert_allclose(GuidedFilter().refine(small, flat), enlarge(small, (32, 32)), atol=1e-5)


def test_a_large_map_is_made_half_the_photo_s_size() -> None:
    p, image = probabilities(3, 2, (31, 40)), photo(3, (31, 40))
    small = enlarge(p, (16, 20))
    np.testing.assert_allclose(
        GuidedFilter().refine(p, image), GuidedFilter().refine(small, image), atol=1e-6
    )
    same = GuidedFilter(subsampling=1).refine(
        p, image
    )  # nothing to bring up: all that is not explained stays
    np.testing.assert_allclose(same, p, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 1000),
    st.integers(1, 5),
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.integers(1, 300),
)
def test_strips_are_probabilities_and_equal_the_whole(
    seed: int, classes: int, small: tuple[int, int], large: tuple[int, int], strip: int
) -> None:
    p, image = probabilities(seed, classes, small), photo(seed, large)
    refinement = GuidedFilter(radius=2)
    whole = refinement.refine(p, image)
    assert whole.shape == (classes, *large)
    assert whole.dtype == np.float32
    assert whole.min() >= 0
    np.testing.assert_allclose(whole.sum(0), 1, atol=1e-5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guided, "STRIP_ELEMENTS", strip)
        np.testing.assert_allclose(refinement.refine(p, image), whole, atol=2e-5)
        labels, confidence = decide_refined(refinement, p, image)
    assert confidence is not None
    np.testing.assert_allclose(confidence, whole.max(0), atol=2e-5)
    chosen = np.take_along_axis(whole, labels[None].astype(np.int64), 0)[0]
    np.testing.assert_allclose(chosen, whole.max(0), atol=4e-5)


def test_the_order_of_the_classes_does_not_matter() -> None:
    p, image, order = probabilities(5, 4, (10, 10)), photo(5, (20, 20)), [2, 0, 3, 1]
    found = GuidedFilter().refine(p[order], image)
    np.testing.assert_allclose(found, GuidedFilter().refine(p, image)[order], atol=1e-6)


def test_many_coefficients_are_found_at_a_smaller_size(monkeypatch: pytest.MonkeyPatch) -> None:
    p, image = probabilities(7, 3, (64, 64)), photo(7, (64, 64))
    monkeypatch.setattr(guided, "MOST_COEFFICIENTS", 4 * 3 * 16 * 16)
    expected = GuidedFilter().refine(enlarge(p, (16, 16)), image)
    np.testing.assert_allclose(GuidedFilter(subsampling=1).refine(p, image), expected, atol=1e-6)


def test_what_it_refuses() -> None:
    with pytest.raises(ConfigError, match="radius"):
        GuidedFilter(radius=0)
    with pytest.raises(ConfigError, match="epsilon"):
        GuidedFilter(epsilon=0.0)
    with pytest.raises(ConfigError, match="residue"):
        GuidedFilter(residue=1.5)
    with pytest.raises(ConfigError, match="subsampling"):
        GuidedFilter(subsampling=0)
    p, image = probabilities(0, 2, (4, 4)), photo(0, (4, 4))
    with pytest.raises(DataError, match="float32"):
        GuidedFilter().refine(p.astype(np.float64), image)
    with pytest.raises(DataError, match=r"\(H, W, 3\) uint8"):
        GuidedFilter().refine(p, image[..., 0])
