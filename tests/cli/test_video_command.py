"""`pixelwise video` end to end with a real network: words, exit codes, and Ctrl-C in a real process."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pixelwise.cli import main
from pixelwise.video import frames
from pixelwise.video.write import VideoWriter


def _clip(path: Path, count: int) -> Path:
    writer = VideoWriter(path, size=(48, 64), time_base=Fraction(1, 25), rate=Fraction(25))
    for i in range(count):
        picture = np.full((48, 64, 3), 90, np.uint8)
        picture[10:30, i % 40 : i % 40 + 20] = (200, 60, 30)
        writer.write(picture, Fraction(i, 25))
    writer.close()
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _clip(tmp_path_factory.mktemp("clip") / "walk.mp4", 30)


def _run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main(["video", *map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out, " ".join(said.err.split())


def test_a_video(model: Path, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, masks = tmp_path / "new" / "overlay.mkv", tmp_path / "masks"
    code, said, notes = _run(capsys, model, clip, "--out", out, "--masks", masks, "--smooth", "0.6")
    assert code == 0
    assert re.match(r"30 frames in \d+\.\d s, \d+\.\d frames/s\noverlay  ", said)
    assert f"masks    {masks}" in said
    assert "no legend" in notes  # 64x48 is too small for one
    assert len(list(masks.iterdir())) == 30
    assert len(list(frames(out))) == 30


def test_json(model: Path, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "overlay.mp4"
    code, said, _ = _run(capsys, model, clip, "--out", out, "--frames", "7", "--no-legend", "--json")
    assert code == 0
    facts = json.loads(said)
    assert facts["out"] == str(out)
    assert (facts["frames"], facts["dropped"], facts["size"], facts["codec"]) == (7, 0, [48, 64], "libx264")
    assert facts["frames_per_second"] > 0
    assert facts["masks"] is facts["problem"] is None


def test_a_video_that_ends_early(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = _clip(tmp_path / "walk.mkv", 200)
    part = tmp_path / "part.mkv"
    part.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * 0.6)])
    out = tmp_path / "overlay.mp4"
    code, said, complaint = _run(capsys, model, part, "--out", out, "--json")
    assert code == 2
    facts = json.loads(said)
    assert 30 < facts["frames"] < 190
    assert len(list(frames(out))) == facts["frames"]
    assert "Traceback" not in complaint
    assert f"{facts['frames']} frames are written to {out}" in complaint


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{clip}", "--out", "a.avi"], "a.avi: a video is written as .mp4, .mov, .mkv"),
        (["{clip}", "--out", "{clip}"], "is the video to be read"),
        (["nowhere.mp4"], "nowhere.mp4: there is no such file"),
        (["camera:99"], "video99: cannot be opened"),
        (["gopher://host/x"], "gopher://: streams are read from"),
        (["{clip}", "--smooth", "1"], "smooth must be at least 0 and less than 1"),
        (["{clip}", "--batch-size", "0"], "batch-size must be at least 1"),
    ],
)
def test_wrong_use(
    model: Path,
    clip: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    said: str,
) -> None:
    if "camera:99" in arguments and not sys.platform.startswith("linux"):
        pytest.skip("cameras are called otherwise here")
    monkeypatch.chdir(tmp_path)
    code, _, complaint = _run(capsys, model, *(argument.format(clip=clip) for argument in arguments))
    assert code == 2
    assert said in complaint
    assert "Traceback" not in complaint
    assert list(tmp_path.iterdir()) == []


def _wait_for(path: Path, size: int, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 120
    while not (path.exists() and path.stat().st_size > size):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_ctrl_c_finishes_the_file(model: Path, tmp_path: Path) -> None:
    clip, out = _clip(tmp_path / "long.mp4", 4_000), tmp_path / "overlay.mp4"
    # Shells let what they put behind ignore Ctrl-C; a test runner may be there.
    program = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    program += "from pixelwise.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "video", str(model), str(clip), "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    _wait_for(out, 6_000, process)
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    count = len(list(frames(out)))
    assert 0 < count < 4_000
    assert said.startswith(f"{count} frames in ")
