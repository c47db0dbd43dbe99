"""One command for all findings: its flags go together, and a second check with them is clean."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

import planted
from pixelwise.check import run as run_module
from pixelwise.check.asked import Asked
from pixelwise.check.finding import Finding, Severity
from pixelwise.check.together import together
from pixelwise.cli import main
from pixelwise.config import DataConfig

FAULTS = (
    planted.binary,
    planted.truncate,
    planted.copy_across,
    planted.copy_within,
    planted.turn,  # behind the copies, which would else be found only when their turn is mended
    planted.lens_cap,
    planted.lonely_picture,
)


@pytest.fixture(autouse=True)
def looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "look", planted.look_once)


def test_a_second_check_with_all_flags_is_clean(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, out = planted.draw_clean(tmp_path / "set"), tmp_path / "check"
    for plant in FAULTS:
        plant(root)
    assert main(["check", str(root), "--val-last", "4", "--out", str(out), "--workers", "1"]) == 1
    said = capsys.readouterr().out
    document = json.loads((out / "report.json").read_text())
    wrong = {item["kind"] for item in document["findings"] if item["severity"] in ("error", "warning")}
    assert wrong >= {
        *("values", "unreadable", "turned", "blank", "leakage", "duplicates"),
        "missing_labels",
    }
    words = shlex.split(document["remedy"])
    assert words[:3] == ["pixelwise", "train", str(root)]
    lists = [str(out / f"{kind}.txt") for kind in ("leakage", "duplicates", "blank")]
    place = words.index("--leave-out")
    assert words[place + 1 : place + 4] == lists
    assert {"--map", "255=1", "--val-last", "4", "--fit-masks", "--skip-broken", "--skip-unpaired"} <= {
        *words
    }
    assert f"remedy  {document['remedy']}" in said
    assert document["remedy"].replace("&", "&amp;") in _text_of_commands(out / "report.html")

    assert main(["check", *words[2:], "--out", str(tmp_path / "again"), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    left = {item["kind"] for item in again["findings"] if item["severity"] in ("error", "warning")}
    assert left == {"unreadable", "missing_labels"}  # they are left out, and still said
    assert again["remedy"] == ""


def _text_of_commands(page: Path) -> str:
    return page.read_text().replace('<span class="word">', "").replace("</span>", "")


def asked(**given: object) -> Asked:
    config = DataConfig(**given)  # type: ignore[arg-type]
    return Asked(root=Path("set"), given=config, config=config, out=Path("check"))


def finding(kind: str, severity: Severity = Severity.ERROR, **changes: object) -> Finding:
    return Finding(kind=kind, severity=severity, title="", text="", count=1, changes=changes)


def test_only_one_finding_draws_the_split_and_lists_of_the_old_one_are_left() -> None:
    found = [
        finding("leakage", leave_out=(Path("check/leakage.txt"),)),
        finding("duplicates", Severity.WARNING, leave_out=(Path("check/duplicates.txt"),)),
        finding("sequence_split", Severity.WARNING, val_last=12, val_share=None),
        finding("unlearnable", val_seed=3),
    ]
    said = together(found, asked(val_share=0.2))
    assert said == "pixelwise train set --val-last 12 --leave-out check/duplicates.txt"


def test_notes_and_what_a_person_must_decide_ask_for_nothing() -> None:
    found = [finding("contradiction"), finding("near", Severity.NOTE, snap=3)]
    assert together(found, asked(val_last=3)) == ""


def test_what_opened_the_set_is_among_the_flags() -> None:
    given = DataConfig(merge=("a,b=c",))
    opened = DataConfig(merge=("a,b=c",), skip_unpaired=True)
    told = Asked(root=Path("set"), given=given, config=opened, out=Path("check"))
    said = together([finding("values", map=("255=1",))], told)
    assert said == "pixelwise train set --map 255=1 --merge a,b=c --skip-unpaired"
