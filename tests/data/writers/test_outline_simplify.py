"""Outlines with fewer points: no point that is left out is farther away than allowed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pixelwise.data.writers.simplify import simplify

chains = st.integers(1, 30).flatmap(lambda count: arrays(np.int64, (count, 2), elements=st.integers(-20, 20)))


def farthest(points: np.ndarray, outline: np.ndarray) -> float:
    """The greatest distance of a point from the closed outline, tried at many places of each line."""
    ends = np.roll(outline, -1, axis=0)
    places = np.linspace(0, 1, 401)[:, None, None]
    line = (outline + (ends - outline) * places).reshape(-1, 2)
    return max(float(np.hypot(*(line - point).T).min()) for point in points)


def test_a_staircase_becomes_a_line() -> None:
    steps = [[i + j, i] for i in range(20) for j in (0, 1)]
    outline = np.array([*steps, [0, 20]])
    short, deviation = simplify(outline, 1)
    assert short.tolist() == [[0, 0], [20, 19], [0, 20]]
    # The stairs' points (i, i) and (i + 1, i) beside the line from (0, 0) to (20, 19): |19 x - 20 y| / length
    assert deviation == pytest.approx(max(abs(19 * x - 20 * y) for x, y in steps) / np.hypot(20, 19))


def test_what_stays() -> None:
    square = np.array([[0, 0], [9, 0], [9, 9], [0, 9]])
    assert simplify(square, 1)[0] is not square
    assert simplify(square, 1)[0].tolist() == square.tolist()
    for few in (square[:1], square[:2], square[:3]):
        assert simplify(few, 100) == (few, 0.0)
    assert simplify(square, 0) == (square, 0.0)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(chains, st.floats(0.1, 12))
def test_no_point_is_farther_than_the_tolerance(points: np.ndarray, tolerance: float) -> None:
    short, deviation = simplify(points, tolerance)
    assert deviation <= tolerance
    assert len(short) <= len(points)
    assert farthest(points, short) <= deviation + 0.1  # the places tried are up to 0.07 from the nearest
    order = [tuple(p) for p in points.tolist()]
    place = 0
    for point in short.tolist():
        place = order.index(tuple(point), place) + 1
