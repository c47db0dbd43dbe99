"""URLs that came as paths, and paths that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from pixelwise.address import absolute, member_url, plain_url, quoted, shown, url_of


@pytest.mark.parametrize("url", ["https://host/a/b", "http://h:80/x", "s3://bucket/key", "gs://bucket"])
def test_a_url_stays_one(url: str) -> None:
    assert url_of(url) == url_of(Path(url)) == url_of(f"{url}/") == url
    assert url_of(absolute(Path(url))) == url


@pytest.mark.parametrize(
    "path", ["data/set", "/https/x", "https", "https:", "c:/x", "s3", "./http:/x", "file:///x"]
)
def test_a_path_stays_one(path: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert url_of(path) is None
    assert absolute(path) == Path(path).resolve()


def test_members_and_signatures() -> None:
    assert member_url("https://h/a?s=1", "b c.tar") == "https://h/a/b c.tar?s=1"
    assert quoted("https://h/ä b%20c?s=1") == "https://h/%C3%A4%20b%20c?s=1"
    assert plain_url("https://h/a?s=1#x") == "https://h/a"
    assert shown("https://h/a?s=1") == "https://h/a"
    assert shown("/a/b") == "/a/b"
