"""Names of pictures: those of one process, without holding all; and hostile ones lead nowhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.engines.listing import Item, check_source, chunks, digest_of_chunk, find_items
from pixelwise.errors import ConfigError, DataError
from pixelwise.inference.photos import find_photos


def test_a_folder_is_named_as_in_one_process(photos: Path) -> None:
    (photos / ".hidden").mkdir()
    (photos / ".hidden" / "a.png").write_bytes(b"")
    (photos / "notes.md").write_text("no picture")
    mine = {item.address: item.name for item in find_items(str(photos))}
    assert mine == {str(photo.path): photo.name for photo in find_photos([str(photos)])}
    assert mine[str(photos / "01.png")] == "01.png"  # beside 01.jpg
    assert mine[str(photos / "02.png")] == "02"


def test_names_that_would_clash_are_told_of(tmp_path: Path) -> None:
    for name in ("a.png", "a.jpg", "a.png.gif"):  # a.png twice
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(DataError, match=r"both would be called a\.png"):
        list(find_items(str(tmp_path)))
    with pytest.raises(DataError, match="overwrite each other"):
        find_photos([str(tmp_path)])


def test_chunks_hold_so_many_and_are_named_by_their_content(photos: Path) -> None:
    some = list(chunks(str(photos), 4))
    assert [len(chunk) for chunk in some] == [4, 4, 1]
    assert [digest_of_chunk(c) for c in some] == [digest_of_chunk(c) for c in chunks(str(photos), 4)]
    assert digest_of_chunk([Item("a", "b", "1")]) != digest_of_chunk([Item("a", "b", "2")])


def test_an_object_store_gives_the_same_names_and_stamps(photos: Path, memory: Any) -> None:
    memory.put(str(photos), "/bucket/in", recursive=True)
    mine = [(item.address, item.name) for item in find_items("memory://bucket/in")]
    expected = [
        (f"memory://bucket/in/{photo.path.relative_to(photos).as_posix()}", photo.name)
        for photo in find_photos([str(photos)])
    ]
    assert sorted(mine) == sorted(expected)


def test_a_list_of_paths_and_urls(tmp_path: Path) -> None:
    url = "https://x.org/../../p/./a.jpg?size=3&b=/etc"
    lines = ["sub/a b.jpg", "", url, "s3://bucket/k.png", "/abs/c.png"]
    (tmp_path / "list.txt").write_text("\n".join(lines))
    found = list(find_items(str(tmp_path / "list.txt")))
    assert [(item.address, item.name) for item in found] == [
        (str(tmp_path / "sub/a b.jpg"), "sub/a b.jpg"),
        (url, "https/x.org/%2E%2E/%2E%2E/p/%2E/a.jpg%3Fsize=3&b=/etc"),
        ("s3://bucket/k.png", "s3/bucket/k.png"),
        ("/abs/c.png", "abs/c.png"),
    ]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1), unique=True))
def test_no_address_leads_out_and_no_two_have_one_name(tmp_path_factory: Any, paths: list[str]) -> None:
    path = tmp_path_factory.mktemp("list") / "list.txt"
    urls = [f"https://{'/'.join(part for part in text.split('/') if part)}" for text in paths]
    urls = sorted({url for url in urls if url != "https://"})
    path.write_text("\n".join(urls), encoding="utf-8")
    names = [item.name for item in find_items(str(path))]
    assert len(set(names)) == len(urls)
    for name in names:
        parts = name.split("/")
        assert parts[0] == "https"
        assert not {"", ".", ".."} & set(parts)
        assert all(len(part.encode()) <= 200 for part in parts)
        assert "\\" not in name


def test_a_list_from_elsewhere_names_no_files_here(memory: Any) -> None:
    memory.pipe_file("/bucket/list.txt", b"https://x.org/a.jpg\n/etc/passwd\n")
    found = find_items("memory://bucket/list.txt")
    assert next(found).address == "https://x.org/a.jpg"
    with pytest.raises(DataError, match=r"line 2 of memory://bucket/list.txt is a path of this machine"):
        next(found)


def test_what_cannot_be_listed_is_told_before(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such list"):
        check_source(str(tmp_path / "none.txt"))
    with pytest.raises(ConfigError, match="one folder, or a list"):
        check_source(str(tmp_path / "a.jpg"))
    with pytest.raises(ConfigError, match="neither lists its files nor takes new ones"):
        check_source("https://x.org/photos")
    with pytest.raises(ConfigError, match="can lie in a local folder or at s3://"):
        check_source("ftp://x.org/photos")
