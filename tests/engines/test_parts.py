"""A manifest in parts: what is read back, which of two parts is believed, and what is another job."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from many_pictures import JOB

from pixelwise.engines.parts import FOLDER, Done, Part, begin
from pixelwise.engines.store import LocalStore
from pixelwise.errors import DataError
from pixelwise.inference.manifest import Record


def _done(photo: str, checksum: str = "00") -> Done:
    record = Record(photo, checksum, {"mask": f"masks/{photo}.png"}, {"mask": "11"}, {"cat": 0.25})
    return Done(record, {"mask": 77}, "etag 5")


CHUNKS = [f"{number:024x}" for number in range(9)]


def test_a_part_comes_back_as_it_was_written(tmp_path: Path) -> None:
    parts, _ = begin(LocalStore(str(tmp_path)), JOB, resume=False)
    part = Part([_done("a"), _done("ö\udc80\n")], {"c": "no picture"})
    parts.write(CHUNKS[0], part)
    assert parts.read(parts.name(CHUNKS[0])) == part
    assert parts.read(parts.name(CHUNKS[1])) is None


def test_of_two_runs_the_later_is_believed_and_failures_are_tried_again(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    for run, checksum in enumerate(["old", "new"]):
        parts, index = begin(store, JOB, resume=run > 0)
        parts.write(CHUNKS[run], Part([_done("a", checksum), _done(f"only {run}")], {"bad": "why"}))
    parts, index = begin(store, JOB, resume=True)
    assert len(index.keys) == 3
    name = index.part_of("a")
    assert name == f"000002-{CHUNKS[1]}.jsonl"
    assert parts.done_in(name)["a"].record.checksum == "new"
    assert index.part_of("only 0") == f"000001-{CHUNKS[0]}.jsonl"
    assert index.part_of("bad") is None
    assert parts.run == 3


def test_beginning_anew_forgets(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    begin(store, JOB, resume=False)[0].write(CHUNKS[0], Part([_done("a")], {}))
    _, index = begin(store, JOB, resume=False)
    assert index.part_of("a") is None
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == ["job.json"]


def test_another_job_is_refused(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    begin(store, JOB, resume=False)
    with pytest.raises(DataError, match="begun with another model"):
        begin(store, {"model": "b"}, resume=True)


def test_a_line_that_is_damaged_costs_its_picture_alone(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    parts, _ = begin(store, JOB, resume=False)
    parts.write(CHUNKS[0], Part([_done("a"), _done("b")], {}))
    path = tmp_path / FOLDER / parts.name(CHUNKS[0])
    lines = path.read_text().splitlines()
    path.write_text(f'{lines[0][:30]}\n[1]\n{{"photo": 3}}\n{lines[1]}\n')
    _, index = begin(store, JOB, resume=True)
    assert (index.part_of("a"), index.part_of("b")) == (None, path.name)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.text(max_size=4), max_size=6), max_size=9))
def test_the_index_finds_the_last_part_of_every_picture(tmp_path_factory, runs: list[list[str]]) -> None:
    store = LocalStore(str(tmp_path_factory.mktemp("parts")))
    expected: dict[str, str] = {}
    begin(store, JOB, resume=False)
    for number, photos in enumerate(runs):
        parts, _ = begin(store, JOB, resume=True)
        parts.write(CHUNKS[number], Part([_done(photo) for photo in photos], {}))
        expected |= dict.fromkeys(photos, parts.name(CHUNKS[number]))
    _, index = begin(store, JOB, resume=True)
    assert {photo: index.part_of(photo) for photo in expected} == expected
    assert index.part_of("another") is None
