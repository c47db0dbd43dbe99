"""How well masks fit pictures: known moves and mirrors come back, and nothing is said of nothing."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pixelwise.check.fit import FARTHEST, Fit, bands_of, fit_of
from pixelwise.data.drawn import draw_scene
from pixelwise.errors import DataError
from pixelwise.types import Classes

SIDE = 256
CELL = 2
"""Pixels of a mask of 256x256 in a cell."""


def scene(index: int, size: tuple[int, int] = (SIDE, SIDE)) -> tuple[np.ndarray, np.ndarray]:
    return draw_scene(size, seed=5, index=index)


def box(top: int, left: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A bright box on grey, and its mask; a box without symmetry has a notch."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[top : top + height, left : left + width] = 1
    mask[top : top + height // 2, left : left + width // 3] = 0
    picture = np.where(mask[..., None] == 1, np.uint8(200), np.uint8(90)).repeat(3, 2)
    return picture, mask


def certain(fit: Fit | None) -> Fit:
    assert fit is not None
    return fit


def test_a_right_mask_fits_far_beyond_chance_and_best_where_it_is() -> None:
    for index in range(4):
        fit = certain(fit_of(*scene(index)))
        assert fit.here > 15
        assert abs(fit.down) < 0.5
        assert abs(fit.right) < 0.5
        assert fit.moved == fit.here
        assert fit.here > 5 + max(fit.left_right, fit.up_down, fit.half_turn, fit.quarter_left)


def test_the_mask_of_another_picture_fits_by_chance() -> None:
    fits = [certain(fit_of(scene(index)[0], scene(index + 1)[1])).here for index in range(12)]
    # Twelve draws of about a standard normal: their mean is within 3 / sqrt(12) = 0.87.
    assert abs(np.mean(fits)) < 1
    assert max(fits) < 4


@pytest.mark.parametrize(("down", "right"), [(0, 5), (-7, 0), (12, -9), (FARTHEST - 2, 3)])
def test_a_known_move_is_recovered_exactly(down: int, right: int) -> None:
    picture, mask = box(90, 84, 60, 80)
    moved = np.roll(mask, (-down * CELL, -right * CELL), (0, 1))
    fit = certain(fit_of(picture, moved))
    assert (round(fit.down), round(fit.right)) == (down, right)
    assert abs(fit.down - down) < 0.1
    assert abs(fit.right - right) < 0.1
    assert fit.moved > fit.here + 5
    assert fit.moved == pytest.approx(certain(fit_of(picture, mask)).here, rel=0.02)


TURNS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "left_right": np.fliplr,
    "up_down": np.flipud,
    "half_turn": lambda mask: np.rot90(mask, 2),
    "transposed": np.transpose,
    # The field says how the mask must be turned to fit, so that the fault is the opposite turn.
    "quarter_left": lambda mask: np.rot90(mask, -1),
    "quarter_right": lambda mask: np.rot90(mask, 1),
}


@pytest.mark.parametrize("way", TURNS)
def test_a_turn_is_recovered_with_the_fit_that_the_right_mask_has(way: str) -> None:
    picture, mask = scene(1)
    right = certain(fit_of(picture, mask)).here
    fit = certain(fit_of(picture, np.ascontiguousarray(TURNS[way](mask))))
    numbers = {name: getattr(fit, name) for name in TURNS}
    assert max(numbers, key=numbers.__getitem__) == way
    # The same sum, in units of what chance gives the turned mask instead of the right one.
    assert numbers[way] == pytest.approx(right, rel=0.15)
    assert numbers[way] > fit.here + 8


def test_the_object_s_edge_lies_in_the_middle_of_an_ignored_band() -> None:
    picture, mask = box(80, 70, 100, 90)
    image = np.pad(mask, 3, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(image, (7, 7))
    banded = mask.copy()
    banded[windows.min((2, 3)) != windows.max((2, 3))] = 255  # within 3 pixels of a border
    plain, ignored = certain(fit_of(picture, mask)), certain(fit_of(picture, banded))
    assert ignored.here > 0.8 * plain.here
    assert abs(ignored.down) < 0.3
    assert abs(ignored.right) < 0.3
    named = np.where(banded == 255, np.uint8(2), banded)
    assert fit_of(picture, named, bands=(2,)) == ignored
    # Its two rims, taken for borders, lie 3 pixels beside the edge.
    assert certain(fit_of(picture, named)).here < ignored.here


def test_borders_of_large_ignored_areas_count_for_nothing() -> None:
    picture, mask = box(80, 70, 100, 90)
    mask[:60], mask[:, 220:] = 255, 255
    picture[:60] = 0
    fit = certain(fit_of(picture, mask))
    # The box has a border of 380 pixels, 190 cells; a cell beside it has its share.
    assert fit.here > 10
    only = np.zeros_like(mask)
    only[:60] = 255
    assert fit_of(picture, only) is None


def test_a_line_of_one_pixel_in_a_large_mask_is_seen() -> None:
    large = np.zeros((512, 512), np.uint8)
    large[201, 40:400] = 1
    large[60:460, 333] = 1
    picture = np.full((512, 512, 3), 90, np.uint8)
    picture[large == 1] = 250
    small = np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BOX))
    assert certain(fit_of(small, large)).here > 10


def test_no_score_without_borders_or_edges() -> None:
    picture, mask = scene(0)
    one, dot = np.ones_like(mask), np.zeros_like(mask)
    dot[100:102, 100:102] = 1
    assert fit_of(picture, one) is None
    assert fit_of(picture, np.full_like(mask, 255)) is None
    assert fit_of(picture, dot) is None
    assert fit_of(np.full_like(picture, 77), mask) is None


def test_noise_pictures_give_chance() -> None:
    generator = np.random.default_rng(3)
    fits = [
        certain(fit_of(generator.integers(0, 256, (SIDE, SIDE, 3), np.uint8), scene(index)[1])).here
        for index in range(16)
    ]
    assert abs(np.mean(fits)) < 0.9  # 3.6 / sqrt(16)
    assert 0.4 < np.std(fits) < 1.8


def test_many_classes_are_told_apart() -> None:
    # 100 classes, each where its seed is the nearest; a brightness of its own for each.
    rows, columns = np.mgrid[:SIDE, :SIDE]
    seeds = np.random.default_rng(0).integers(0, SIDE, (100, 2))
    away = np.square(rows[..., None] - seeds[:, 0]) + np.square(columns[..., None] - seeds[:, 1])
    mask = away.argmin(2).astype(np.uint8)
    tone = np.random.default_rng(1).permutation(np.linspace(20, 250, 100)).astype(np.uint8)
    picture = tone[mask][..., None].repeat(3, 2)
    assert certain(fit_of(picture, mask)).here > 15


@settings(max_examples=12, deadline=None)
@given(index=st.integers(0, 30), down=st.integers(-20, 20), right=st.integers(-20, 20))
def test_moving_picture_and_mask_together_changes_next_to_nothing(index: int, down: int, right: int) -> None:
    picture, mask = scene(index)
    by = (down * CELL, right * CELL)
    before, after = (
        certain(fit_of(picture, mask)),
        certain(fit_of(np.roll(picture, by, (0, 1)), np.roll(mask, by, (0, 1)))),
    )
    assert after.here == pytest.approx(before.here, rel=0.15, abs=1)


@settings(max_examples=12, deadline=None)
@given(index=st.integers(0, 30), height=st.integers(60, 300), width=st.integers(60, 300))
def test_the_mask_s_own_size_matters_little(index: int, height: int, width: int) -> None:
    picture, mask = scene(index)
    other = np.asarray(Image.fromarray(mask).resize((width, height), Image.Resampling.NEAREST))
    assert certain(fit_of(picture, other)).here > 0.5 * certain(fit_of(picture, mask)).here


def test_the_same_arrays_give_the_same_numbers_and_are_left_alone() -> None:
    picture, mask = scene(2)
    mask[:9] = 255
    kept = picture.copy(), mask.copy()
    picture.flags.writeable = mask.flags.writeable = False
    first = certain(fit_of(picture, mask, bands=(3,)))
    assert first == fit_of(picture, mask, bands=(3,))
    assert np.array_equal(picture, kept[0])
    assert np.array_equal(mask, kept[1])
    assert Fit(**json.loads(json.dumps(dataclasses.asdict(first)))) == first


def test_bands_are_known_by_their_name() -> None:
    assert bands_of(Classes(("pet", "background", "border"))) == (2,)
    assert bands_of(Classes(("road", "Boundary", "car"))) == (1,)
    assert bands_of(Classes(("road", "borderland"))) == ()


def test_wrong_arrays_are_named() -> None:
    picture, mask = scene(0)
    with pytest.raises(DataError, match=r"\(H, W, 3\) uint8, got \(256, 256\)"):
        fit_of(picture[..., 0], mask)
    with pytest.raises(DataError, match="at least 128x128"):
        fit_of(picture[:100], mask)
    with pytest.raises(DataError, match=r"train ids, got .* int64"):
        fit_of(picture, mask.astype(np.int64))  # type: ignore[arg-type]
