"""The doctor finds every fault that is planted, names it, and says nothing of the rest."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import planted
from pixelwise.check import run as run_module
from pixelwise.check.finding import Finding, Severity
from pixelwise.check.report import Report
from pixelwise.check.run import check
from pixelwise.config import DataConfig

WRONG = (Severity.ERROR, Severity.WARNING)
Plant = Callable[[Path], list[str]]


@pytest.fixture(autouse=True)
def looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "look", planted.look_once)


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return planted.draw_clean(tmp_path_factory.mktemp("clean") / "set")


@pytest.fixture
def folder(clean: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(clean, tmp_path / "set"))


def doctor(root: Path, config: DataConfig | None = None, *, size: tuple[int, int] | None = None) -> Report:
    return check(root, config or DataConfig(), out=root.parent / "check", size=size).report


def found(report: Report, kind: str) -> Finding:
    assert kind in [finding.kind for finding in report.findings], report.findings
    return next(finding for finding in report.findings if finding.kind == kind)


def names(finding: Finding) -> list[str]:
    return [example.name for example in finding.examples]


def test_nothing_is_wrong_with_the_clean_set(folder: Path) -> None:
    report = doctor(folder)
    assert [f for f in report.findings if f.severity is not Severity.NOTE] == []
    assert report.sound
    assert report.verdict == "Nothing wrong was found"
    assert report.pictures == planted.PICTURES
    assert [side.name for side in report.sides] == ["train", "val"]


@pytest.mark.parametrize(
    ("plant", "kind", "severity"),
    [
        (planted.truncate, "unreadable", Severity.ERROR),
        (planted.turn, "turned", Severity.ERROR),
        (planted.scale, "scaled", Severity.ERROR),
        (planted.crop, "sizes", Severity.ERROR),
        (planted.stray_value, "values", Severity.ERROR),
        (planted.smooth, "smoothed", Severity.ERROR),
        (planted.empty, "empty", Severity.WARNING),
        (planted.one_class, "one_class", Severity.SUSPECT),
        (planted.hardly_labelled, "hardly_labelled", Severity.SUSPECT),
        (planted.lens_cap, "blank", Severity.WARNING),
        (planted.large_picture, "odd_size", Severity.SUSPECT),
        (planted.strip_picture, "odd_shape", Severity.SUSPECT),
        (planted.lonely_picture, "missing_labels", Severity.ERROR),
        (planted.lonely_mask, "missing_pictures", Severity.ERROR),
        (planted.swap, "misfit", Severity.SUSPECT),
        (planted.mirror_all, "misfit_all", Severity.ERROR),
        (planted.move_all, "misfit_all", Severity.ERROR),
    ],
)
def test_a_planted_fault_is_found_and_nothing_else(
    folder: Path, plant: Plant, kind: str, severity: Severity
) -> None:
    spoilt = plant(folder)
    report = doctor(folder)
    finding = found(report, kind)
    assert finding.severity is severity
    for name in spoilt:
        assert any(name in example for example in names(finding)), names(finding)
    if spoilt:
        assert finding.count == len(spoilt)
    assert [f.kind for f in report.findings if f.severity in WRONG and f.kind != kind] == []
    assert report.sound == (severity is not Severity.ERROR)


@pytest.mark.parametrize(
    ("plant", "remedy"),
    [
        (planted.binary, "--map 255=1"),
        (planted.start_at_one, "--map 1-5=0-4"),
    ],
)
def test_a_mapping_is_proposed_and_the_rest_is_looked_at_with_it(
    folder: Path, plant: Plant, remedy: str
) -> None:
    plant(folder)
    report = doctor(folder)
    finding = found(report, "values")
    assert remedy in finding.remedy
    assert report.pictures == planted.PICTURES
    assert [f.kind for f in report.findings if f.severity in WRONG] == ["values"]
    assert not report.sound
    assert min(row.train_pixels for row in report.classes) > 0


@pytest.mark.parametrize("plant", [planted.binary_jpeg, planted.colours_off])
def test_values_that_are_a_little_off_get_a_tolerance(folder: Path, plant: Plant) -> None:
    plant(folder)
    report = doctor(folder)
    finding = found(report, "values")
    assert "--snap" in finding.remedy
    assert report.pictures == planted.PICTURES
    assert [f.kind for f in report.findings if f.severity in WRONG] == ["values"]


def test_colours_without_classes_are_listed_to_copy(folder: Path) -> None:
    planted.palette_as_rgb(folder)
    report = doctor(folder)
    finding = found(report, "colours")
    assert finding.remedy.endswith("classes.found.txt")  # never over the user's own
    assert "230 159 0" in finding.remedy
    assert "disc" not in finding.remedy  # nobody knows which colour it is
    assert not report.sound


def test_the_remedy_is_what_mends(folder: Path) -> None:
    """The command that is proposed reads the set without a fault."""
    from pixelwise.cli import main

    planted.binary(folder)
    planted.truncate(folder)
    report = doctor(folder)
    words = shlex.split(found(report, "unreadable").remedy)
    assert words[:3] == ["pixelwise", "train", str(folder)]
    again = ["check", *words[2:], "--out", str(folder.parent / "again")]
    assert main(again) == 0  # unreadable files are a warning now, since they are left out
    kinds = {f.kind for f in doctor(folder, DataConfig(map=("255=1",))).findings if f.severity in WRONG}
    assert kinds == {"unreadable"}


@pytest.mark.parametrize(
    ("plant", "kind", "severity"),
    [
        (planted.copy_across, "leakage", Severity.ERROR),
        (planted.copy_within, "duplicates", Severity.WARNING),
        (planted.save_again, "near_leakage", Severity.WARNING),
        (planted.contradict, "contradiction", Severity.ERROR),
        (planted.only_at_the_end, "unlearnable", Severity.ERROR),
    ],
)
def test_a_fault_between_samples_is_found(folder: Path, plant: Plant, kind: str, severity: Severity) -> None:
    spoilt = plant(folder)
    report = doctor(folder, DataConfig(val_last=4))
    finding = found(report, kind)
    assert finding.severity is severity
    assert finding.count == len(spoilt)
    assert sorted(names(finding)) == sorted(spoilt)
    others = [f.kind for f in report.findings if f.severity in WRONG and f.kind != kind]
    assert [other for other in others if other != "unmeasured"] == []


def test_a_film_that_is_dealt_out_is_found_and_its_remedy_mends(folder: Path) -> None:
    from pixelwise.cli import main

    planted.film(folder)
    finding = found(doctor(folder), "sequence_split")
    assert finding.severity is Severity.WARNING
    words = shlex.split(finding.remedy)[2:]
    out = folder.parent / "again"
    assert main(["check", *words, "--out", str(out)]) == 0
    kinds = [f["kind"] for f in json.loads((out / "report.json").read_text())["findings"]]
    assert "sequence_split" not in kinds


def test_leaving_copies_out_of_a_drawn_split_mends_and_the_list_stays_whole(folder: Path) -> None:
    """Who is left stays on his side, and a second check into one folder does not shorten its own list."""
    from pixelwise.cli import main
    from pixelwise.data import open_dataset

    for number in range(1, 21):
        planted.copy_pair(folder, number, f"zz_{number}")
    out = folder.parent / "check"
    assert main(["check", str(folder), "--out", str(out)]) == 1
    kinds = {f["kind"]: f for f in json.loads((out / "report.json").read_text())["findings"]}
    listed = (out / "leakage.txt").read_text()
    words = shlex.split(kinds["leakage"]["remedy"])[2:]
    assert main(["check", *words, "--out", str(out)]) == 0
    assert (out / "leakage.txt").read_text() == listed
    before = open_dataset(folder)
    after = open_dataset(folder, DataConfig(leave_out=(out / "leakage.txt",)))
    names = [{d.reader.entries.names[i] for i in d.split.val} for d in (before, after)]
    assert names[0] == names[1]  # only training pictures were listed


def test_classes_without_a_pixel_and_a_set_without_labels(folder: Path) -> None:
    names = (folder / "classes.txt").read_text() + "ghost 1 2 3\n"
    (folder / "classes.txt").write_text(names)
    unused = found(doctor(folder), "unused")
    assert (unused.severity, unused.count, unused.examples[0].name) == (Severity.WARNING, 1, "ghost")
    for number in range(1, planted.PICTURES + 1):
        planted.write_mask(planted.mask(folder, number), np.full(planted.SIZE, 255, np.uint8))
    assert found(doctor(folder, DataConfig(map=("255=ignore",))), "nothing").severity is Severity.ERROR


def test_labels_that_break_their_formats_rules(tmp_path: Path) -> None:
    """A LabelMe polygon that lies outside its picture."""
    root = tmp_path / "set"
    root.mkdir()
    for number in range(4):
        far = 500 if number == 2 else 0
        points = [[far + 2, 2], [far + 20, 2], [far + 20, 20]]
        shapes = [{"label": "box", "points": points, "shape_type": "polygon", "flags": {}}]
        document = {"version": "5.0.1", "flags": {}, "shapes": shapes, "imagePath": f"{number}.png"}
        size = {"imageData": None, "imageHeight": 32, "imageWidth": 32}
        (root / f"{number}.json").write_text(json.dumps({**document, **size}))
        rgb = np.random.default_rng(number).integers(0, 255, (32, 32, 3), np.uint8)
        planted.Image.fromarray(rgb).save(root / f"{number}.png")
    finding = found(doctor(root), "labels")
    assert finding.severity is Severity.ERROR
    assert names(finding) == ["2"]
    assert "outside" in finding.examples[0].text


def test_a_validation_side_without_labels_is_an_error(folder: Path) -> None:
    for number in range(planted.PICTURES - 7, planted.PICTURES + 1):
        planted.write_mask(planted.mask(folder, number), np.full(planted.SIZE, 255, np.uint8))
    report = doctor(folder, DataConfig(val_last=8))
    assert found(report, "unmeasurable").severity is Severity.ERROR


def test_leaving_the_copies_out_mends(folder: Path) -> None:
    from pixelwise.cli import main

    planted.copy_across(folder)
    out = folder.parent / "check"
    assert main(["check", str(folder), "--val-last", "4", "--out", str(out)]) == 1
    finding = next(
        f for f in json.loads((out / "report.json").read_text())["findings"] if f["kind"] == "leakage"
    )
    assert main(["check", *shlex.split(finding["remedy"])[2:], "--out", str(folder.parent / "again")]) == 0
