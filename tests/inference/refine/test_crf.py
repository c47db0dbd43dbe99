"""The dense CRF: by hand, against exact sums over all pairs, and what it does with edges and large photos."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from pixelwise.errors import BackendError, ConfigError
from pixelwise.inference.refine import REFINEMENTS, DenseCrf, decide_refined
from pixelwise.inference.refine.lattice import Lattice


def _two(*shares: float) -> np.ndarray:
    """A row of pixels with these shares of class 0."""
    first = np.array([shares], np.float32)
    return np.stack([first, 1 - first])


def test_one_iteration_by_hand() -> None:
    # Neighbours' Gaussian is exp(-1 / 2s^2) = 1/2, so D = 3/2, and the kernel is 2/3 to oneself and 1/3 to
    # the other. Messages to pixel 0: 2/3 * 0.9 + 1/3 * 0.4 = 11/15 for class 0, 4/15 for class 1; to pixel 1:
    # 2/3 * 0.4 + 1/3 * 0.9 = 17/30 and 13/30. With weight 3, odds are 9 e^(3 * 7/15) and 2/3 e^(3 * 4/30).
    crf = DenseCrf(smoothness=3, smoothness_pixels=(1 / np.log(4)) ** 0.5, appearance=0, iterations=1)
    found = crf.refine(_two(0.9, 0.4), np.zeros((1, 2, 3), np.uint8))
    odds = np.array([9 * np.exp(1.4), 2 / 3 * np.exp(0.4)])
    np.testing.assert_allclose(found[0, 0], odds / (1 + odds), atol=1e-5)
    np.testing.assert_allclose(found.sum(0), 1, atol=1e-6)


def test_pixels_that_look_alike_hear_their_mean() -> None:
    # Positions don't tell and the colour is one: the kernel is 1/4 between any two. Mean of class 0: 0.6.
    # With weight 2, odds are p / (1 - p) * e^(2 * (0.6 - 0.4)).
    p = _two(0.9, 0.7, 0.5, 0.3)
    crf = DenseCrf(smoothness=0, appearance=2, appearance_pixels=1e6, iterations=1)
    odds = p[0, 0] / p[1, 0] * np.exp(0.4)
    found = crf.refine(p, np.full((1, 4, 3), 77, np.uint8))
    np.testing.assert_allclose(found[0, 0], odds / (1 + odds), atol=1e-4)


def _gaussian(features: np.ndarray) -> np.ndarray:
    """All pairs of points `(d, N)`, exactly, normalised symmetrically."""
    kernel = np.exp(-0.5 * ((features[:, :, None] - features[:, None]) ** 2).sum(0))
    root = 1 / np.sqrt(kernel.sum(1))
    return root[:, None] * kernel * root


@pytest.mark.parametrize("dimensions", [1, 2, 3, 5])
def test_lattice_against_all_pairs(dimensions: int) -> None:
    generator = np.random.default_rng(dimensions)
    features = (generator.random((dimensions, 1200)) * 3).astype(np.float32)
    values = generator.random((1200, 2)).astype(np.float32)
    values[features[0] > 1.5, 0] += 1  # else every mean is about the same
    exact = _gaussian(features.astype(np.float64)) @ values
    found = Lattice(features).normalised(values)
    # The lattice's own error, of which Adams et al. give no bound: pydensecrf2's sums are these to 3e-7.
    assert np.abs(found - exact).mean() < 0.03 * exact.mean()
    assert np.abs(found - exact).max() < 0.2 * exact.mean()
    assert np.corrcoef(found[:, 0], exact[:, 0])[0, 1] > 0.99


def test_lattice_weights_are_barycentric() -> None:
    """Each point lies in a simplex: its weights are shares, and its corners' mean is the point again."""
    from pixelwise.inference.refine.lattice import _elevated, _simplices

    features = (np.random.default_rng(0).random((5, 400)) * 40 - 20).astype(np.float32)
    corner, rank, weights = _simplices(features)
    assert weights.min() >= -1e-4
    np.testing.assert_allclose(weights.sum(0), 1, atol=1e-5)
    assert (corner.sum(0) == 0).all()
    np.testing.assert_array_equal(np.sort(rank, axis=0), np.arange(6)[:, None] * np.ones(400, int))
    corners = np.stack([corner + k - 6 * (rank >= 6 - k) for k in range(6)])
    mean = (corners * weights[:, None]).sum(0)
    np.testing.assert_allclose(mean, _elevated(features), atol=1e-3)


def test_points_that_lie_alone_keep_what_they_carry() -> None:
    features = (np.eye(5, dtype=np.float32) * 90)[:, :4]
    values = np.arange(8, dtype=np.float32).reshape(4, 2)
    np.testing.assert_allclose(Lattice(features).normalised(values), values, rtol=1e-5)


