"""What was noted is used again, and only where nothing has changed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from drawn_folder import draw_folder
from pixelwise.check.journal import NAME, Journal
from pixelwise.check.look import look
from pixelwise.check.run import Checked, check
from pixelwise.config import DataConfig
from pixelwise.data import open_dataset
from pixelwise.errors import DataError


def doctor(root: Path, config: DataConfig | None = None) -> Checked:
    return check(root, config or DataConfig(), out=root.parent / "check")


def told(checked: Checked) -> dict[str, object]:
    """The report without what differs from run to run."""
    value = checked.report.to_json()
    return {key: item for key, item in value.items() if key not in ("made", "seconds", "reused")}


def test_a_second_check_looks_at_nothing_and_says_the_same(data_folder: Path) -> None:
    first, second = doctor(data_folder), doctor(data_folder)
    assert (first.report.reused, second.report.reused) == (0, 12)
    assert told(first) == told(second)


def test_a_changed_file_is_looked_at_again(data_folder: Path) -> None:
    doctor(data_folder)
    path = data_folder / "images" / "scene_03.png"
    content = path.read_bytes()
    path.write_bytes(content[:-100])
    again = doctor(data_folder)
    assert again.report.reused == 11
    assert [f.kind for f in again.report.findings if f.severity.value == "error"] == ["unreadable"]
    path.write_bytes(content)
    os.utime(path, ns=(1, 1))
    assert doctor(data_folder).report.sound


def test_other_classes_make_the_notes_worthless(data_folder: Path) -> None:
    doctor(data_folder)
    assert doctor(data_folder, DataConfig(classes=("a", "b"))).report.reused == 0
    assert doctor(data_folder, DataConfig(classes=("a", "b"))).report.reused == 12


def test_fitted_masks_are_looked_at_anew(data_folder: Path) -> None:
    path = data_folder / "masks" / "scene_03.png"
    Image.open(path).resize((24, 20), Image.Resampling.NEAREST).save(path)
    assert [f.kind for f in doctor(data_folder).report.findings if f.severity.value == "error"] == ["scaled"]
    fitted = doctor(data_folder, DataConfig(fit_masks=True)).report
    assert fitted.reused == 0
    assert fitted.sound


def test_another_split_does_not(data_folder: Path) -> None:
    doctor(data_folder)
    assert doctor(data_folder, DataConfig(val_last=3)).report.reused == 12


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[:-40],
        lambda content: content + b"{ nothing whole",
        lambda content: content + b"\x00\xff\n[1]\n{}\n",
        lambda content: content.replace(b"stamp", b"stump"),
    ],
)
def test_a_damaged_journal_costs_a_look(data_folder: Path, spoil: object) -> None:
    first = doctor(data_folder)
    path = data_folder.parent / "check" / NAME
    path.write_bytes(spoil(path.read_bytes()))  # type: ignore[operator]
    assert told(doctor(data_folder)) == told(first)
    assert doctor(data_folder).report.reused == 12


def test_hostile_notes_are_not_believed(data_folder: Path) -> None:
    doctor(data_folder)
    path = data_folder.parent / "check" / NAME
    lines = path.read_text().splitlines()
    value = json.loads(lines[1])
    value["facts"]["pixels"] = [["a", 1]]
    path.write_text("\n".join([lines[0], json.dumps(value), "[" * 100_000, *lines[2:]]) + "\n")
    assert doctor(data_folder).report.reused == 11


def test_notes_are_read_from_disk(data_folder: Path) -> None:
    reader = open_dataset(data_folder).reader
    out = data_folder.parent / "notes"
    journal = Journal(out, reader)
    assert journal.facts(reader.entries[0]) is None
    journal.add(reader.entries[0], look(reader, 0))
    journal.close()
    again = Journal(out, reader)
    assert again.known == 1
    assert again.facts(reader.entries[0]) == look(reader, 0)
    assert again.facts(reader.entries[1]) is None
    again.close()


def test_lines_that_count_no_more_are_cleared_away(data_folder: Path) -> None:
    first = doctor(data_folder)
    path = data_folder.parent / "check" / NAME
    whole = len(path.read_bytes().splitlines())
    for round_ in range(1, 4):
        for image in (data_folder / "images").iterdir():
            os.utime(image, ns=(round_, round_))
        assert doctor(data_folder).report.reused == 0
    # 12 and 12 more are kept; with 12 more than half count no more, and the last 12 stay beside the new ones.
    assert len(path.read_bytes().splitlines()) == whole + 12
    again = doctor(data_folder)
    assert again.report.reused == 12
    assert told(again) == told(first)
    assert [item.name for item in path.parent.iterdir() if item.name.startswith(".")] == []


def test_a_journal_that_cannot_be_opened_leaves_no_file_open(
    data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doctor(data_folder)
    opened, plain = [], Path.open

    def refuse(path: Path, mode: str = "r") -> object:
        if mode == "ab":
            raise PermissionError(13, "Permission denied")
        opened.append(plain(path, mode))
        return opened[-1]

    reader = open_dataset(data_folder).reader
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match="cannot be written"):
        Journal(data_folder.parent / "check", reader)
    assert opened
    assert all(file.closed for file in opened)


SLOWLY = """
import sys, time
from pixelwise.check import run
from pixelwise.cli import main
plain = run.look
run.look = lambda reader, index: (time.sleep(0.02), plain(reader, index))[1]
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is a POSIX signal")
def test_killed_ended_and_gone_on_with(tmp_path: Path) -> None:
    """By SIGKILL, and by SIGTERM to all its processes, as a service manager sends it."""
    root, out = draw_folder(tmp_path / "set", pictures=160), tmp_path / "check"
    noted = 0
    for signal_, workers in ((signal.SIGKILL, 1), (signal.SIGTERM, 2)):
        words = ["check", str(root), "--out", str(out), "--workers", str(workers)]
        process = subprocess.Popen(
            [sys.executable, "-c", SLOWLY, *words], stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        journal, before = out / NAME, _size(out / NAME)
        while _size(journal) < before + 8_000:
            assert process.poll() is None, "the check ended before it could be stopped"
            time.sleep(0.01)
        os.killpg(process.pid, signal_)
        _, said = process.communicate(timeout=60)
        if signal_ == signal.SIGTERM:
            assert process.returncode == 130, said
            assert "interrupted; what was looked at is noted, and the same command goes on" in said
            assert "Traceback" not in said
        assert noted < _lines(journal) < 160
        noted = _lines(journal)
    stopped = check(root, DataConfig(), out=out).report
    assert noted - 2 <= stopped.reused < 160  # the header, and a line that was cut
    undisturbed = check(root, DataConfig(), out=tmp_path / "other").report
    assert stopped.findings == undisturbed.findings
    assert stopped.classes == undisturbed.classes
    assert stopped.histograms == undisturbed.histograms


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _lines(path: Path) -> int:
    return len(path.read_bytes().splitlines())
