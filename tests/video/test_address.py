"""Names of files, cameras and streams, on three systems."""

from __future__ import annotations

from pathlib import Path

import pytest

from pixelwise.errors import ConfigError
from pixelwise.video.address import find_source


@pytest.mark.parametrize(
    "name", ["walk.mp4", "/tmp/a b.mkv", "12:30.mov", "concat:a.mp4|b.mp4", "/dev/video"]
)
def test_a_file_is_a_file_whatever_it_is_called(name: str) -> None:
    address = find_source(name)
    assert address.url == f"file:{name}"
    assert address.path == Path(name)
    assert address.live is False
    assert address.options["protocol_whitelist"] == "file"
    formats = address.options["format_whitelist"].split(",")
    assert "matroska" in formats
    assert not {"hls", "concat", "dash", "lavfi", "image2"} & set(formats)


@pytest.mark.parametrize(
    ("source", "system", "url", "form"),
    [
        ("/dev/video2", "linux", "/dev/video2", "v4l2"),
        ("camera:0", "linux", "/dev/video0", "v4l2"),
        ("camera:1", "darwin", "1:none", "avfoundation"),
        ("camera:1", "win32", "video=USB Cam", "dshow"),
        ("camera:Web Cam", "win32", "video=Web Cam", "dshow"),
    ],
)
def test_cameras(source: str, system: str, url: str, form: str) -> None:
    address = find_source(source, system=system, cameras=lambda _: ["Front", "USB Cam"])
    assert (address.url, address.format, address.live) == (url, form, True)


@pytest.mark.parametrize(
    ("source", "system", "said"),
    [
        ("camera:", "linux", "by its number"),
        ("camera:front", "darwin", "by its number"),
        ("camera:2", "win32", "take camera:Front, camera:USB Cam"),
        ("camera:0", "freebsd14", "this is freebsd14"),
        ("ftp://host/a.mp4", "linux", "ftp://: streams are read from"),
    ],
)
def test_what_is_no_source(source: str, system: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        find_source(source, system=system, cameras=lambda _: ["Front", "USB Cam"])


def test_windows_cameras_that_cannot_be_listed() -> None:
    with pytest.raises(ConfigError, match="camera:NAME"):
        find_source("camera:0", system="win32")


@pytest.mark.parametrize(("scheme", "live"), [("rtsp", True), ("srt", True), ("https", None), ("http", None)])
def test_streams(scheme: str, live: bool | None) -> None:
    address = find_source(f"{scheme}://me:secret@host:554/cam?password=secret")
    assert address.url == f"{scheme}://me:secret@host:554/cam?password=secret"
    assert address.name == f"{scheme}://host:554/cam"
    assert "secret" not in repr(address)
    assert address.live is live
    assert "file" not in address.options["protocol_whitelist"].split(",")
    assert address.timeout is not None
