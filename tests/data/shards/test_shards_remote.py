"""Shards on a server: the same samples, whatever the server does, or a sentence that says what it did."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from pixelwise import web
from pixelwise.config import DataConfig
from pixelwise.data import open_dataset
from pixelwise.data.cache import prepare
from pixelwise.data.drawn import draw_dataset
from pixelwise.data.shards.http import Http
from pixelwise.data.shards.object_store import ObjectStore
from pixelwise.data.shards.remote import RemoteSource
from pixelwise.data.shards.table import Shard
from pixelwise.data.writers import convert
from pixelwise.errors import BackendError, ConfigError, DataError


class Server(ThreadingHTTPServer):
    """Serves a folder, as badly as a test asks for."""

    daemon_threads = True

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.root = root
        self.asked: list[tuple[str, str]] = []  # path and range
        self.ranges = True
        self.failures = 0  # answers that fail before the next good one
        self.short = 0  # answers that break off
        self.status = 0
        self.tag = '"first"'

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/a set"


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        server = self.server
        asked = self.headers.get("Range", "")
        name = self.path.partition("?")[0].rpartition("/")[2]
        server.asked.append((self.path, asked))
        path = server.root / name
        if server.failures or server.status:
            server.failures = max(server.failures - 1, 0)
            self.send_error(server.status or 503)
        elif not self.path.startswith("/a%20set/") or not path.is_file():
            self.send_error(404)
        elif self.headers.get("If-None-Match") == server.tag:
            self._answer(304, b"", {})
        else:
            self._give(path.read_bytes(), asked)

    def _give(self, content: bytes, asked: str) -> None:
        if not asked or not self.server.ranges:
            self._answer(200, content, {})
            return
        first, last = map(int, asked.removeprefix("bytes=").split("-"))
        if first >= len(content):
            self.send_error(416)
            return
        part = content[first : last + 1]
        stated = f"bytes {first}-{first + len(part) - 1}/{len(content)}"
        self._answer(206, part, {"Content-Range": stated})

    def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "ETag": self.server.tag, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.server.short:
            self.server.short -= 1
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
        else:
            self.wfile.write(content)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    draw_dataset(tmp_path / "folder", pictures=12, size=(32, 40))
    convert(open_dataset(tmp_path / "folder"), tmp_path / "shards", "shards")
    return tmp_path / "shards"


@pytest.fixture
def server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(web.time, "sleep", lambda seconds: None)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = Server(folder)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def config(tmp_path: Path) -> DataConfig:
    return DataConfig(cache_dir=tmp_path / "cache", workers=3)


def same(server: Server, folder: Path, config: DataConfig) -> None:
    here, there = open_dataset(folder).reader, open_dataset(server.url, config).reader
    assert list(here.entries.names) == list(there.entries.names)
    for index in np.random.default_rng(0).permutation(len(here)).tolist():
        assert np.array_equal(here[index].image, there[index].image)
        assert np.array_equal(here[index].mask, there[index].mask)


def test_a_set_on_a_server_is_the_set(server: Server, folder: Path, config: DataConfig) -> None:
    """Also by the path that a command makes of the URL, which has lost a slash."""
    same(server, folder, config)
    dataset = open_dataset(Path(server.url), config)
    assert dataset.split.train == open_dataset(folder).split.train
    assert (
        prepare(dataset, (16, 16), config).data_hash
        == prepare(open_dataset(folder), (16, 16), config).data_hash
    )


def test_samples_in_their_order_share_requests(server: Server, config: DataConfig) -> None:
    """Preparing twelve samples asks seldom; a single one brings no other's bytes."""
    prepare(open_dataset(server.url, config), (16, 16), config)
    parts = [asked for path, asked in server.asked if path.endswith(".tar")]
    assert 0 < len(parts) <= 4
    server.asked.clear()
    reader = open_dataset(server.url, config).reader
    assert reader[7].image.shape == (32, 40, 3)
    ((_, asked),) = (one for one in server.asked if one[0].endswith(".tar"))
    first, last = map(int, asked.removeprefix("bytes=").split("-"))
    stored = reader.stored(7)
    assert stored is not None
    assert stored.content is not None
    assert last - first < len(stored.content) + 4096


def test_the_index_is_copied_once(server: Server, config: DataConfig) -> None:
    for _ in range(3):
        assert len(open_dataset(server.url, config).reader) == 12
    assert len(server.asked) == 3  # two of them were answered with 304 and no content
    server.tag = '"second"'
    assert len(open_dataset(server.url, config).reader) == 12


def test_a_signature_stays_at_the_end_and_out_of_messages(server: Server, config: DataConfig) -> None:
    dataset = open_dataset(f"{server.url}?sig=secret", config)
    assert dataset.reader[0].image.any()
    assert all(path.endswith("?sig=secret") for path, _ in server.asked)
    assert "secret" not in str(dataset.reader.root)
    server.status = 403
    with pytest.raises(DataError) as caught:
        dataset.reader[5]
    assert "secret" not in str(caught.value)


def test_a_server_that_fails_now_and_then(server: Server, folder: Path, config: DataConfig) -> None:
    server.failures = 3
    dataset = open_dataset(server.url, config)
    server.failures, server.short = 2, 2
    for index, sample in enumerate(open_dataset(folder).reader[i] for i in range(12)):
        assert np.array_equal(dataset.reader[index].image, sample.image)
    assert server.failures == server.short == 0