def _scene(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A photo of two colours with noise, and noisy probabilities whose border lies elsewhere."""
    generator = np.random.default_rng(seed)
    image = np.full((24, 30, 3), (60, 120, 70), np.float64)
    image[4:18, 9:22] = (190, 90, 80)
    image += generator.normal(0, 6, image.shape)
    pet = np.full((24, 30), 0.2)
    pet[6:21, 12:25] = 0.8
    pet = np.clip(pet + generator.normal(0, 0.1, pet.shape), 0.02, 0.98)
    p = np.stack([1 - pet, pet * 0.8, pet * 0.2]).astype(np.float32)
    return p / p.sum(0), np.clip(image, 0, 255).astype(np.uint8)


def _exactly(crf: DenseCrf, p: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Mean field with sums over all pairs."""
    count, h, w = p.shape
    y, x = (grid.ravel() for grid in np.mgrid[:h, :w].astype(np.float64))
    near = _gaussian(np.stack([y, x]) / crf.smoothness_pixels)
    colours = image.reshape(-1, 3).T / crf.appearance_levels
    alike = _gaussian(np.concatenate(([x / crf.appearance_pixels, y / crf.appearance_pixels], colours)))
    start = p.reshape(count, -1).astype(np.float64)
    current = start
    for _ in range(crf.iterations):
        scores = np.log(start) + current @ (crf.smoothness * near + crf.appearance * alike)
        current = np.exp(scores) / np.exp(scores).sum(0)
    return current.reshape(p.shape)


def test_smoothness_is_exact() -> None:
    p, image = _scene(0)
    crf = DenseCrf(smoothness=2, smoothness_pixels=2.5, appearance=0, iterations=4)
    np.testing.assert_allclose(crf.refine(p, image), _exactly(crf, p, image), atol=2e-5)


def test_against_exact_sums() -> None:
    p, image = _scene(1)
    crf = DenseCrf(
        smoothness=1, smoothness_pixels=2, appearance=3, appearance_pixels=12, appearance_levels=12
    )
    found, exact = crf.refine(p, image), _exactly(crf, p, image)
    assert np.abs(found - exact).mean() < 0.02
    assert (found.argmax(0) == exact.argmax(0)).mean() > 0.98


def test_the_border_moves_to_the_photo_s_edge() -> None:
    p, image = _scene(2)
    truth = np.zeros((24, 30), np.uint8)
    truth[4:18, 9:22] = 1
    crf = DenseCrf(smoothness=1, appearance=6, appearance_pixels=15, appearance_levels=20, iterations=8)
    labels, confidence = decide_refined(crf, p, image)
    assert (p.argmax(0) == truth).mean() < 0.88
    assert (labels == truth).mean() > 0.98
    assert confidence is not None
    np.testing.assert_allclose(confidence, crf.refine(p, image).max(0), atol=1e-6)


def test_the_order_of_the_classes_does_not_matter() -> None:
    p, image = _scene(3)
    order = [2, 0, 1]
    np.testing.assert_allclose(
        DenseCrf().refine(p[order], image), DenseCrf().refine(p, image)[order], atol=1e-4
    )


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (37, 5), (61, 83)])
@pytest.mark.parametrize("small", [(1, 1), (20, 16), (90, 90)])
def test_any_size(size: tuple[int, int], small: tuple[int, int]) -> None:
    generator = np.random.default_rng(0)
    scores = generator.random((4, *small), dtype=np.float32) ** 8  # some of them nearly zero
    image = generator.integers(0, 256, (*size, 3)).astype(np.uint8)
    found = DenseCrf().refine(scores / scores.sum(0), image)
    assert found.shape == (4, *size)
    assert found.dtype == np.float32
    assert found.min() >= 0
    np.testing.assert_allclose(found.sum(0), 1, atol=1e-5)


def test_a_large_photo_is_refined_at_a_smaller_size() -> None:
    p, image = _scene(4)
    large = image.repeat(8, 0).repeat(8, 1)
    crf = DenseCrf(
        smoothness=1, appearance=6, appearance_pixels=15, appearance_levels=20, most_pixels=48 * 60
    )
    assert crf._size((192, 240), 3) == (48, 60)
    found = crf.refine(p, large)
    assert found.shape == (3, 192, 240)
    np.testing.assert_allclose(found.sum(0), 1, atol=1e-5)
    truth = np.zeros((192, 240), np.uint8)
    truth[32:144, 72:176] = 1
    assert (found.argmax(0) == truth).mean() > 0.97


def test_what_it_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="negative"):
        DenseCrf(appearance=-1)
    with pytest.raises(ConfigError, match="positive"):
        DenseCrf(appearance_levels=0)
    noise = np.random.default_rng(0).integers(0, 256, (4, 4, 3)).astype(np.uint8)
    p = np.full((2, 4, 4), 0.5, np.float32)
    with pytest.raises(ConfigError, match="too narrow"):
        DenseCrf(appearance_levels=1e-3).refine(p, noise)
    monkeypatch.setitem(sys.modules, "scipy", None)
    monkeypatch.setitem(sys.modules, "scipy.sparse", None)
    with pytest.raises(BackendError, match=r"pip install 'pixelwise\[crf\]'"):
        REFINEMENTS["crf"]()
    REFINEMENTS["guided"]()  # needs none of it
