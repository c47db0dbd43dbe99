"""Connected pieces of a segmentation and the boxes round them: by hand, and against flood fill's sums."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pixelwise.errors import ConfigError
from pixelwise.segmentation import Box, Segmentation
from pixelwise.types import Classes

CLASSES = Classes(("sky", "cat", "dog"))
SCENE = np.array(
    [
        [0, 0, 0, 0, 0, 2],
        [0, 1, 1, 0, 2, 0],
        [0, 1, 1, 0, 0, 0],
        [255, 0, 0, 0, 0, 1],
    ],
    np.uint8,
)

masks = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda size: arrays(np.uint8, size, elements=st.sampled_from([0, 1, 2, 255]))
)


def test_by_hand() -> None:
    confidence = np.where(SCENE == 1, 0.75, 0.5).astype(np.float32)
    confidence[1, 1] = 0.95
    found = Segmentation(SCENE, CLASSES, confidence=confidence).components()
    # 24 pixels, one of them ignored: 23 count. The dog's two pixels touch at a corner. The sky's right part
    # hangs together with the rest below the dog; its corner at (0, 4) touches the rest too.
    assert [(c.name, c.area, c.box) for c in found] == [
        ("sky", 16, Box(0, 0, 6, 4)),
        ("cat", 4, Box(1, 1, 3, 3)),
        ("dog", 2, Box(4, 0, 6, 2)),
        ("cat", 1, Box(5, 3, 6, 4)),
    ]
    assert [c.share for c in found] == [16 / 23, 4 / 23, 2 / 23, 1 / 23]
    # (0.95 + 3 * 0.75) / 4
    assert [c.confidence for c in found] == pytest.approx([0.5, 0.8, 0.5, 0.75])
    assert found[1].mask().tolist() == [
        [False] * 6,
        [False, True, True, False, False, False],
        [False, True, True, False, False, False],
        [False] * 6,
    ]


def test_of_one_class() -> None:
    segmentation = Segmentation(SCENE, CLASSES)
    first, second = segmentation.components("cat")
    assert (first.area, second.area, first.confidence, first.size) == (4, 1, None, (4, 6))
    assert segmentation.components("cat", min_area=2)[0].box == first.box
    assert len(segmentation.components(min_area=2)) == 3
    assert segmentation.components("cat", min_area=5) == []
    with pytest.raises(ConfigError, match="min_area is a number of pixels, at least 1, got 0"):
        segmentation.components(min_area=0)


def test_a_box_in_other_words() -> None:
    (box, _) = Segmentation(SCENE, CLASSES).boxes("cat")
    left, top, right, bottom = box
    assert (left, top, right, bottom) == (1, 1, 3, 3)
    assert box.xywh == (1, 1, box.width, box.height) == (1, 1, 2, 2)
    assert (SCENE[box.slices] == 1).all()
    assert box.grown(2, (4, 6)) == Box(0, 0, 5, 4)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(masks)
def test_pieces_make_up_the_picture(mask: np.ndarray) -> None:
    segmentation = Segmentation(mask, CLASSES)
    drawn = np.full(mask.shape, 255, np.uint8)
    times = np.zeros(mask.shape, int)
    found = segmentation.components()
    for piece in found:
        inside = piece.mask()
        drawn[inside] = CLASSES.names.index(piece.name)
        times += inside
        assert piece.area == inside.sum()
        rows, columns = np.nonzero(inside)
        assert piece.box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert np.array_equal(drawn, mask)
    assert np.array_equal(times, mask != 255)
    assert sum(piece.area for piece in found) == segmentation.counted()
    assert sum(piece.share for piece in found) == pytest.approx(float(bool(found)))
    assert [piece.area for piece in found] == sorted((piece.area for piece in found), reverse=True)
    by_class = [piece.box for name in CLASSES.names for piece in segmentation.components(name)]
    assert sorted(by_class) == sorted(segmentation.boxes())


@settings(max_examples=30, deadline=None, derandomize=True)
@given(masks, st.integers(0, 2**32 - 1))
def test_confidence_is_the_mean_of_the_pixels(mask: np.ndarray, seed: int) -> None:
    confidence = np.random.default_rng(seed).random(mask.shape, np.float32)
    for piece in Segmentation(mask, CLASSES, confidence=confidence).components():
        assert piece.confidence == pytest.approx(confidence[piece.mask()].mean(), abs=1e-6)


def test_labels_that_are_a_view() -> None:
    wide = np.zeros((6, 8), np.uint8)
    wide[::2, ::2] = 1
    assert len(Segmentation(wide[::2, ::2], CLASSES).components()) == 1
    assert Segmentation(wide.T, CLASSES).boxes("cat", min_area=1)[0].width == 1
