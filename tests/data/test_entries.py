"""Samples packed: many names in little memory, whatever is in them."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwise.data import open_dataset
from pixelwise.data.entries import Entries, Entry, Texts
from pixelwise.data.listing import list_files
from pixelwise.errors import DataError


@given(st.lists(st.text(max_size=8)))
def test_texts_are_the_list_they_were_made_of(texts: list[str]) -> None:
    texts = [text.encode("utf-8", "surrogatepass").decode("utf-8", "replace") for text in texts]
    packed = Texts(texts)
    assert list(packed) == texts
    assert packed[-2:] == texts[-2:]
    with pytest.raises(IndexError):
        packed[len(texts)]


def test_names_that_are_no_utf8() -> None:
    name = os.fsdecode(b"caf\xe9")
    assert Texts([name])[0] == name


def test_entries() -> None:
    entries = Entries(Path("/set"))
    entries.add("a", "images/a.jpg", Path("/elsewhere/a.png"))
    entries.add("b", "images/b.jpg", "masks/b.png")
    assert entries[0] == Entry("a", Path("/set/images/a.jpg"), Path("/elsewhere/a.png"))
    assert entries[-1].labels == Path("/set/masks/b.png")
    assert [entry.name for entry in entries] == ["a", "b"]
    assert entries.places() == {"a": 0, "b": 1}
    assert entries[1:] == [entries[1]]


def test_a_hundred_thousand_samples_take_a_few_megabytes() -> None:
    tracemalloc.start()
    entries = Entries(Path("/set"))
    for number in range(100_000):
        entries.add(f"frame_{number:06d}", f"images/frame_{number:06d}.jpg", f"masks/frame_{number:06d}.png")
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used < 12e6  # 62 characters and three 8-byte places each; as `Path`s it was ten times that
    assert entries[77_777].image == Path("/set/images/frame_077777.jpg")


@pytest.fixture
def folder(make_set) -> Path:
    mask = np.array([[0, 1]], np.uint8)
    return make_set({"Äpfel und 苹果": mask, "x" * 200: mask, "b": mask}, classes="one\ntwo\n")


def test_long_and_foreign_names(folder: Path) -> None:
    dataset = open_dataset(folder)
    assert [e.name for e in dataset.reader.entries] == ["b", "x" * 200, "Äpfel und 苹果"]
    assert len(list(dataset.reader[2].mask)) == 1


def test_a_link_that_leads_nowhere(folder: Path) -> None:
    (folder / "images" / "b.png").unlink()
    (folder / "images" / "b.png").symlink_to("gone.png")
    reader = open_dataset(folder).reader
    with pytest.raises(DataError, match=r"b\.png: this link leads nowhere \(gone\.png\); mend or remove it"):
        reader[0]


def test_a_folder_that_may_not_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's refusal is made up, since the superuser may read everything."""
    real = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("masks"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=r"masks: the folder cannot be read \(Permission denied\)"):
        open_dataset(folder)


def test_files_are_listed_by_ending_at_any_depth(tmp_path: Path) -> None:
    for name in ("b.JSON", "a/x.json", "a/.hidden.json", ".git/y.json", "a/notes.txt", "json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    assert list_files(tmp_path, {".json"}) == (["a/x.json", "b.JSON"], ["a/notes.txt", "json"])
