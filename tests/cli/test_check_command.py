"""`pixelwise check`: verdicts as exit codes, the files it leaves, what it prints, wrong use."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

import planted
from pixelwise.check import run as run_module
from pixelwise.cli import main


@pytest.fixture(autouse=True)
def looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "look", planted.look_once)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return planted.draw_clean(tmp_path_factory.mktemp("clean") / "set")


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["check", *words])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_clean_set(clean: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, str(clean), "--out", str(tmp_path / "check"))
    assert code == 0
    assert "Nothing wrong was found" in out
    assert f"report  {tmp_path / 'check' / 'report.html'}" in out
    assert "format folder: 40 pictures" in err
    assert sorted(path.name for path in (tmp_path / "check").iterdir()) == [
        "facts.jsonl",
        "report.html",
        "report.json",
    ]
    page = (tmp_path / "check" / "report.html").read_text()
    assert "Nothing wrong was found" in page
    code, _, err = run(capsys, str(clean), "--out", str(tmp_path / "check"))
    assert "40 of 40 samples as an earlier check noted them" in err
    code, _, err = run(capsys, str(clean), "--out", str(tmp_path / "check"), "--afresh")
    assert "as an earlier check" not in err


def test_a_set_with_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = planted.draw_clean(tmp_path / "set")
    planted.truncate(root)
    planted.lens_cap(root)
    out_folder = tmp_path / "check"
    code, out, _ = run(capsys, str(root), "--out", str(out_folder))
    assert code == 1
    assert "error  2 of 40 samples cannot be decoded" in out
    assert f"$ pixelwise train {root} --skip-broken" in out
    assert "Not ready to train on: 1 error, and 1 warning" in out
    assert (out_folder / "blank.txt").read_text() == f"{planted.NAME(14)}\n"
    page = (out_folder / "report.html").read_text()
    assert page.count("data:image/jpeg") == 3  # two broken samples and the black one
    document = json.loads((out_folder / "report.json").read_text())
    assert document["sound"] is False
    assert [f["kind"] for f in document["findings"]][:2] == ["unreadable", "blank"]
    # What is proposed is what mends: the black picture is gone, the broken files stay named.
    remedy = next(f["remedy"] for f in document["findings"] if f["kind"] == "blank")
    words = shlex.split(remedy)[3:]
    code, out, err = run(capsys, str(root), *words, "--json", "--out", str(tmp_path / "again"))
    assert code == 1
    assert "1 samples left out" in err
    assert [f["kind"] for f in json.loads(out)["findings"] if f["severity"] in ("error", "warning")] == [
        "unreadable"
    ]


def test_json_goes_to_stdout_and_nothing_else(
    clean: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, str(clean), "--json", "--out", str(tmp_path / "check"))
    assert code == 0
    document = json.loads(out)
    assert document == json.loads((tmp_path / "check" / "report.json").read_text())
    assert document["pixelwise_check"] == 1
    assert {row["name"] for row in document["classes"]} == {
        "background",
        "disc",
        "box",
        "triangle",
        "ring",
    }


def test_a_chosen_input_says_which_objects_are_too_small(
    clean: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(
        capsys, str(clean), "--size", "12", "16", "--stride", "4", "--out", str(tmp_path / "check")
    )
    assert code == 0
    assert "warning" in out
    assert "with objects too small for 16x12 at stride 4" in out
    assert f"$ pixelwise ceiling {clean}" in out


def test_a_set_that_cannot_be_opened(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "set"
    (root / "somewhere").mkdir(parents=True)
    code, out, _ = run(capsys, str(root), "--out", str(tmp_path / "check"))
    assert code == 1
    assert "The data set cannot be opened" in out
    assert "no data set was recognised" in out
    assert "Nothing else was looked at" in (tmp_path / "check" / "report.html").read_text()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("nowhere",), "there is no such folder"),
        (("SET", "--size", "0", "16"), "size must lie in 1..16384"),
        (("SET", "--stride", "0"), "stride must lie in 1..256"),
        (("SET", "--map", "a=b"), "--map takes RAW=ID"),
        (("SET", "--format", "nothing"), "there is no data format"),
    ],
)
def test_wrong_use(
    clean: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    sentence: str,
) -> None:
    given = [str(clean) if word == "SET" else word for word in words]
    code, _, err = run(capsys, *given, "--out", str(tmp_path / "check"))
    assert code == 2
    assert sentence in err


def test_an_out_that_is_a_file(clean: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "check").write_text("a file")
    code, _, err = run(capsys, str(clean), "--out", str(tmp_path / "check"))
    assert code == 2
    assert "check" in err


def test_names_that_are_no_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file name that is not UTF-8, and one with markup: the report is written, and the list names them."""
    root = planted.draw_clean(tmp_path / "set")
    for folder in ("images", "masks"):
        (root / folder / f"{planted.NAME(14)}.png").rename(root / folder / "caf\udce9 <b>.png")
    name = "caf\udce9 <b>"
    blank = root / "images" / f"{name}.png"
    planted.Image.new("RGB", (planted.SIZE[1], planted.SIZE[0])).save(blank.parent / "tmp.png")
    (blank.parent / "tmp.png").rename(blank)
    code, _, _ = run(capsys, str(root), "--out", str(tmp_path / "check"))
    assert code == 0
    assert (tmp_path / "check" / "blank.txt").read_bytes() == b"caf\xe9 <b>\n"
    page = (tmp_path / "check" / "report.html").read_text(encoding="utf-8")
    assert "caf\\xe9 &lt;b&gt;" in page
    code, out, _ = run(
        capsys,
        str(root),
        "--leave-out",
        str(tmp_path / "check" / "blank.txt"),
        "--out",
        str(tmp_path / "again"),
    )
    assert code == 0
    assert "Nothing wrong was found" in out


@pytest.mark.parametrize("command", ["check", "ceiling"])
def test_flags_that_would_do_nothing_are_not_offered(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every picture is looked at once, so there is nothing to keep."""
    with pytest.raises(SystemExit):
        main([command, "--help"])
    said = capsys.readouterr().out
    assert "--cache" not in said
    assert "--leave-out" in said
    assert "Leave unreadable pictures out" in said
