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


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is a POSIX signal")
def test_a_killed_check_goes_on(tmp_path: Path) -> None:
    root = draw_folder(tmp_path / "set", pictures=40, size=(200, 240))
    for path in (root / "images").iterdir():  # slower to decode
        Image.open(path).resize((960, 800), Image.Resampling.NEAREST).save(path, compress_level=1)
    for path in (root / "masks").iterdir():
        Image.open(path).resize((960, 800), Image.Resampling.NEAREST).save(path)
    out = tmp_path / "check"
    command = [sys.executable, "-m", "pixelwise", "check", str(root), "--out", str(out), "--workers", "1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    journal = out / NAME
    while not journal.is_file() or journal.stat().st_size < 10_000:
        assert process.poll() is None, "the check ended before it could be killed"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    killed = check(root, DataConfig(), out=out).report
    assert 0 < killed.reused < 40
    undisturbed = check(root, DataConfig(), out=tmp_path / "other").report
    assert killed.findings == undisturbed.findings
    assert killed.classes == undisturbed.classes
    assert killed.histograms == undisturbed.histograms
