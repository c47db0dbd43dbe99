"""Rows on disk are the rows of an array, and go without a trace."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.check.rows import ChosenRows, DiskRows, blocks
from pixelwise.errors import DataError


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 19), max_size=30))
def test_they_are_those_of_an_array(tmp_path_factory: pytest.TempPathFactory, places: list[int]):
    rows = np.random.default_rng(0).normal(size=(20, 3, 2)).astype(np.float32)
    disk = DiskRows((3, 2), np.float32, tmp_path_factory.getbasetemp())
    disk.append(rows[:7])
    disk.append(rows[7:])
    asked = np.array(places, np.int64)
    np.testing.assert_array_equal(disk[asked], rows[asked])
    half = np.arange(0, 20, 2)
    np.testing.assert_array_equal(ChosenRows(disk, half)[asked // 2], rows[half][asked // 2])
    assert (len(disk), len(ChosenRows(disk, half))) == (20, 10)


def test_rows_that_were_not_written_are_zeros(tmp_path: Path):
    disk = DiskRows((2,), np.int16, tmp_path, count=4)
    disk[2] = np.array([5, -6], np.int16)
    assert disk[np.arange(4)].tolist() == [[0, 0], [0, 0], [5, -6], [0, 0]]
    with pytest.raises(IndexError, match="4 rows"):
        disk[np.array([4])]


def test_records_and_no_rows_at_all(tmp_path: Path):
    disk = DiskRows((), np.dtype([("a", np.int32), ("b", np.bool_)]), tmp_path)
    assert len(disk[np.zeros(0, np.int64)]) == 0
    disk.append(np.array([(1, True), (2, False)], disk[np.zeros(0, np.int64)].dtype))
    assert disk[np.array([1])]["a"].tolist() == [2]


@pytest.mark.skipif(os.name != "posix", reason="elsewhere an open file keeps its name")
def test_the_file_has_no_name(tmp_path: Path):
    disk = DiskRows((2,), np.int16, tmp_path / "new", count=4)
    assert list((tmp_path / "new").iterdir()) == []
    assert len(disk) == 4


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    disk = DiskRows((2,), np.int16, tmp_path)

    class Full:
        def seek(self, place: int) -> None: ...

        def write(self, content: memoryview) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(disk, "_file", Full())
    with pytest.raises(DataError, match=r"No space left on device.*make room"):
        disk.append(np.zeros((1, 2), np.int16))
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        DiskRows((2,), np.int16, tmp_path / "file")


def test_blocks_cover_all_places_once():
    assert [block.tolist() for block in blocks(5, 2)] == [[0, 1], [2, 3], [4]]
    assert list(blocks(0, 2)) == []