@pytest.mark.parametrize(
    ("status", "said", "tries"),
    [
        (403, "403: access is forbidden", 1),
        (401, "401: it wants a login", 1),
        (404, "404: there is no such file", 1),
        (503, "answers 503 .*6 times in a row", 6),
        (429, "answers 429 .*6 times in a row", 6),
    ],
)
def test_answers(server: Server, config: DataConfig, status: int, said: str, tries: int) -> None:
    reader = open_dataset(server.url, config).reader
    server.status = status
    server.asked.clear()
    with pytest.raises(DataError, match=said):
        reader[0]
    assert len(server.asked) == tries
    server.status = 0
    assert reader[0].image.any()  # what failed is asked for anew


def test_no_server(config: DataConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web.time, "sleep", lambda seconds: None)
    with pytest.raises(DataError, match=r"no connection .* 6 times in a row"):
        open_dataset("http://127.0.0.1:9/set", config)


def test_no_index(server: Server, config: DataConfig) -> None:
    (server.root / "index.jsonl").unlink()
    with pytest.raises(DataError, match=r"needs the index\.jsonl that pixelwise convert"):
        open_dataset(server.url, config)


def test_a_server_without_ranges(server: Server, config: DataConfig) -> None:
    server.ranges = False
    reader = open_dataset(server.url, config).reader
    with pytest.raises(DataError, match="sends whole files only"):
        reader[0]


def test_a_shard_that_changes(server: Server, config: DataConfig) -> None:
    """By its tag, by its size, and by its bytes where neither says so."""
    reader = open_dataset(server.url, config).reader
    path = server.root / "data-00000.tar"
    whole = path.read_bytes()
    assert reader[0].image.any()
    server.tag = '"other"'
    with pytest.raises(DataError, match=r"data-00000\.tar: the file changed on the server"):
        reader[6]
    server.tag = '"first"'
    path.write_bytes(whole + bytes(512))
    with pytest.raises(DataError, match="not the one that the index lists"):
        reader[6]
    path.write_bytes(whole[:600])
    with pytest.raises(DataError, match=r"shorter than the index says|not the one that the index lists"):
        reader[11]
    other = bytearray(whole)
    for place in range(2000, len(other), 700):
        other[place] ^= 1
    path.write_bytes(other)
    with pytest.raises(DataError, match=r"data-00000\.tar/.*(its bytes are not|at byte)"):
        reader[6]


def test_what_is_no_url_of_a_set(config: DataConfig) -> None:
    with pytest.raises(ConfigError, match="no user and password"):
        open_dataset("https://me:secret@host/set", config)
    with pytest.raises(ConfigError, match="must be shards"):
        open_dataset("https://host/set", DataConfig(format="folder"))


def test_a_store_whose_package_is_missing(config: DataConfig) -> None:
    with pytest.raises(
        BackendError, match="no-such-store:// needs a package that is missing: pip install no-such-store"
    ):
        ObjectStore("no-such-store")


def test_an_object_store(folder: Path, tmp_path: Path) -> None:
    """fsspec's store in memory stands for one: what is read of it is what the files hold."""
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    for path in folder.iterdir():
        memory.pipe_file(f"/bucket/{path.name}", path.read_bytes())
    store = ObjectStore("memory")
    whole = (folder / "data-00000.tar").read_bytes()
    source = RemoteSource("memory://bucket", store)
    shard = Shard("data-00000.tar", len(whole))
    assert source.read(shard, 512, 700) == whole[512:1212]
    assert source.read(shard, 1212, 10_000) == whole[1212:11_212]
    store.copy("memory://bucket/index.jsonl", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == (folder / "index.jsonl").read_bytes()
    with pytest.raises(DataError, match="there is no such file"):
        source.read(Shard("x.tar", 9), 0, 9)
    with pytest.raises(DataError, match="the index says 9 bytes"):
        ObjectStore("memory").read("memory://bucket/data-00000.tar", 0, 9, size=9)


class Slow:
    """Counts what is asked for, while several threads ask."""

    def __init__(self, content: bytes) -> None:
        self.content, self.asked = content, list[tuple[int, int]]()

    def read(self, url: str, offset: int, count: int, *, size: int) -> bytes:
        self.asked.append((offset, count))
        threading.Event().wait(0.002)
        return self.content[offset : offset + count]

    def copy(self, url: str, target: Path) -> None:
        raise NotImplementedError


def test_threads_share_pieces_and_memory_is_bounded(rng: np.random.Generator) -> None:
    content = rng.bytes(30 << 20)
    slow = Slow(content)
    source, shard = RemoteSource("http://x/y", slow), Shard("a.tar", len(content))
    step = 50_000
    wrong: list[int] = []

    def work(first: int) -> None:
        for start in range(first * step, len(content), 4 * step):
            if source.read(shard, start, step) != content[start : start + step]:
                wrong.append(start)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert sum(count for _, count in slow.asked) < 2 * len(content)
    assert len(slow.asked) < len(content) / step / 4
    assert max(count for _, count in slow.asked) <= 8 << 20


def test_pauses_grow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(web.time, "sleep", pauses.append)
    monkeypatch.setattr(web.random, "uniform", lambda low, high: 1.0)
    with pytest.raises(DataError, match="no connection"):
        Http(pause=2.0).copy("http://127.0.0.1:9/x", tmp_path / "x")
    assert pauses == [2.0, 4.0, 8.0, 16.0, 20.0]
