"""Connected pieces: drawn by hand, and against flood fill pixel by pixel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pixelwise.data.components import connected_components

Mask = npt.NDArray[np.uint8]


def picture(text: str) -> Mask:
    return np.array([[int(c) for c in line] for line in text.split()], np.uint8)


def flood(mask: Mask) -> list[tuple[int, int, int, int]]:
    """(first pixel, id, area, boundary) of each piece, in order, by walking from pixel to pixel."""
    height, width = mask.shape
    seen = np.zeros(mask.shape, bool)
    pieces = []
    for start in range(height * width):
        if seen.flat[start]:
            continue
        label, area, boundary, todo = int(mask.flat[start]), 0, 0, [divmod(start, width)]
        seen.flat[start] = True
        while todo:
            y, x = todo.pop()
            area += 1
            for dy in (-1, 0, 1):
                for dx in (-1, 0, 1):
                    v, u = y + dy, x + dx
                    same = 0 <= v < height and 0 <= u < width and mask[v, u] == label
                    boundary += not same and abs(dy) + abs(dx) == 1
                    if same and not seen[v, u]:
                        seen[v, u] = True
                        todo.append((v, u))
        pieces.append((start, label, area, boundary))
    return pieces


def found(mask: Mask) -> list[tuple[int, int, int, int]]:
    pieces = connected_components(mask)
    first = np.unique(pieces.numbers(), return_index=True)[1]
    columns = (first, pieces.labels, pieces.areas, pieces.boundaries)
    return [tuple(int(v) for v in row) for row in zip(*columns, strict=True)]


def test_a_box_on_a_ground() -> None:
    pieces = connected_components(picture("0000 0110 0110 0000"))
    assert pieces.labels.tolist() == [0, 1]
    assert pieces.areas.tolist() == [12, 4]
    # The box has 4 sides of 2. The ground has those 8, and the picture's edge: 4 sides of 4.
    assert pieces.boundaries.tolist() == [24, 8]
    assert pieces.breadths().tolist() == [4 * 12 / 24, 2.0]


def test_corners_touch() -> None:
    """Both diagonals of a checkerboard are one piece each; so is a slanted line."""
    assert [p[1:3] for p in found(picture("01 10"))] == [(0, 2), (1, 2)]
    assert [p[1:3] for p in found(picture("1000 0100 0010 0001"))] == [(1, 4), (0, 12)]


def test_a_bar_is_thin_whatever_its_length() -> None:
    """4 * area / boundary of a bar of 4 x 100: 1600 / 208 = 7.69; its equivalent diameter is 22.6."""
    mask = np.zeros((120, 20), np.uint8)
    mask[10:110, 8:12] = 1
    pieces = connected_components(mask)
    assert pieces.breadths()[pieces.labels == 1].tolist() == [pytest.approx(1600 / 208)]


@pytest.mark.parametrize(
    "text",
    [
        "1",
        "1111",
        "1 1 1",
        # A spiral, a comb whose teeth meet only below, a U in a U: what one pass over the rows gets wrong.
        "1111111 0000001 1111101 1000101 1011101 1000001 1111111",
        "1010101 1010101 1111111",
        "1000001 1011101 1010101 1011101 1000001 1111111",
        "0101010 1010101 0101010",
    ],
)
def test_shapes_that_meet_late(text: str) -> None:
    assert found(picture(text)) == flood(picture(text))


@settings(deadline=None, derandomize=True, max_examples=100)
@given(
    hnp.arrays(
        np.uint8,
        st.tuples(st.integers(1, 14), st.integers(1, 14)),
        elements=st.sampled_from([0, 1, 2, 255]),
    )
)
def test_as_flood_fill_says(mask: Mask) -> None:
    before = mask.copy()
    assert found(mask) == flood(mask)
    assert np.array_equal(mask, before)


def test_large_noise() -> None:
    """Many long chains of runs: noise just above the density at which pieces grow together."""
    mask = (np.random.default_rng(0).random((150, 150)) < 0.42).astype(np.uint8)
    assert found(mask) == flood(mask)
