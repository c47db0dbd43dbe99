"""`pixelwise ceiling` at the command line: what it writes and says, wrong use, and going on after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from drawn_folder import draw_folder
from pixelwise.cli import main

FILES = ["ceiling.json", "ceiling.png", "ceiling.state.json"]


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main(["ceiling", *(str(word) for word in words)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_it_writes_figures_and_a_plot_and_says_what_follows(
    shared_data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    code, said, notes = run(capsys, shared_data_folder, "--out", out, "--val-last", "4")
    assert code == 0
    assert "4 pictures (val), 2 classes" in said
    assert "mIoU, soft" in said
    document = json.loads((out / "ceiling.json").read_text())
    assert said.strip().splitlines()[-1] == f"advice   {document['recommendation']}"
    assert [item["grid"]["stride"] for item in document["grids"]] == [2, 4, 8, 16, 32]
    assert (document["split"], document["pictures"]) == ("val", 4)
    with Image.open(out / "ceiling.png") as picture:
        assert picture.format == "PNG"
    assert "the last 4 of 12 pictures validate" in notes
    assert sorted(path.name for path in out.iterdir()) == FILES


def test_sizes_and_methods_for_machines(
    shared_data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [
        "--sizes",
        "20",
        "24",
        "40",
        "48",
        "--policy",
        "letterbox",
        "--methods",
        "majority",
        "--split",
        "all",
    ]
    code, said, _ = run(capsys, shared_data_folder, "--out", tmp_path, *flags, "--json")
    assert code == 0
    document: dict[str, Any] = json.loads(said)
    assert document == json.loads((tmp_path / "ceiling.json").read_text())
    assert [(item["grid"]["size"], item["grid"]["stride"]) for item in document["grids"]] == [
        ([20, 24], 1),
        ([40, 48], 1),
    ]
    assert document["grids"][1]["levels"][0]["miou"] == 1.0  # the pictures' own size
    assert document["grids"][0]["cells_per_picture"] == 20 * 24
    assert list(document["methods"]) == ["majority"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--strides", "0"], "a stride is a whole number in 1..16384, got 0"),
        (["--strides", "4", "4"], "strides and sizes must differ"),
        (["--sizes", "0", "10"], "a size is two whole numbers (height, width) in 1..16384"),
        (["--split", "tset"], "there is no split 'tset'"),
        (["--methods", "soft", "soft"], "none of them twice"),
        (["--val-share", "2"], "val-share must lie between 0 and 1"),
    ],
)
def test_wrong_use_is_one_sentence(
    words: list[str], says: str, shared_data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    code, said, complaint = run(capsys, shared_data_folder, "--out", out, *words)
    assert (code, said) == (2, "")
    assert says in " ".join(complaint.split())
    assert "Traceback" not in complaint
    assert not out.exists()


def test_no_data_and_no_room(
    shared_data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, complaint = run(capsys, tmp_path / "none")
    assert code == 2
    assert "none" in complaint
    (tmp_path / "file").write_text("")
    code, _, complaint = run(capsys, shared_data_folder, "--out", tmp_path / "file")
    assert code == 2
    assert "cannot be written" in " ".join(complaint.split())


def test_it_needs_no_torch(shared_data_folder: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from pixelwise.cli import main; "
        f"code = main(['ceiling', {str(shared_data_folder)!r}, '--out', {str(tmp_path)!r}]); "
        "sys.exit(code or 10 * ('torch' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def begin(data: Path, out: Path, *flags: str) -> subprocess.Popen[str]:
    """The command in a process that writes its state after every picture, and takes its time over each."""
    program = (
        "import sys, time; from pixelwise.ceiling import count; from pixelwise.cli import main; "
        "count.SECONDS, tally = 0.0, count.tally; "
        "count.tally = lambda *a, **k: (time.sleep(0.02), tally(*a, **k))[1]; "
        "sys.exit(main(sys.argv[1:]))"
    )
    words = ["ceiling", str(data), "--out", str(out), "--split", "all", "--workers", "1", *flags]
    return subprocess.Popen(
        [sys.executable, "-c", program, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def done_of(state: Path) -> int:
    return int(json.loads(state.read_text())["done"]) if state.exists() else 0


def wait_for(state: Path, count: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while done_of(state) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is for POSIX systems")
def test_killed_interrupted_and_gone_on_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = draw_folder(tmp_path / "data", pictures=40)
    out, state = tmp_path / "out", tmp_path / "out" / "ceiling.state.json"
    process = begin(data, out)
    wait_for(state, 5, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    killed_at = done_of(state)
    assert 5 <= killed_at < 40

    process = begin(data, out, "--resume")
    wait_for(state, killed_at + 3, process)
    process.send_signal(signal.SIGTERM)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 130, complaint
    assert f"going on after {killed_at} of 40 pictures" in complaint
    assert "Go on with the same command and --resume" in complaint
    stopped_at = done_of(state)
    assert killed_at + 3 <= stopped_at < 40
    assert f"stopped after {stopped_at} of 40 pictures" in complaint
    assert not (out / "ceiling.json").exists()

    code, said, notes = run(capsys, data, "--out", out, "--split", "all", "--resume", "--json")
    assert code == 0
    assert f"going on after {stopped_at} of 40 pictures" in notes
    code, fresh, _ = run(capsys, data, "--out", tmp_path / "fresh", "--split", "all", "--json")
    assert json.loads(said) == json.loads(fresh)
    counts = [json.loads((folder / state.name).read_text()) for folder in (out, tmp_path / "fresh")]
    assert counts[0] == counts[1]
    # A leftover of the kill may lie there; nothing else does.
    assert sorted(path.name for path in out.iterdir() if not path.name.startswith(".")) == FILES
    code, _, complaint = run(capsys, data, "--out", out, "--split", "all", "--resume", "--strides", "4")
    assert code == 2
    assert "begun with other grids" in " ".join(complaint.split())
