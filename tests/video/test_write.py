"""Videos that others can play: colours, times, odd rates, and what is left after a kill or a full disk."""

from __future__ import annotations

import contextlib
import errno
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import decode, scene

from pixelwise.errors import BackendError, ConfigError, DataError
from pixelwise.video import frames, sink, write
from pixelwise.video.write import VideoWriter

TOLERANCE = 4
"""Of 255: rounding to 8-bit luma and chroma twice, and H.264 at quality 20, on flat colours."""

COLOURS = [
    (0, 0, 0),
    (255, 255, 255),
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (213, 94, 0),
    (128, 0, 128),
]


def _writer(
    path: Path, size: tuple[int, int] = (48, 64), time_base: Fraction = Fraction(1, 25)
) -> VideoWriter:
    return VideoWriter(path, size=size, time_base=time_base, rate=Fraction(25))


def _write_noise(writer: VideoWriter, frames: int) -> None:
    rng = np.random.default_rng(0)
    for i in range(frames):
        writer.write(rng.integers(0, 256, (48, 64, 3), np.uint8), Fraction(i, 25))


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv"])
def test_colours_survive(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    picture = np.repeat(np.array(COLOURS, np.uint8)[None], 64, 0).repeat(32, 1)  # (64, 7 * 32, 3)
    writer = _writer(path, picture.shape[:2])
    for i in range(5):
        writer.write(picture, Fraction(i, 25))
    writer.close()
    pictures, _ = decode(path)
    found = pictures[4][32, 16::32].astype(int)
    np.testing.assert_allclose(found, COLOURS, atol=TOLERANCE)
    with av.open(str(path)) as file:
        context = file.streams.video[0].codec_context
        assert (context.colorspace, context.color_range, context.color_primaries) == (1, 1, 1)
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")


@pytest.mark.parametrize(
    ("ending", "time_base"),
    [
        (".mp4", Fraction(1, 90_000)),
        (".mp4", Fraction(1001, 30_000)),
        (".mov", Fraction(1, 600)),
        (".mkv", Fraction(1, 1000)),
    ],
)
def test_times_are_kept(tmp_path: Path, ending: str, time_base: Fraction) -> None:
    ticks = [30, 31, 33, 70, 71, 400, 1000]
    path = tmp_path / f"a{ending}"
    writer = _writer(path, time_base=time_base)
    for tick in ticks:
        writer.write(scene(tick), tick * time_base)
    writer.close()
    with av.open(str(path)) as file:
        found = [frame.pts * frame.time_base for frame in file.decode(video=0)]
    expected = [(tick - ticks[0]) * time_base for tick in ticks]
    assert found == expected if ending != ".mkv" else pytest.approx(expected, abs=0.0005) == found


def test_times_that_stand_still_or_go_back(tmp_path: Path) -> None:
    writer = _writer(tmp_path / "a.mp4")
    for tick in (0, 1, 1, 0, 4):
        writer.write(scene(tick), Fraction(tick, 25))
    writer.close()
    assert decode(tmp_path / "a.mp4")[1] == [0.0, 0.04, 0.08, 0.12, 0.16]


def test_a_finished_mp4_is_an_ordinary_one(tmp_path: Path) -> None:
    """Its index counts every frame: players seek in it, and show its length."""
    path = tmp_path / "a.mp4"
    writer = _writer(path)
    for i in range(60):
        writer.write(scene(i), Fraction(i, 25))
    writer.close()
    with av.open(str(path)) as file:
        assert file.streams.video[0].frames == 60
        assert file.duration == pytest.approx(60 / 25 * 1e6, abs=1000)


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv"])
def test_what_is_there_after_a_kill_plays(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    writer = _writer(path)
    _write_noise(writer, 250)
    killed = tmp_path / f"killed{ending}"
    killed.write_bytes(path.read_bytes())  # as the disk has it, without the end
    writer.close()
    found = len(decode(killed)[0])
    assert found >= 250 - 3 * 50  # fragments of a second; x264 looks ahead by 10 to 50 frames
    assert found < 250
    assert len(decode(path)[0]) == 250


PROGRAM = """
import sys
from fractions import Fraction
from pathlib import Path
import numpy as np
from pixelwise.video.write import VideoWriter
writer = VideoWriter(Path(sys.argv[1]), size=(48, 64), time_base=Fraction(1, 25), rate=Fraction(25))
rng = np.random.default_rng(0)
for i in range(1_000_000):
    writer.write(rng.integers(0, 256, (48, 64, 3), np.uint8), Fraction(i, 25))
"""


def test_a_process_that_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(path)])
    end = time.monotonic() + 60
    while not (path.exists() and path.stat().st_size > 300_000):
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    process.kill()
    process.wait(60)
    found: list[Fraction] = []
    with contextlib.suppress(DataError):  # killed in the middle of a fragment
        found.extend(frame.time for frame in frames(path))
    assert len(found) > 25
    assert found == [Fraction(i, 25) for i in range(len(found))]


