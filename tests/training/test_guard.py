"""The guard's sentences: there when they should be, silent when not."""

from __future__ import annotations

import numpy as np
import pytest

from pixelwise.training import guard
from pixelwise.types import Classes

CLASSES = Classes(("road", "car"))


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), -float("inf")])
def test_a_broken_loss_names_step_and_remedy(loss: float) -> None:
    sentence = guard.broken_loss(loss, step=7, lr=0.1)
    assert sentence is not None
    assert "step 7" in sentence
    assert "--lr" in sentence


def test_a_finite_loss_is_fine() -> None:
    assert guard.broken_loss(1e30, step=1, lr=1) is None


def test_collapse_needs_a_swallowed_class() -> None:
    # 1000 true road, 1000 true car, and 1999 of 2000 predicted as road.
    sentence = guard.collapse(np.array([[1000, 0], [999, 1]]), CLASSES)
    assert sentence is not None
    assert "100.0%" in sentence or "99.9" in sentence
    assert "predicted as road" in sentence
    assert guard.collapse(np.array([[900, 100], [100, 900]]), CLASSES) is None


def test_collapse_is_not_cried_where_the_truth_is_nearly_one_class() -> None:
    assert guard.collapse(np.array([[990, 0], [10, 0]]), CLASSES) is None
    assert guard.collapse(np.zeros((2, 2), np.int64), CLASSES) is None
    assert guard.collapse(np.array([[5]]), Classes(("all",))) is None


def test_unseen_classes_are_named() -> None:
    sentence = guard.unseen_classes([10, 0], CLASSES, "training")
    assert sentence is not None
    assert sentence.startswith("car has no pixel in the training pictures: the network cannot learn")
    assert guard.unseen_classes([10, 1], CLASSES, "training") is None


def test_starving_proposes_what_helps() -> None:
    assert guard.starving(0.1, workers=2, cached=True) is None
    assert "--workers 4" in (guard.starving(0.5, workers=2, cached=True) or "")
    assert "--no-cache" in (guard.starving(0.5, workers=2, cached=False) or "")
