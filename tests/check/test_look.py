"""What one look notes: hand-counted pixels and borders, faults by their kind, facts as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drawn_folder import draw_folder
from pixelwise.check.facts import Facts, Fault
from pixelwise.check.look import count_between, look
from pixelwise.data import open_dataset


def test_pixels_that_only_lead_from_one_id_to_another() -> None:
    # Row 0: 0 2 5: the 2 lies between. Row 1: 5 2 2. Columns: 0 5, 2 2, 5 2 are too short to lead anywhere.
    mask = np.array([[0, 2, 5], [5, 2, 2]], np.uint8)
    # Borders in rows: 0-2, 2-5, 5-2; in columns: 0-5, 5-2.
    assert count_between(mask) == (5, 1)


def test_ignored_pixels_lead_nowhere() -> None:
    # 0 2 255 and 255 3 1: neither 2 nor 3 is on a way between two classes.
    mask = np.array([[0, 2, 255], [255, 3, 1]], np.uint8)
    assert count_between(mask)[1] == 0


def test_drawn_borders_lead_nowhere() -> None:
    mask = np.zeros((40, 40), np.uint8)
    mask[10:30, 10:30] = 3
    mask[15:25, 15:25] = 1
    assert count_between(mask) == (4 * 20 + 4 * 10, 0)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_counting_is_what_the_slow_way_counts(seed: int) -> None:
    generator = np.random.default_rng(seed)
    mask = generator.choice([0, 1, 2, 7, 255], (6, 7)).astype(np.uint8)
    borders = between = 0
    for row in range(6):
        for column in range(7):
            here = int(mask[row, column])
            borders += column < 6 and here != mask[row, column + 1]
            borders += row < 5 and here != mask[row + 1, column]
            for a, b in (
                ((row, column - 1), (row, column + 1)),
                ((row - 1, column), (row + 1, column)),
            ):
                if min(*a, *b) < 0 or b[0] > 5 or b[1] > 6:
                    continue
                low, high = sorted((int(mask[a]), int(mask[b])))
                between += low < here < high and high != 255
    assert count_between(mask) == (borders, between)


def test_the_facts_of_a_sample_by_hand(tmp_path: Path) -> None:
    reader = open_dataset(draw_folder(tmp_path / "set", pictures=2)).reader
    facts = look(reader, 0)
    assert facts.fault is None
    assert facts.size == (40, 48)
    assert facts.pixels == {0: 40 * 48 - 13 * 16, 1: 13 * 16}  # a box of a third each way
    assert sum(facts.breadths.values()) == 40 * 48
    assert facts.borders == 2 * (13 + 16)
    assert facts.between == 0
    assert 45 < facts.brightness < 75
    assert facts.labels != look(reader, 1).labels
    assert facts.likeness is not None


def test_facts_come_back_from_json(tmp_path: Path) -> None:
    reader = open_dataset(draw_folder(tmp_path / "set", pictures=1)).reader
    facts = look(reader, 0)
    assert Facts.from_json(json.loads(json.dumps(facts.to_json()))) == facts
    fault = Facts(fault=Fault(kind="values", text="so", seen={3: 4, (1, 2, 3): 5}))
    assert Facts.from_json(json.loads(json.dumps(fault.to_json()))) == fault


@pytest.mark.parametrize(
    "value",
    [
        None,
        3,
        [],
        {},
        {"fault": "values"},
        {"fault": "values", "text": "", "seen": [[[1, 2], 3]]},
        {"size": [1]},
    ],
)
def test_anything_else_is_no_facts(value: object) -> None:
    assert Facts.from_json(value) is None
