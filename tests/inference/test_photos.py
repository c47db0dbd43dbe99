"""Which photos a command line names, and what their results are called."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from pixelwise.backends.fake import FakeBackend
from pixelwise.errors import DataError
from pixelwise.inference import Predictor
from pixelwise.inference.photos import find_photos, read_photos
from pixelwise.types import Classes, SizePolicy


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.jpg", "a.png", "sub/c.JPG", "sub/a.png", ".hidden/d.png", "._a.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (4, 3)).save(path, format="PNG")
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def test_a_folder_is_searched_and_sorted(folder: Path) -> None:
    assert [photo.name for photo in find_photos([str(folder)])] == ["a", "b", "sub/a", "sub/c"]


def test_globs_files_and_repetitions(folder: Path) -> None:
    names = [photo.name for photo in find_photos([str(folder / "b.jpg"), str(folder / "*.*g")])]
    assert names == ["b", "a"]  # a pattern's star does not take hidden files
    assert len(find_photos([str(folder / "b.jpg")] * 3)) == 1


def test_the_ending_tells_twins_apart(folder: Path) -> None:
    Image.new("RGB", (4, 3)).save(folder / "a.jpg")
    names = {photo.name for photo in find_photos([str(folder / "a.jpg"), str(folder / "a.png")])}
    assert names == {"a.jpg", "a.png"}


def test_results_never_overwrite_each_other(folder: Path) -> None:
    with pytest.raises(DataError, match="would overwrite each other"):
        find_photos([str(folder / "a.png"), str(folder / "sub" / "a.png")])


@pytest.mark.parametrize("source", ["missing.jpg", "*.tiff", "empty"])
def test_a_source_that_names_nothing(folder: Path, source: str) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(DataError, match=r"no picture|no such file"):
        find_photos([str(folder / source)])


def test_a_broken_photo_does_not_stop_the_others(folder: Path) -> None:
    (folder / "b.jpg").write_bytes(b"not a picture")
    predictor = Predictor(FakeBackend([(0, 0, 0)]), Classes(("all",)), SizePolicy("native", (8, 8)))
    results = list(read_photos(find_photos([str(folder)]), predictor))
    assert [isinstance(result, DataError) for _, result in results] == [False, True, False, False]
