"""Frames and times of files as they come: turned, odd, uneven, cut off, damaged, or no video at all."""

from __future__ import annotations

import builtins
import struct
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import BOX, GROUND, cut, draw_clip, scene

from pixelwise.errors import BackendError, DataError
from pixelwise.video import read
from pixelwise.video.read import frames

CLOSE = 6
"""Of 255: what H.264 at its finest, and 4:2:0, leave of a colour away from borders."""


def _all(path: Path) -> tuple[list[read.Frame], str]:
    """Every frame, and what was said at the end."""
    found: list[read.Frame] = []
    try:
        found.extend(frames(path))  # extends by what came before the error too
    except DataError as error:
        return found, str(error)
    return found, ""


def test_pictures_and_times(tmp_path: Path) -> None:
    found, said = _all(draw_clip(tmp_path / "a.mp4", frames=10))
    assert said == ""
    assert [frame.time * 25 for frame in found] == list(range(10))
    assert found[0].picture.shape == (48, 64, 3)
    assert found[0].picture.dtype == np.uint8
    for place, colour in (((40, 40), GROUND), ((12, 10), BOX)):
        np.testing.assert_allclose(found[0].picture[place].astype(int), colour, atol=CLOSE)
    # the box moves two pixels a frame
    assert np.abs(found[9].picture[12, 18 + 10].astype(int) - BOX).max() <= CLOSE


@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".mov", ".avi", ".ts"])
def test_containers(tmp_path: Path, ending: str) -> None:
    codec = {"codec": "mpeg4", "options": {}} if ending == ".avi" else {}
    path = draw_clip(tmp_path / f"a{ending}", frames=12, **codec)
    found, said = _all(path)
    assert said == ""
    assert len(found) == 12
    assert found[0].time == 0
    assert abs(found[11].time - 11 / 25) < 0.002


def test_a_varying_frame_rate(tmp_path: Path) -> None:
    times = [0, 17, 40, 200, 201, 1000, 1033]
    found, _ = _all(draw_clip(tmp_path / "a.mp4", times=times))
    assert [frame.time * 1000 for frame in found] == times


@pytest.mark.parametrize("size", [(47, 63), (33, 48), (2, 2)])
def test_odd_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    picture = np.full((*size, 3), GROUND, np.uint8)
    found, said = _all(draw_clip(tmp_path / "a.mp4", size=size, times=[0, 40], pictures=[picture] * 2))
    assert said == ""
    assert [frame.picture.shape for frame in found] == [(*size, 3)] * 2
    assert np.abs(found[1].picture.astype(int) - GROUND).max() <= CLOSE


