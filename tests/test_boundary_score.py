"""Boundary scores: hand-worked, against a search over all pairs, and whatever way the set was cut."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.boundary_score import TOLERANCE, BoundaryCounts, boundary_scores
from pixelwise.errors import ConfigError, DataError
from pixelwise.types import Classes

AB = Classes(("a", "b"))


def counted(
    prediction: object, target: object, *, classes: int = 2, tolerance: float = TOLERANCE
) -> np.ndarray:
    found = BoundaryCounts(classes, tolerance=tolerance)
    found.update(np.asarray(prediction, np.uint8), np.asarray(target, np.uint8))
    return found.counts


def steps(height: int, width: int, column: int) -> np.ndarray:
    """Class 0 left of a column, class 1 from there on."""
    return np.tile((np.arange(width) >= column).astype(np.uint8), (height, 1))


def test_a_right_mask_scores_one() -> None:
    truth = steps(4, 6, 3)
    # Columns 2 and 3 touch: four boundary pixels of each class, and the picture's edge makes none.
    assert counted(truth, truth).tolist() == [[4, 4, 4, 4], [4, 4, 4, 4]]


def test_a_moved_outline_counts_up_to_the_tolerance() -> None:
    truth, moved = steps(5, 40, 20), steps(5, 40, 23)
    diagonal = math.hypot(5, 40)
    assert counted(moved, truth, tolerance=3 / diagonal).tolist() == [[5, 5, 5, 5], [5, 5, 5, 5]]
    assert counted(moved, truth, tolerance=2.99 / diagonal).tolist() == [[0, 5, 0, 5], [0, 5, 0, 5]]


def test_one_pixel_is_always_within() -> None:
    # 0.75% of the diagonal is nothing here, but one pixel is let pass, and not a second.
    assert counted(steps(2, 8, 4), steps(2, 8, 5))[:, 0].tolist() == [2, 2]
    assert counted(steps(2, 8, 4), steps(2, 8, 6))[:, 0].tolist() == [0, 0]


def test_precision_recall_and_f_by_hand() -> None:
    truth = np.zeros((9, 9), np.uint8)
    truth[1, 1] = 1  # a dot of class 1: itself its boundary, and four pixels of class 0 around it
    predicted = truth.copy()
    predicted[1, 7] = predicted[7, 7] = 1  # and two that are not there
    found = BoundaryCounts(2)
    found.update(predicted, truth)
    assert found.counts.tolist() == [[4, 12, 4, 4], [1, 3, 1, 1]]
    scores = boundary_scores(found, AB)
    assert scores.precision == (1 / 3, 1 / 3)
    assert scores.recall == (1, 1)
    assert scores.f_score == (pytest.approx(0.5), pytest.approx(0.5))  # 2 * 1/3 / (4/3)
    assert scores.mean_f_score == pytest.approx(0.5)


def test_another_class_nearby_matches_nothing() -> None:
    truth = steps(3, 8, 4)
    predicted = np.where(truth == 1, np.uint8(2), truth)
    assert counted(predicted, truth, classes=3).tolist() == [[3, 3, 3, 3], [0, 0, 0, 3], [0, 3, 0, 0]]


def test_ignored_pixels_make_no_boundary() -> None:
    truth = steps(3, 9, 4)
    truth[:, 4] = 255
    # Truth: 0000 ignored 1111: nothing touches. The prediction changes under the ignored column: not counted.
    assert counted(steps(3, 9, 4), truth).tolist() == [[0, 0, 0, 0], [0, 0, 0, 0]]
    # One that changes two columns later is a boundary that is not there.
    assert counted(steps(3, 9, 6), truth).tolist() == [[0, 3, 0, 0], [0, 3, 0, 0]]


def test_absent_and_missed_classes() -> None:
    found = BoundaryCounts(3)
    found.update(np.zeros((4, 4), np.uint8), steps(4, 4, 2))
    scores = boundary_scores(found, Classes(("a", "b", "c")))
    assert scores.f_score == (0, 0, None)
    assert scores.precision == (None, None, None)
    assert scores.recall == (0, 0, None)
    assert scores.absent == ("c",)
    assert scores.mean_f_score == 0
    assert "tolerance" in json.loads(json.dumps(scores.to_json()))
    nothing = boundary_scores(BoundaryCounts(2), AB)
    assert nothing.mean_f_score is None
    assert nothing.absent == ("a", "b")


def _by_search(prediction: np.ndarray, target: np.ndarray, classes: int, tolerance: float) -> np.ndarray:
    """All pairs of boundary pixels, one after the other."""
    h, w = target.shape
    reach = max(1.0, tolerance * math.hypot(h, w))
    maps = (np.where(target == 255, 255, prediction), target)

    def boundary(labels: np.ndarray, class_: int) -> list[tuple[int, int]]:
        found = []
        for y, x in np.argwhere(labels == class_).tolist():
            around = ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1))
            inside = [labels[p] for p in around if 0 <= p[0] < h and 0 <= p[1] < w]
            if any(value not in (class_, 255) for value in inside):
                found.append((y, x))
        return found

    result = np.zeros((classes, 4), np.int64)
    for class_ in range(classes):
        ours, theirs = (boundary(labels, class_) for labels in maps)
        for column, (some, others) in enumerate(((ours, theirs), (theirs, ours))):
            near = [any((a - c) ** 2 + (b - d) ** 2 <= reach**2 for c, d in others) for a, b in some]
            result[class_, 2 * column : 2 * column + 2] = sum(near), len(near)
    return result


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from([2, 3, 9, 90]),
    st.tuples(st.integers(1, 14), st.integers(1, 14)),
    st.sampled_from([0.0, 0.1, 0.17, 0.3, 1.0]),
)
def test_against_a_search_over_all_pairs(
    seed: int, classes: int, size: tuple[int, int], tolerance: float
) -> None:
    generator = np.random.default_rng(seed)
    prediction = generator.integers(0, classes, size).astype(np.uint8)
    target = np.where(generator.random(size) < 0.7, prediction, generator.integers(0, classes, size)).astype(
        np.uint8
    )
    target[generator.random(size) < 0.1] = 255
    np.testing.assert_array_equal(
        counted(prediction, target, classes=classes, tolerance=tolerance),
        _by_search(prediction, target, classes, tolerance),
    )


def test_more_classes_than_a_word_has_bits() -> None:
    truth = np.arange(150, dtype=np.uint8).reshape(10, 15)
    assert counted(truth, truth, classes=150).sum(0).tolist() == [150] * 4


def test_parts_add_up_and_the_order_does_not_matter() -> None:
    generator = np.random.default_rng(3)
    maps = generator.integers(0, 2, (4, 2, 12, 10)).astype(np.uint8)
    whole, first, second = BoundaryCounts(2), BoundaryCounts(2), BoundaryCounts(2)
    for number, (prediction, target) in enumerate(maps):
        whole.update(prediction, target)
        (first if number in (0, 3) else second).update(prediction, target)
    second.merge(first)
    np.testing.assert_array_equal(whole.counts, second.counts)
    with pytest.raises(ValueError, match="tolerance"):
        whole.merge(BoundaryCounts(2, tolerance=0.5))


def test_what_it_refuses() -> None:
    found = BoundaryCounts(2)
    truth = np.zeros((4, 4), np.uint8)
    with pytest.raises(DataError, match=r"one shape \(H, W\)"):
        found.update(truth[:2], truth)
    with pytest.raises(DataError, match="uint8"):
        found.update(truth.astype(np.int64), truth)
    with pytest.raises(DataError, match="the prediction holds 7"):
        found.update(truth + np.uint8(7), truth)
    with pytest.raises(DataError, match="the truth holds 2"):
        found.update(truth, truth + np.uint8(2))
    assert found.counts.sum() == 0
    with pytest.raises(ConfigError, match=r"0\.\.1, got 4\.5"):
        BoundaryCounts(2, tolerance=4.5)
