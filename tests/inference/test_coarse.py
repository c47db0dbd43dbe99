"""Classes and probabilities from logits at a stride: those of the logits that torch enlarges and cuts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.inference import coarse as coarse_module
from pixelwise.inference.coarse import CoarseLogits
from pixelwise.inference.enlarge import decide, decide_labels, enlarge

CLOSE = 1e-5
"""Scores that near are within rounding of each other, so either class may win."""

shapes = st.tuples(st.integers(1, 7), st.integers(1, 7))
cases = st.tuples(
    st.integers(0, 10_000), st.integers(1, 12), st.sampled_from([1, 2, 3, 4, 8, 16, 32]), shapes, st.data()
)


def _enlarged(coarse: CoarseLogits) -> np.ndarray:
    """The slow and obvious way: all maps enlarged in float64, then cut."""
    logits = torch.from_numpy(coarse.logits)[None].double()
    if coarse.stride > 1:
        logits = F.interpolate(logits, scale_factor=coarse.stride, mode="bilinear", align_corners=False)
    height, width = coarse.size
    return logits[0, :, :height, :width].numpy()


def _drawn(seed: int, classes: int, stride: int, shape: tuple[int, int], data: st.DataObject) -> CoarseLogits:
    """Areas of one class and noise; the picture ends anywhere within the map, as within a frame."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(classes, *shape)).astype(np.float32)
    logits[rng.integers(classes), : shape[0] // 2 + 1] += 3
    sides = [rows if stride == 1 else data.draw(st.integers(1, rows * stride)) for rows in shape]
    return CoarseLogits(logits, stride, (sides[0], sides[1]))


@settings(max_examples=150, deadline=None)
@given(cases)
def test_it_is_what_enlarging_all_gives(case: tuple) -> None:
    coarse = _drawn(*case)
    whole = _enlarged(coarse)
    labels = coarse.labels()
    assert labels.shape == coarse.size
    assert labels.dtype == np.uint8
    chosen = np.take_along_axis(whole, labels[None].astype(np.int64), 0)[0]
    np.testing.assert_allclose(chosen, whole.max(0), rtol=0, atol=CLOSE)
    shares = torch.from_numpy(whole).softmax(0).numpy()
    np.testing.assert_allclose(coarse.probabilities(), shares, rtol=0, atol=CLOSE)
    wanted = np.random.default_rng(case[0]).random(coarse.size) < 0.3
    np.testing.assert_allclose(coarse.probabilities_at(wanted), shares[:, wanted], rtol=0, atol=CLOSE)


def test_a_stride_of_two_by_hand() -> None:
    # Logits of class 0 and of class 1 beside each other, for four pixels a row. Their centres lie at -0.25,
    # 0.25, 0.75 and 1.25 of the logits: the inner ones are mixed 3:1 and 1:3, beyond the border holds.
    logits = np.array([[[4.0, 0.0]], [[0.0, 4.0]]], np.float32)  # (2, 1, 2)
    coarse = CoarseLogits(logits, 2, (2, 4))
    assert coarse.labels().tolist() == [[0, 0, 1, 1]] * 2
    sure, mixed = 1 / (1 + np.exp(-4)), 1 / (1 + np.exp(-2))  # logits 4 and 0, then 3 and 1
    np.testing.assert_allclose(coarse.probabilities()[0], [[sure, mixed, 1 - mixed, 1 - sure]] * 2, rtol=1e-6)


def test_the_lowest_class_wins_a_tie() -> None:
    assert CoarseLogits(np.zeros((3, 2, 2), np.float32), 4, (7, 5)).labels().max() == 0
    assert CoarseLogits(np.zeros((3, 7, 5), np.float32), 1, (7, 5)).labels().max() == 0


def test_a_frame_below_and_right_is_looked_at_no_further_than_its_neighbours() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(3, 6, 6)).astype(np.float32)
    spoilt = logits.copy()
    spoilt[:, 4:], spoilt[:, :, 4:] = np.nan, np.nan
    # 25 rows at stride 8: the last pixel's centre lies before the fourth of the logits.
    for kind in (CoarseLogits.labels, CoarseLogits.probabilities):
        np.testing.assert_array_equal(
            kind(CoarseLogits(logits, 8, (25, 26))), kind(CoarseLogits(spoilt, 8, (25, 26)))
        )


@pytest.mark.parametrize("elements", [1, 50, 700])
def test_working_in_parts_changes_nothing(elements: int, monkeypatch: pytest.MonkeyPatch) -> None:
    logits = np.random.default_rng(1).normal(size=(5, 9, 11)).astype(np.float32)
    for stride, size in ((4, (33, 44)), (1, (9, 11))):
        whole = CoarseLogits(logits, stride, size)
        monkeypatch.setattr(coarse_module, "ELEMENTS", 1 << 18)
        labels, shares = whole.labels(), whole.probabilities()
        monkeypatch.setattr(coarse_module, "ELEMENTS", elements)
        np.testing.assert_array_equal(whole.labels(), labels)
        np.testing.assert_array_equal(whole.probabilities(), shares)


@settings(max_examples=120, deadline=None)
@given(cases, st.tuples(st.integers(-5, 60), st.integers(-5, 60)), st.integers(1, 3000))
def test_labels_at_another_size_are_those_of_the_probabilities(
    case: tuple, more: tuple[int, int], strip: int
) -> None:
    coarse = _drawn(*case)
    size = max(1, coarse.size[0] + more[0]), max(1, coarse.size[1] + more[1])
    found = decide_labels(coarse, size, strip_elements=strip)
    expected, _ = decide(coarse.probabilities(), size)
    scores = enlarge(coarse.probabilities(), size)
    assert found.shape == size
    best = np.take_along_axis(scores, expected[None].astype(np.int64), 0)[0]
    chosen = np.take_along_axis(scores, found[None].astype(np.int64), 0)[0]
    np.testing.assert_allclose(chosen, best, rtol=0, atol=CLOSE)
