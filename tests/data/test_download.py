"""Downloads from a server that misbehaves, and archives that are hostile."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import typing
import zipfile
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pixelwise.cli.download import Download
from pixelwise.data.archive import unpack
from pixelwise.data.download import download
from pixelwise.data.sources import SOURCES, Archive, Source
from pixelwise.errors import ConfigError, DataError


def _archive(members: dict[str, bytes], extra: list[tarfile.TarInfo] | None = None) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for info in extra or []:
            tar.addfile(info)
    return stream.getvalue()


NOISE = hashlib.shake_256(b"pets").digest(300_000)  # so that the archive does not shrink to nothing
CONTENT = _archive({"images/a.jpg": NOISE, "images/._a.jpg": b"macOS", "images/b.jpg": b"two"})


class Server(ThreadingHTTPServer):
    """Serves CONTENT under any name, as badly as a test asks for."""

    content = CONTENT
    ranges = True
    breaks = 0  # how many answers break off half-way
    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, format: str, *arguments: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        server = self.server
        asked = self.headers.get("Range")
        server.asked.append(asked)
        if server.status != 200:
            self.send_error(server.status)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and server.ranges else 0
        if start > len(server.content):
            self.send_error(416)
            return
        body = server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header(
                "Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}"
            )
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if server.breaks > 0:
            server.breaks -= 1
            body = body[: len(body) // 2]
        self.wfile.write(body)


@pytest.fixture
def server() -> Generator[Server, None, None]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def _get(
    server: Server, root: Path, *, content: bytes = CONTENT, limit: int = 1 << 20, members=(("images", 2),)
):
    archive = Archive("images.tar.gz", len(content), hashlib.sha256(content).hexdigest(), limit, members)
    sources = {"tiny": Source((server.url,), (archive,), "CC0")}
    told: list[tuple[str, int, int]] = []
    folder = download("tiny", root, sources=sources, pause=0.0, progress=lambda *facts: told.append(facts))
    return folder, told


def test_fetches_checks_and_unpacks(server, tmp_path):
    folder, told = _get(server, tmp_path / "pets")
    assert folder == tmp_path / "pets"
    assert (folder / "images" / "a.jpg").read_bytes() == NOISE
    assert not (folder / "images" / "._a.jpg").exists()
    assert sorted(p.name for p in folder.iterdir()) == ["images"]
    assert told[-1][1] == told[-1][2] or any(done == total for _, done, total in told)


def test_what_is_there_is_not_fetched_again(server, tmp_path):
    _get(server, tmp_path)
    _get(server, tmp_path)
    assert server.asked == [None]


def test_goes_on_where_the_line_broke(server, tmp_path):
    server.breaks = 2
    _get(server, tmp_path)
    half = len(CONTENT) // 2
    assert server.asked[0] is None
    assert server.asked[1] == f"bytes={half}-"
    assert len(server.asked) == 3


def test_a_later_call_goes_on_too(server, tmp_path):
    (tmp_path / "images.tar.gz.part").write_bytes(CONTENT[:1000])
    _get(server, tmp_path)
    assert server.asked == ["bytes=1000-"]


def test_a_server_without_ranges_still_serves(server, tmp_path):
    server.ranges = False
    server.breaks = 1
    folder, _ = _get(server, tmp_path)
    assert (folder / "images" / "a.jpg").read_bytes() == NOISE


def test_a_foreign_beginning_is_thrown_away(server, tmp_path):
    (tmp_path / "images.tar.gz.part").write_bytes(b"x" * 1000)
    folder, _ = _get(server, tmp_path)
    assert (folder / "images" / "a.jpg").read_bytes() == NOISE
    assert server.asked == ["bytes=1000-", None]


def test_wrong_bytes_are_refused(server, tmp_path):
    server.content = CONTENT[:-1] + b"?"
    with pytest.raises(DataError, match="checksum"):
        _get(server, tmp_path)
    assert not list(tmp_path.rglob("*.jpg"))


def test_a_server_that_never_answers_is_given_up(server, tmp_path):
    server.status = 503
    with pytest.raises(DataError, match="503"):
        _get(server, tmp_path)
    assert len(server.asked) == 5


def test_an_unknown_data_set_lists_the_known():
    with pytest.raises(ConfigError, match="oxford-pets"):
        download("oxford-dogs", "anywhere")


def _link(name: str, target: str, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    "hostile",
    [
        _archive({"../outside.txt": b"x"}),
        _archive({"/tmp/pixelwise-outside.txt": b"x"}),
        _archive({"images/../../outside.txt": b"x"}),
        _archive({}, [_link("images/a.jpg", "/etc/passwd", tarfile.SYMTYPE)]),
        _archive(
            {}, [_link("images", "..", tarfile.SYMTYPE), _link("images/b.jpg", "../../x", tarfile.LNKTYPE)]
        ),
        _archive({"images/a.jpg": bytes(2 << 20)}),  # more than the limit
        b"no archive at all",
    ],
    ids=["parent", "absolute", "winding", "symlink", "hardlink", "bomb", "noise"],
)
def test_hostile_archives_write_nothing_outside(server, tmp_path, hostile):
    server.content = hostile
    root = tmp_path / "deep" / "pets"
    with pytest.raises(DataError):
        _get(server, root, content=hostile, members=(("images", 1),))
    outside = [p for p in tmp_path.rglob("*") if p.is_file() and root not in p.parents]
    assert outside == []
    assert not Path("/tmp/pixelwise-outside.txt").exists()
    assert not any(p.is_symlink() for p in tmp_path.rglob("*"))


def _zip(members: dict[str, bytes], *, link: str = "") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as pack:
        for name, content in members.items():
            pack.writestr(name, content)
        if link:
            info = zipfile.ZipInfo(link)
            info.external_attr = 0o120777 << 16
            pack.writestr(info, "/etc/passwd")
    return stream.getvalue()


def _fetch_zip(server: Server, root: Path, content: bytes, **facts: object) -> Path:
    server.content = content
    archive = Archive("maps/a.zip", None, "", 1 << 20, (("maps/a", 2),), **facts)
    return download("tiny", root, sources={"tiny": Source((server.url,), (archive,), "CC0")}, pause=0.0)


def test_a_zip_of_unknown_size_with_an_archive_inside(server, tmp_path):
    """As COCO's panoptic maps come: a zip in a zip, and nobody published a size."""
    inner = _zip({"a/1.png": NOISE, "a/2.png": b"two"})
    content = _zip({"a.zip": inner, "__MACOSX/._x": b"", "read.me": b"hello"})
    folder = _fetch_zip(server, tmp_path, content, into="maps", inner=("maps/a.zip",))
    assert (folder / "maps" / "a" / "1.png").read_bytes() == NOISE
    assert sorted(p.name for p in (folder / "maps").iterdir()) == ["a", "read.me"]
    assert server.asked == [None, None]  # how long it is, and then the file


