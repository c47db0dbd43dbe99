"""Outlines of a segmentation: drawn in their order they give the labels back; simplified, nearly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from pixelwise.errors import ConfigError
from pixelwise.segmentation import Polygon, Segmentation
from pixelwise.types import Classes

CLASSES = Classes(("sky", "cat", "dog"))

masks = st.tuples(st.integers(1, 11), st.integers(1, 11)).flatmap(
    lambda size: arrays(np.uint8, size, elements=st.sampled_from([0, 1, 2, 255]))
)


def drawn(polygons: list[Polygon], size: tuple[int, int]) -> np.ndarray:
    canvas = Image.new("L", (size[1], size[0]), 255)
    for polygon in polygons:
        polygon.draw(canvas, 255 if polygon.name is None else CLASSES.names.index(polygon.name))
    return np.asarray(canvas)


def test_a_ring_by_hand() -> None:
    ring = np.full((5, 5), 255, np.uint8)
    ring[1:4, 1:4] = 1
    ring[2, 2] = 0
    around, hole = Segmentation(ring, CLASSES).polygons()
    assert (around.name, around.area, around.deviation) == ("cat", 9, 0.0)
    assert sorted(map(tuple, around.points.tolist())) == [(1, 1), (1, 3), (3, 1), (3, 3)]
    assert (hole.name, hole.area, hole.points.tolist()) == ("sky", 1, [[2, 2]])
    # Asked for alone, the cat has a hole that takes it away again.
    alone = Segmentation(ring, CLASSES).polygons("cat")
    assert [(p.name, p.area) for p in alone] == [("cat", 9), (None, 1)]
    assert [p.name for p in Segmentation(ring, CLASSES).polygons("cat", min_area=2)] == ["cat"]


@settings(max_examples=80, deadline=None, derandomize=True)
@given(masks)
def test_drawn_they_are_the_labels(mask: np.ndarray) -> None:
    segmentation = Segmentation(mask, CLASSES)
    assert np.array_equal(drawn(segmentation.polygons(), mask.shape), mask)
    for value, name in enumerate(CLASSES.names):
        alone = drawn(segmentation.polygons(name), mask.shape)
        assert np.array_equal(alone, np.where(mask == value, value, 255))


def test_nothing_is_drawn_that_is_there_already() -> None:
    """A gap between two classes is in no outline, so that it need not be taken away again."""
    mask = np.array([[0, 0, 1, 1], [0, 255, 255, 1], [0, 0, 1, 1]], np.uint8)
    assert [p.name for p in Segmentation(mask, CLASSES).polygons()] == ["sky", "cat"]


def test_a_disc_simplified() -> None:
    rows, columns = np.mgrid[:101, :101]
    distance = np.hypot(rows - 50, columns - 50)
    segmentation = Segmentation((distance <= 40).astype(np.uint8), CLASSES)
    (exact,) = segmentation.polygons("cat")
    (simple,) = segmentation.polygons("cat", tolerance=1)
    assert len(exact.points) > 100
    assert 8 <= len(simple.points) <= 30
    assert 0 < simple.deviation <= 1
    # A pixel farther than the tolerance from the circle's edge, and half a pixel's diagonal, is as it was.
    again = drawn([simple], (101, 101)) == 1
    assert again[distance < 38].all()
    assert not again[distance > 42].any()


def test_a_tolerance_beyond_any_size_leaves_triangles() -> None:
    (box,) = Segmentation(np.ones((9, 5), np.uint8), CLASSES).polygons("cat", tolerance=1000)
    assert len(box.points) == 3
    # The corner that is left out is the one whose distance from the diagonal of 8 by 4 is 8 * 4 / sqrt(80).
    assert box.deviation == pytest.approx(32 / 80**0.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tolerance": -1}, "tolerance is a distance in pixels, 0 or more, got -1"),
        ({"tolerance": float("inf")}, "got inf"),
        ({"min_area": 0}, "min_area is a number of pixels, at least 1, got 0"),
    ],
)
def test_what_cannot_be(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Segmentation(np.zeros((2, 2), np.uint8), CLASSES).polygons(**arguments)


def test_real_people(real_data: Path) -> None:
    for path in sorted((real_data / "people" / "masks").glob("*.png"))[:4]:
        mask = (np.asarray(Image.open(path)) > 0).astype(np.uint8)
        segmentation = Segmentation(mask, CLASSES)
        exact, simple = segmentation.polygons("cat"), segmentation.polygons("cat", tolerance=1)
        assert np.array_equal(drawn(exact, mask.shape) == 1, mask == 1)
        assert sum(len(p.points) for p in simple) < 0.35 * sum(len(p.points) for p in exact)
        changed = (drawn(simple, mask.shape) == 1) != (mask == 1)
        assert changed.mean() < 0.01