class Full(sink.Sink):
    """A disk that is full after 60,000 bytes."""

    def write(self, data: bytes) -> int:
        if self.error is None and self.tell() + len(data) > 60_000:
            self._file.write(data[: max(0, 60_000 - self.tell())])
            self._fail(OSError(errno.ENOSPC, "No space left on device"))
        return super().write(data)


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv"])
def test_a_full_disk(tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "Sink", Full)
    path = tmp_path / f"a{ending}"
    writer = _writer(path)
    with pytest.raises(DataError, match=r"No space left on device.*can be played"):
        _write_noise(writer, 1000)
    with pytest.raises(DataError, match="No space left"):
        writer.close()
    assert path.stat().st_size <= 60_000
    pictures, times = decode(path)
    assert len(pictures) > 10
    assert times == [round(i / 25, 4) for i in range(len(times))]


def test_a_disk_that_fills_at_the_very_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The index of the finished file no longer fits: the fragments must not be turned into a file without."""

    class FullAtTheEnd(sink.Sink):
        full = False

        def write(self, data: bytes) -> int:
            if self.full:
                self._fail(OSError(errno.ENOSPC, "No space left on device"))
            return super().write(data)

    monkeypatch.setattr(write, "Sink", FullAtTheEnd)
    path = tmp_path / "a.mp4"
    writer = _writer(path)
    for i in range(200):
        writer.write(scene(i), Fraction(i, 25))
    writer._sink.full = True  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(DataError, match="can be played"):
        writer.close()
    assert len(decode(path)[0]) > 50


def test_a_real_full_disk(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full on this system")
    path = tmp_path / "a.mp4"
    path.symlink_to(full)
    writer = _writer(path)
    with pytest.raises(DataError, match="No space left on device"):
        _write_noise(writer, 200)
    with pytest.raises(DataError, match="No space left on device"):
        writer.close()


def test_without_h264(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "ENCODERS", (write.Encoder("libnone"), *write.ENCODERS[1:]))
    writer = _writer(tmp_path / "a.mp4", time_base=Fraction(1, 90_000))
    assert writer.codec == "mpeg4"
    for i in range(10):
        writer.write(np.full((48, 64, 3), (230, 159, 0), np.uint8), Fraction(i, 25))
    writer.close()
    pictures, times = decode(tmp_path / "a.mp4")
    assert times == [round(i / 25, 4) for i in range(10)]
    np.testing.assert_allclose(pictures[9][20, 20].astype(int), (230, 159, 0), atol=TOLERANCE)


def test_without_any_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "ENCODERS", (write.Encoder("libnone"),))
    with pytest.raises(BackendError, match="no encoder libnone"):
        _writer(tmp_path / "a.mp4")
    assert not (tmp_path / "a.mp4").exists()


@pytest.mark.parametrize("name", ["a.avi", "a", "a.gif", "a.mp4.part"])
def test_other_endings(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"written as \.mp4, \.mov, \.mkv"):
        _writer(tmp_path / name)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        _writer(tmp_path / "file" / "a.mp4")
    (tmp_path / "a.mp4").mkdir()
    with pytest.raises(DataError, match=r"cannot be written \(Is a directory\)"):
        _writer(tmp_path / "a.mp4")
