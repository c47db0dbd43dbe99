"""Overlays of one size, even, with one legend."""

from __future__ import annotations

import numpy as np
import pytest
from clips import BOX, CLASSES, scene

from pixelwise import drawing
from pixelwise.segmentation import Segmentation
from pixelwise.types import Classes
from pixelwise.video.draw import Canvas


def _segmentation(size: tuple[int, int], number: int = 0, classes: Classes = CLASSES) -> Segmentation:
    picture = scene(number, size)
    labels = (picture == BOX).all(2).astype(np.uint8)
    return Segmentation(labels=labels, classes=classes, image=picture)


def test_it_is_the_overlay_of_photos() -> None:
    segmentation = _segmentation((48, 64))
    canvas = Canvas(CLASSES, (48, 64), opacity=0.3, legend=False)
    expected = np.asarray(segmentation.overlay(opacity=0.3, legend=False))
    np.testing.assert_array_equal(canvas.draw(segmentation), expected)


def test_the_legend_stays_the_same_whatever_is_seen() -> None:
    canvas = Canvas(CLASSES, (240, 320), opacity=0.5, legend=True)
    assert canvas.has_legend
    first = canvas.draw(_segmentation((240, 320)))
    empty = Segmentation(np.zeros((240, 320), np.uint8), CLASSES, scene(0, (240, 320)))
    second = canvas.draw(empty)
    assert first.shape == second.shape == (*canvas.size, 3)
    assert canvas.size[0] > 240
    np.testing.assert_array_equal(first[240:], second[240:])
    for colour in CLASSES.colours:
        assert (first[240:] == np.array(colour)).all(2).any()


def test_a_legend_that_would_take_more_than_a_third_is_left_out() -> None:
    many = Classes(tuple(f"class number {i}" for i in range(150)))
    canvas = Canvas(many, (480, 640), opacity=0.5, legend=True)
    assert not canvas.has_legend
    assert canvas.size == (480, 640)


@pytest.mark.parametrize("size", [(47, 63), (48, 63), (47, 64), (1, 1)])
def test_odd_sizes_repeat_the_last_row_and_column(size: tuple[int, int]) -> None:
    canvas = Canvas(CLASSES, size, opacity=0.5, legend=False)
    labels = np.zeros(size, np.uint8)
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    drawn = canvas.draw(Segmentation(labels, CLASSES, picture))
    assert drawn.shape[0] % 2 == drawn.shape[1] % 2 == 0
    inside = drawing.blend(picture, labels, CLASSES.colours, opacity=0.5)
    pad = ((0, size[0] % 2), (0, size[1] % 2), (0, 0))
    np.testing.assert_array_equal(drawn, np.pad(inside, pad, mode="edge"))


def test_a_later_frame_of_another_size_is_drawn_at_the_first_ones() -> None:
    canvas = Canvas(CLASSES, (48, 64), opacity=0.5, legend=False)
    assert canvas.draw(_segmentation((96, 128))).shape == (48, 64, 3)
