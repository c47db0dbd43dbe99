"""Wrong use and bad input: one sentence with file and remedy, exit code 2, nothing half-written."""

from __future__ import annotations

import errno
import json
import os
import pickle
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pixelwise import files
from pixelwise.cli import main

SMALL = ["--size", "32", "32", "--epochs", "1", "--batch-size", "4", "--no-cache"]


def _complaint(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    """Runs a command that must fail with exit code 2 and returns what it said."""
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert "pixelwise:" in said
    return " ".join(said.split())


def _train(capsys: pytest.CaptureFixture[str], data: Path, *more: str) -> str:
    out = data.parent / "run"
    said = _complaint(capsys, ["train", str(data), "--out", str(out), *SMALL, *more])
    assert not out.exists(), "a run folder was left behind"
    return said


def test_a_missing_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no such folder" in _train(capsys, tmp_path / "nowhere")


def test_an_empty_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data").mkdir()
    assert "empty" in _train(capsys, tmp_path / "data")


def test_a_picture_without_a_mask(data_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data_folder / "masks" / "scene_03.png").unlink()
    assert "scene_03.png" in _train(capsys, data_folder)


def test_a_mask_without_a_picture(data_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data_folder / "images" / "scene_03.png").unlink()
    assert "scene_03.png" in _train(capsys, data_folder)


def test_sizes_that_differ(data_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("L", (48, 41)).save(data_folder / "masks" / "scene_05.png")
    said = _train(capsys, data_folder)
    assert "48x40" in said
    assert "48x41" in said
    assert "scene_05.png" in said


def test_a_mask_of_0_and_255_proposes_the_mapping(
    data_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (data_folder / "masks").iterdir():
        Image.fromarray(np.asarray(Image.open(path)) * np.uint8(255)).save(path)
    assert "--map 255=1" in _train(capsys, data_folder)


def test_a_value_outside_the_classes_is_counted(
    data_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = data_folder / "masks" / "scene_02.png"
    mask = np.asarray(Image.open(path)).copy()
    mask[0, :7] = 9
    Image.fromarray(mask).save(path)
    said = _train(capsys, data_folder)
    assert "scene_02.png" in said
    assert "9" in said
    assert "7" in said
    assert "--map" in said


def test_a_truncated_picture_and_skip_broken(data_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = data_folder / "images" / "scene_04.png"
    path.write_bytes(path.read_bytes()[:-900])
    said = _train(capsys, data_folder)
    assert "scene_04.png" in said
    assert "--skip-broken" in said
    out = data_folder.parent / "run"
    assert main(["train", str(data_folder), "--out", str(out), *SMALL, "--skip-broken"]) == 0
    assert "scene_04.png" in capsys.readouterr().err


def test_text_that_calls_itself_a_picture(
    data_folder: Path, model: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = data_folder / "images" / "scene_00.png"
    path.write_text("no picture")
    out = tmp_path / "out"
    said = _complaint(capsys, ["predict", str(model), str(data_folder / "images"), "--out", str(out)])
    assert "scene_00.png" in said
    assert len(list((out / "masks").iterdir())) == 11  # the others are done all the same


def test_a_decompression_bomb(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # A PNG header that promises 60000 x 60000 pixels, and nothing else.
    body = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    import zlib

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", body) + chunk(b"IDAT", zlib.compress(bytes(999))))
    said = _complaint(capsys, ["predict", str(model), str(bomb), "--out", str(tmp_path / "out")])
    assert "bomb.png" in said
    assert "60000" in said


def test_fewer_pictures_than_a_batch(data_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = _train(capsys, data_folder, "--batch-size", "11")
    assert "10 training pictures are fewer than one batch of 11; use --batch-size 10 or less" in said


def test_a_read_only_place(data_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # A file where a folder is needed refuses even the administrator, whom permissions do not stop.
    blocked = data_folder.parent / "blocked"
    blocked.write_text("a file")
    said = _complaint(capsys, ["train", str(data_folder), "--out", str(blocked / "run"), *SMALL])
    assert "cannot be written" in said
    assert blocked.read_text() == "a file"


def test_a_full_disk_keeps_the_old_file_whole(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "model.safetensors"
    shutil.copy(model, target)
    before = target.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(Exception, match=r"cannot be written \(No space left on device\).*make room"):
        files.write_whole(target, b"new")
    assert target.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, as Linux has it")
def test_a_full_standard_output_is_one_sentence() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "pixelwise", "models", "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "No space left" in done.stderr


def test_model_files_that_are_none(
    model: Path, tmp_path: Path, shared_data_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truncated, pickled = tmp_path / "cut.safetensors", tmp_path / "model.pt"
    truncated.write_bytes(model.read_bytes()[:100_000])
    pickled.write_bytes(pickle.dumps({"weights": 1}))
    saved = tmp_path / "saved.pt"
    torch.save({"weights": torch.zeros(2)}, saved)
    for path, words in ((truncated, "truncated"), (pickled, "is a pickle"), (saved, "is a pickle")):
        for command in ("predict", "evaluate"):
            said = _complaint(capsys, [command, str(path), str(shared_data_folder)])
            assert words in said
            assert path.name in said
    assert "no such model file" in _complaint(
        capsys, ["predict", str(tmp_path / "x"), str(shared_data_folder)]
    )


def test_a_model_of_other_classes(model: Path, data_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data_folder / "classes.txt").write_text("sky\ncloud\n")
    said = _complaint(capsys, ["evaluate", str(model), str(data_folder)])
    assert "the model knows ground, box but the data has sky, cloud" in said


def test_a_folder_that_holds_a_run_already(data_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = data_folder.parent / "run"
    assert main(["train", str(data_folder), "--out", str(out), *SMALL]) == 0
    before = {p.name: p.stat().st_mtime_ns for p in out.iterdir()}
    said = _complaint(capsys, ["train", str(data_folder), "--out", str(out), *SMALL])
    assert "--resume" in said
    assert {p.name: p.stat().st_mtime_ns for p in out.iterdir()} == before
    # Changed pictures cannot be resumed on.
    path = data_folder / "images" / "scene_01.png"
    Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
    assert "changed since" in _complaint(capsys, ["train", "--resume", str(out)])
    # Nor can settings be given beside --resume.
    assert "lr cannot be given" in _complaint(capsys, ["train", "--resume", str(out), "--lr", "1"])
    (out / "config.json").write_text(json.dumps({"data": "x", "train": {"epoch": 1}}))
    assert "damaged" in _complaint(capsys, ["train", "--resume", str(out)])
    assert "no run to resume" in _complaint(capsys, ["train", "--resume", str(data_folder)])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train"], "needs the folder"),
        (["train", "DATA", "--epochs", "0"], "epochs must be at least 1"),
        (["train", "DATA", "--model", "unet-xceptoin"], "did you mean unet-xception"),
        (["train", "DATA", "--class-weights", "1", "2", "3"], "3 weights for 2 classes"),
        (["train", "DATA", "--map", "255"], "RAW=ID"),
        (["train", "DATA", "--format", "cocoa"], "no data format"),
        (["train", "DATA", "--val-last", "12"], "leaves no picture to train on"),
        (["predict", "MODEL", "none-*.jpg"], "matches no picture"),
        (["predict", "MODEL", "DATA", "DATA", "--compare"], "one labelled data set"),
        (["summary", "u-net"], "there is no network 'u-net': did you mean unet?"),
    ],
)
def test_wrong_use(
    arguments: list[str], words: str, shared_data_folder: Path, model: Path, tmp_path: Path, capsys
) -> None:
    places = {"DATA": str(shared_data_folder), "MODEL": str(model)}
    filled = [places.get(argument, argument) for argument in arguments]
    out = ["--out", str(tmp_path / "out")] if arguments[0] != "summary" else []
    small = SMALL if len(arguments) > 1 and arguments[0] == "train" and "--epochs" not in arguments else []
    assert words in _complaint(capsys, [*filled, *out, *small])
    assert not (tmp_path / "out").exists()


def test_an_unknown_flag_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(["train", "data", "--epoch", "3"])
    assert leaving.value.code == 2


def test_a_loss_that_breaks_stops_in_plain_words(
    data_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = data_folder.parent / "run"
    arguments = ["train", str(data_folder), "--out", str(out), *SMALL, "--optimizer", "sgd", "--lr", "90"]
    said = _complaint(capsys, [*arguments, "--epochs", "20"])
    assert "the loss became" in said
    assert "--lr" in said
