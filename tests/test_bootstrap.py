"""Intervals over pictures: against the plain bootstrap, and whether they hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from pixelwise.bootstrap import Bootstrap


def pictures(count: int, *, seed: int) -> np.ndarray:
    """Confusion matrices `(count, 3, 3)` of pictures that differ in difficulty; the third class is rare."""
    generator = np.random.default_rng(seed)
    result = np.zeros((count, 3, 3), np.int64)
    for counts in result:
        right = generator.beta(6, 2)
        true = generator.multinomial(1000, (0.6, 0.38, 0.02))
        for k in range(3):
            counts[k] = generator.multinomial(true[k], np.where(np.arange(3) == k, right, (1 - right) / 2))
    return result


def miou(counts: np.ndarray) -> float:
    hit = np.diagonal(counts)
    return float((hit / (counts.sum(0) + counts.sum(1) - hit)).mean())


def bootstrap(matrices: np.ndarray, order: list[int] | None = None) -> Bootstrap:
    found = Bootstrap(3)
    for number in order or range(len(matrices)):
        found.add(matrices[number], number=number)
    return found


def test_against_sets_drawn_with_replacement() -> None:
    matrices = pictures(80, seed=0)
    generator = np.random.default_rng(1)
    plain = [miou(matrices[generator.integers(0, 80, 80)].sum(0)) for _ in range(4000)]
    low, high = np.percentile(plain, (2.5, 97.5))
    found = bootstrap(matrices).miou()
    assert found is not None
    assert found.low == pytest.approx(low, abs=0.1 * (high - low))
    assert found.high == pytest.approx(high, abs=0.1 * (high - low))
    assert found.low < miou(matrices.sum(0)) < found.high


def test_nineteen_of_twenty_sets_lie_within() -> None:
    """The figure of the whole population lies in about 95% of the intervals of sets drawn from it."""
    population = pictures(4000, seed=2)
    truth = miou(population.sum(0))
    generator = np.random.default_rng(3)
    held = 0
    for _ in range(100):
        interval = bootstrap(population[generator.choice(4000, 60, replace=False)]).miou()
        assert interval is not None
        held += interval.low <= truth <= interval.high
    assert held >= 88


def test_the_order_of_the_pictures_does_not_matter() -> None:
    matrices = pictures(10, seed=4)
    assert bootstrap(matrices).iou() == bootstrap(matrices, list(range(9, -1, -1))).iou()


def test_equal_pictures_leave_no_doubt_and_absent_classes_have_no_interval() -> None:
    one = np.array([[30, 10, 0], [10, 50, 0], [0, 0, 0]])
    found = bootstrap(np.stack([one] * 5))
    # IoU 30 / 50 and 50 / 70 in every replica that has a picture at all.
    first, second, third = found.iou()
    assert first is not None
    assert second is not None
    assert (first.low, first.high) == pytest.approx((0.6, 0.6))
    assert (second.low, second.high) == pytest.approx((5 / 7, 5 / 7))
    assert third is None
    whole = found.miou()
    assert whole is not None
    assert whole.low == pytest.approx((0.6 + 5 / 7) / 2)


def test_one_picture_says_nothing_of_others() -> None:
    found = bootstrap(pictures(1, seed=5))
    assert found.miou() is None
    assert found.iou() == [None] * 3
