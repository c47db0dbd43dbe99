"""`pixelwise tune`: what it prints, and how it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("optuna", reason="needs the extra [tune]")

from pixelwise.cli import main

SETTINGS = [
    *("--model", "unet", "--model-args", "width=2"),
    *("--size", "32", "32", "--epochs", "1", "--batch-size", "5", "--val-last", "2", "--log-pictures", "0"),
    *("--search", "lr=1e-4..1e-2:log", "--search", "loss=ce,ce + dice"),
]


@pytest.fixture(scope="module", autouse=True)
def no_curves() -> Iterator[None]:
    """A plot takes longer than these epochs, and has tests of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pixelwise.training.log.save_curves", lambda _rows, _path: None)
        yield


def test_table_json_and_more_trials(
    tmp_path: Path, shared_data_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "tune")
    place = ["--out", out, "--cache-dir", str(tmp_path / "cache")]
    assert main(["tune", str(shared_data_folder), "--trials", "1", *place, *SETTINGS]) == 0
    shown = capsys.readouterr()
    assert "1 trials: 1 complete, 0 pruned, 0 failed" in shown.out
    assert "optimistic" in shown.out
    assert "again    pixelwise train" in shown.out
    assert "lr" in shown.out.splitlines()[2]
    assert "trial 0 (1 of 1): lr 0.001, loss ce" in " ".join(shown.err.split())
    assert main(["tune", "--resume", out, "--trials", "2", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [trial["state"] for trial in document["trials"]] == ["complete"] * 2
    assert document["miou"] == max(trial["miou"] for trial in document["trials"])
    # Neither settings nor data can be given beside --resume, and the folder takes no other study.
    assert main(["tune", "--resume", out, "--lr", "0.1"]) == 2
    assert "lr cannot be given" in " ".join(capsys.readouterr().err.split())
    assert main(["tune", str(shared_data_folder), "--lr", "0.1", *place, *SETTINGS]) == 2
    assert "another study (--lr differ)" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "needs the folder"),
        (["DATA", "--trials", "0"], "--trials must be at least 1"),
        (["DATA", "--search", "learning_rate=1..2"], "there is no setting 'learning_rate'"),
        (["DATA", "--search", "colr=0..0.5"], "did you mean colour?"),
        (["DATA", "--search", "model=1..3"], "model is no number"),
        (["DATA", "--search", "lr=3..1"], "LOW must be below HIGH"),
        (["DATA", "--model", "unte"], "did you mean unet"),
        (["--resume", "NOWHERE"], "holds no study"),
        (["NOWHERE"], "no such folder"),
    ],
)
def test_wrong_use(
    arguments: list[str], words: str, shared_data_folder: Path, tmp_path: Path, capsys
) -> None:
    places = {"DATA": str(shared_data_folder), "NOWHERE": str(tmp_path / "nowhere")}
    assert main(["tune", *(places.get(a, a) for a in arguments), "--out", str(tmp_path / "tune")]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert words in said
    assert "Traceback" not in said
    assert not (tmp_path / "tune").exists()
