"""Which names belong together, and sets that are joined by pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwise.data.groups import group_of
from pixelwise.data.join import join


@pytest.mark.parametrize(
    ("name", "group", "number"),
    [
        ("train/0016E5_08159", "0016E5_#", 8159),
        ("val/0016E5_07959", "0016E5_#", 7959),
        ("0006R0_f00930", "0006R0_f#", 930),
        ("seq1/frame_000123", "seq1/frame_#", 123),
        (
            "leftImg8bit/train/aachen/aachen_000012_000019_leftImg8bit",
            "leftImg8bit/aachen/aachen_000012_#_leftImg8bit",
            19,
        ),
        ("0001", "#", 1),
        ("a/b/7x", "a/b/#x", 7),
        ("town/church", "town/", None),
        ("church", "", None),
        ("Train/cat", "", None),
        ("bad\udcff\n3", "bad\udcff\n#", 3),
        ("1" * 25, "1" * 7 + "#", 10**17 + (10**17 - 1) // 9),
    ],
)
def test_the_last_number_of_the_file_counts(name: str, group: str, number: int | None):
    assert group_of(name) == (group, number)


@given(st.integers(1, 30), st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=40))
def test_joined_are_those_that_a_walk_reaches(count: int, pairs: list[tuple[int, int]]):
    pairs = [(a % count, b % count) for a, b in pairs]
    smallest = list(range(count))
    for _ in range(count):  # each round carries the smallest number one pair further
        for a, b in pairs:
            smallest[a] = smallest[b] = min(smallest[a], smallest[b])
    a, b = np.array(pairs, np.int64).reshape(-1, 2).T
    assert join(count, a, b).tolist() == smallest
