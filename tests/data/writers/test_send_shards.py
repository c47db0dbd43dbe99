"""Shards sent to an object store: those that a folder would get, the index last; a failure leaves nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pixelwise.cli import main
from pixelwise.data import open_dataset
from pixelwise.data.dataset import Dataset
from pixelwise.data.drawn import draw_dataset
from pixelwise.data.shards.object_store import ObjectStore
from pixelwise.data.writers import convert
from pixelwise.data.writers.send import send_shards
from pixelwise.errors import ConfigError, DataError

URL = "memory://bucket/a set"


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    draw_dataset(tmp_path / "folder", pictures=9, size=(32, 40))
    return open_dataset(tmp_path / "folder")


@pytest.fixture
def files() -> Any:
    """fsspec's store in memory, empty."""
    memory = pytest.importorskip("fsspec").filesystem("memory")
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]
    return memory


class Watched(ObjectStore):
    """Notes what is put, and fails at one of them."""

    def __init__(self, fails_at: int = 99) -> None:
        super().__init__("memory")
        self.fails_at, self.names = fails_at, list[str]()

    def put(self, local: Path, url: str) -> None:
        if len(self.names) == self.fails_at:
            raise DataError("the bucket is full")
        assert len(list(local.parent.glob("*.tar"))) <= 1  # the others are gone from this disk
        self.names.append(local.name)
        super().put(local, url)


def test_the_store_gets_what_a_folder_gets_and_the_index_last(
    dataset: Dataset, tmp_path: Path, files: Any
) -> None:
    convert(dataset, tmp_path / "usual", "shards")
    store = Watched()
    limit = 3 * (tmp_path / "usual" / "data-00000.tar").stat().st_size // 4
    count, notes = send_shards(dataset, URL, store, limit=limit, progress=None)
    assert (count, notes) == (9, ())
    assert store.names == ["data-00000.tar", "data-00001.tar", "index.jsonl"]
    files.get("/bucket/a set/", str(tmp_path / "got"), recursive=True)
    again = open_dataset(tmp_path / "got")
    for number in range(9):
        mine, theirs = again.reader[number], dataset.reader[number]
        assert (mine.image == theirs.image).all()
        assert (mine.mask == theirs.mask).all()
    with pytest.raises(ConfigError, match="holds something already"):
        send_shards(dataset, URL, store, limit=limit, progress=None)


def test_a_failure_leaves_nothing_there(dataset: Dataset, files: Any) -> None:
    with pytest.raises(DataError, match="the bucket is full"):
        send_shards(dataset, URL, Watched(fails_at=2), limit=20_000, progress=None)
    assert not files.find("/bucket")


@pytest.mark.parametrize(("target", "layout"), [("s3://bucket/x", "folder"), ("https://host/x", "shards")])
def test_what_takes_no_data_sets(
    target: str, layout: str, dataset: Dataset, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["convert", str(tmp_path / "folder"), target, "--to", layout]) == 2
    assert "only to an object store (s3://, gs://)" in " ".join(capsys.readouterr().err.split())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder"]  # no folder of that name