def _turn(path: Path, a: int, b: int, c: int, d: int) -> None:
    """Writes a display matrix into a track header (ISO 14496-12, 8.3.2: 44 bytes behind its name's begin)."""
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 44
    numbers = (a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    content[place : place + 36] = struct.pack(">9i", *numbers)
    path.write_bytes(content)


def test_a_phone_held_upright(tmp_path: Path) -> None:
    path = draw_clip(tmp_path / "a.mp4", frames=2)
    _turn(path, 0, 1, -1, 0)  # a quarter turn clockwise
    found, _ = _all(path)
    assert found[0].picture.shape == (64, 48, 3)
    expected = np.rot90(scene(0), -1)
    inner = found[0].picture.astype(int)[4:12, 30:42]
    assert (expected[4:12, 30:42] == BOX).all()
    assert np.abs(inner - BOX).max() <= CLOSE


def test_pixels_that_are_not_square(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        out.mux(stream.encode(av.VideoFrame.from_ndarray(scene(0), "rgb24")))
        out.mux(stream.encode(None))
    (frame,) = frames(path)
    assert float(frame.pixel_aspect) == pytest.approx(4 / 3)


@pytest.mark.parametrize("start", [0.2, 0.21, 1.0])
def test_start_passes_over_what_is_before(tmp_path: Path, start: float) -> None:
    path = draw_clip(tmp_path / "a.mp4", frames=40, options={"g": "10", "crf": "1"})
    found = list(frames(path, start=start))
    assert start <= float(found[0].time) < start + 0.04
    assert len(found) == 40 - found[0].time * 25


def test_a_start_behind_the_end(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no frame in it after second 9"):
        list(frames(draw_clip(tmp_path / "a.mp4"), start=9))


@pytest.mark.parametrize("movflags", ["faststart", "frag_keyframe+empty_moov"])
def test_an_mp4_that_is_cut_off(tmp_path: Path, movflags: str) -> None:
    path = draw_clip(tmp_path / "a.mp4", frames=100, movflags=movflags, options={"g": "10", "crf": "20"})
    found, said = _all(cut(path, 0.6))
    assert 20 < len(found) < 90
    assert [frame.time * 25 for frame in found] == list(range(len(found)))  # whole frames up to the cut
    assert "the video ends early, after" in said
    assert "cut off" in said


def test_a_matroska_that_is_cut_off(tmp_path: Path) -> None:
    found, said = _all(cut(draw_clip(tmp_path / "a.mkv", frames=100), 0.6))
    assert 20 < len(found) < 90
    assert "of 4.0 seconds" in said


def test_an_mp4_whose_index_is_cut_off(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="or its end, with the index, is missing"):
        list(frames(cut(draw_clip(tmp_path / "a.mp4", movflags="", frames=100), 0.4)))


def test_damage_in_the_middle(tmp_path: Path) -> None:
    path = draw_clip(tmp_path / "a.mp4", frames=60, options={"g": "5", "crf": "20"})
    content = bytearray(path.read_bytes())
    middle = content.index(b"mdat") + (len(content) - content.index(b"mdat")) // 2
    content[middle : middle + 200] = bytes(200)
    path.write_bytes(content)
    found, said = _all(path)
    assert 50 <= len(found) <= 60
    assert found[-1].time * 25 == 59  # it went on behind the damage
    assert "cannot be decoded" in said or "decoded with errors" in said


def test_longer_sound_is_no_early_end(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        sound = out.add_stream("aac", rate=8000)
        for i in range(10):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(scene(i), "rgb24")))
        out.mux(stream.encode(None))
        _silence(out, sound, seconds=3)
    found, said = _all(path)
    assert len(found) == 10
    assert said == ""


def _silence(out: av.container.OutputContainer, stream: av.AudioStream, *, seconds: int) -> None:
    for start in range(0, seconds * 8000, 1024):
        frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
        frame.sample_rate, frame.pts = 8000, start
        frame.planes[0].update(bytes(frame.planes[0].buffer_size))
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


def test_sound_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as out:
        _silence(out, out.add_stream("aac", rate=8000), seconds=1)
    with pytest.raises(DataError, match=r"a\.mp4: there is no video stream in it"):
        list(frames(path))


@pytest.mark.parametrize("content", [b"", b"hello " * 100, b"\0\0\0\x20ftypisom" + bytes(200)])
def test_no_video(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"no video that can be read|no video stream"):
        list(frames(path))


@pytest.mark.parametrize(
    "content",
    [b"ffconcat version 1.0\nfile other.mp4\n", b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.mp4\n"],
)
def test_playlists_cannot_name_other_files(tmp_path: Path, content: bytes) -> None:
    draw_clip(tmp_path / "other.mp4")
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.mp4: this (kind of file is not read|is no video)"):
        list(frames(tmp_path / "a.mp4"))


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        list(frames(tmp_path / "nowhere.mp4"))
    with pytest.raises(DataError, match="this is a folder"):
        list(frames(tmp_path))
    with pytest.raises(DataError, match=r"/dev/video93: cannot be opened \(No such file"):
        list(frames("/dev/video93"))


def test_passwords_are_not_told() -> None:
    with pytest.raises(DataError, match=r"rtsp://127\.0\.0\.1:1/cam: cannot be opened") as caught:
        list(frames("rtsp://me:secret@127.0.0.1:1/cam?key=secret"))
    assert "secret" not in str(caught.value)


def test_frames_that_are_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = draw_clip(tmp_path / "a.mp4")
    monkeypatch.setattr(read, "MAX_FRAME_PIXELS", 48 * 64 - 1)
    with pytest.raises(DataError, match="frames of 64x48 pixels are more than the limit of 3,071"):
        list(frames(path))


def test_frames_that_grow_too_large_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream may change its size; the decoder itself must refuse what the header did not announce."""
    small = draw_clip(tmp_path / "small.h264", frames=150)
    large = draw_clip(tmp_path / "large.h264", frames=5, size=(96, 128))
    path = tmp_path / "both.h264"
    path.write_bytes(small.read_bytes() + large.read_bytes())
    monkeypatch.setattr(read, "MAX_FRAME_PIXELS", 96 * 128 - 1)
    found, said = _all(path)
    assert {frame.picture.shape for frame in found} == {(48, 64, 3)}
    assert "cannot be decoded" in said


def test_a_missing_package_costs_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = builtins.__import__

    def without_av(name: str, *arguments: object, **more: object) -> object:
        if name == "av":
            raise ImportError("No module named 'av'")
        return usual(name, *arguments, **more)  # pyright: ignore[reportArgumentType]

    monkeypatch.delitem(sys.modules, "av")
    monkeypatch.setattr(builtins, "__import__", without_av)
    with pytest.raises(BackendError, match=r"pip install 'pixelwise\[video\]'"):
        list(frames(tmp_path / "a.mp4"))