def test_an_md5_where_there_is_nothing_better(server, tmp_path):
    content = _zip({"maps/a/1.png": b"one", "maps/a/2.png": b"two"})
    _fetch_zip(server, tmp_path / "right", content, md5=hashlib.md5(content).hexdigest())
    with pytest.raises(DataError, match="checksum"):
        _fetch_zip(server, tmp_path / "wrong", content, md5="0" * 32)


@pytest.mark.parametrize(
    "hostile",
    [
        _zip({"../outside.txt": b"x"}),
        _zip({"/tmp/pixelwise-outside.txt": b"x"}),
        _zip({"C:/outside.txt": b"x"}),
        _zip({}, link="a/link.png"),
        _zip({"a/1.png": bytes(2 << 20)}),
        _zip({"a/1.png": NOISE})[:-200],
        _zip({"a/1.png": NOISE}).replace(NOISE[1000:1010], b"0123456789"),
    ],
    ids=["parent", "absolute", "drive", "symlink", "bomb", "truncated", "altered"],
)
def test_hostile_zips_write_nothing_outside(tmp_path, hostile):
    archive, root = tmp_path / "a.zip", tmp_path / "deep" / "set"
    archive.write_bytes(hostile)
    root.mkdir(parents=True)
    with pytest.raises(DataError, match=r"a\.zip"):
        unpack(archive, root, limit=1 << 20)
    assert [p for p in tmp_path.rglob("*") if p.is_file() and p != archive] == []


def test_the_command_knows_every_source():
    names = typing.get_args(typing.get_args(typing.get_type_hints(Download, include_extras=True)["name"])[0])
    assert set(names) == set(SOURCES)
    for source in SOURCES.values():
        for archive in source.archives:
            assert len(archive.sha256) in (0, 64)
            assert len(archive.md5) in (0, 32)
            assert archive.members
