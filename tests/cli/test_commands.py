"""The commands end to end on a small drawn set: train, evaluate, predict, the same mask at every step."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixelwise as pw
from pixelwise.cli import main
from pixelwise.data.io import read_picture

SETTINGS = ["--size", "32", "32", "--epochs", "2", "--batch-size", "4", "--val-last", "3", "--flip"]
SETTINGS += ["--precision", "float32"]  # what evaluation computes in


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, shared_data_folder: Path) -> Path:
    folder = tmp_path_factory.mktemp("run") / "run"
    cache = tmp_path_factory.mktemp("cache")
    arguments = ["train", str(shared_data_folder), "--out", str(folder), "--cache-dir", str(cache), *SETTINGS]
    assert main(arguments) == 0
    return folder


def test_a_run_says_everything_that_is_needed_to_repeat_it(run: Path, shared_data_folder: Path) -> None:
    files = {p.name for p in run.iterdir()}
    assert files == {
        *("config.json", "provenance.json", "best.safetensors", "last.safetensors", "checkpoint.safetensors"),
        *("history.csv", "curves.png", "tensorboard", "examples"),
    }
    config = json.loads((run / "config.json").read_text())
    assert config["data"] == str(shared_data_folder)
    assert config["train"]["augment"]["flip"] is True
    provenance = json.loads((run / "provenance.json").read_text())
    assert len(provenance["data_hash"]) == 64
    assert {"python", "torch", "pixelwise", "numpy"} <= set(provenance["versions"])
    assert provenance["seed"] == 0
    with (run / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert all(0 < float(row["train_loss"]) < 100 for row in rows)
    assert Image.open(run / "curves.png").size[0] > 400
    assert list((run / "tensorboard").glob("events.out.tfevents.*"))
    assert [path.name for path in sorted((run / "examples").iterdir())] == [
        "epoch-0001.png",
        "epoch-0002.png",
    ]


def test_validation_is_evaluation_at_the_networks_size(
    run: Path, shared_data_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "scores.json"
    arguments = ["evaluate", str(run / "best.safetensors"), str(shared_data_folder), "--val-last", "3"]
    assert main([*arguments, "--resolution", "network", "--out", str(out)]) == 0
    measured = json.loads(out.read_text())
    stored = pw.load(run / "best.safetensors").provenance["validation"]
    assert measured["confusion"] == stored["confusion"]
    assert measured["miou"] == stored["miou"]
    with (run / "history.csv").open() as file:
        best = max(float(row["val_miou"]) for row in csv.DictReader(file))
    assert measured["miou"] == best


def test_evaluation_counts_what_predict_writes(
    run: Path, shared_data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The masks that `predict` writes, compared with the truth by hand, give the figures of `evaluate`."""
    model, out = str(run / "best.safetensors"), tmp_path / "predictions"
    photos = sorted((shared_data_folder / "images").iterdir())[-3:]
    assert main(["predict", model, *map(str, photos), "--out", str(out), "--batch-size", "2"]) == 0
    capsys.readouterr()
    assert main(["evaluate", model, str(shared_data_folder), "--val-last", "3", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    expected = np.zeros((2, 2), np.int64)
    for photo in photos:
        predicted = np.asarray(Image.open(out / "masks" / f"{photo.stem}.png"))
        truth = np.asarray(Image.open(shared_data_folder / "masks" / f"{photo.stem}.png"))
        assert predicted.shape == truth.shape == (40, 48)
        np.add.at(expected, (truth.ravel(), predicted.ravel()), 1)
    assert result["confusion"] == expected.tolist()
    assert result["pictures"] == 3


def test_one_mask_at_every_step(run: Path, shared_data_folder: Path, tmp_path: Path) -> None:
    photo = sorted((shared_data_folder / "images").iterdir())[0]
    model = pw.load(run / "best.safetensors")
    by_path = model.predict(photo)
    by_array = model.predict(read_picture(photo))
    by_image = model.predict(Image.open(photo))
    assert main(["predict", str(run / "best.safetensors"), str(photo), "--out", str(tmp_path / "p")]) == 0
    written = np.asarray(Image.open(tmp_path / "p" / "masks" / f"{photo.stem}.png"))
    for other in (by_array.labels, by_image.labels, written):
        assert np.array_equal(by_path.labels, other)
    assert by_path.classes.names == ("ground", "box")
    assert sum(by_path.area().values()) == pytest.approx(1)


def test_predict_without_overlays_writes_the_same_masks(
    run: Path, shared_data_folder: Path, tmp_path: Path
) -> None:
    photos = str(shared_data_folder / "images")
    model = str(run / "best.safetensors")
    assert main(["predict", model, photos, "--out", str(tmp_path / "with")]) == 0
    assert main(["predict", model, photos, "--out", str(tmp_path / "without"), "--no-overlays"]) == 0
    masks = [sorted((tmp_path / name / "masks").iterdir()) for name in ("with", "without")]
    assert len(masks[0]) == 12
    assert [m.name for m in masks[0]] == [m.name for m in masks[1]]
    for pair in zip(*masks, strict=True):
        assert np.array_equal(*(np.asarray(Image.open(mask)) for mask in pair))
    assert not (tmp_path / "without" / "overlays").exists()


def test_predict_writes_masks_overlays_and_probabilities(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    sizes = {"tiny": (1, 1), "sub/long": (3, 211), "odd": (61, 83)}
    for name, size in sizes.items():
        Image.fromarray(np.full((*size, 3), 120, np.uint8)).save(folder / f"{name}.png")
    Image.fromarray(np.full((30, 20), 99, np.uint8)).save(folder / "grey.jpg")
    out = tmp_path / "out"
    assert (
        main(["predict", str(run / "best.safetensors"), str(folder), "--out", str(out), "--probabilities"])
        == 0
    )
    for name, size in {**sizes, "grey": (30, 20)}.items():
        mask = Image.open(out / "masks" / f"{name}.png")
        assert mask.mode == "P"
        assert mask.size == size[::-1]
        assert np.load(out / "probabilities" / f"{name}.npz")["probabilities"].shape == (2, *size)
        assert Image.open(out / "overlays" / f"{name}.jpg").height > size[0]  # the legend hangs below


def test_compare_draws_the_worst_first(
    run: Path, shared_data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "predict",
        str(run / "best.safetensors"),
        str(shared_data_folder),
        "--compare",
        "--val-last",
        "3",
    ]
    assert main([*arguments, "--worst", "2", "--out", str(tmp_path), "--json"]) == 0
    sheets = [Path(sheet) for sheet in json.loads(capsys.readouterr().out)["sheets"]]
    assert [sheet.name[:4] for sheet in sheets] == ["001-", "002-"]
    assert (tmp_path / "compare" / "worst.png").exists()
    model = pw.load(run / "best.safetensors")
    scores = []
    for number in range(9, 12):
        name = f"scene_{number:02d}.png"
        labels = model.predict(shared_data_folder / "images" / name).labels
        truth = np.asarray(Image.open(shared_data_folder / "masks" / name))
        ious = [((labels == k) & (truth == k)).sum() / ((labels == k) | (truth == k)).sum() for k in (0, 1)]
        scores.append((np.mean(ious), name))
    assert sheets[0].stem[4:] == Path(min(scores)[1]).stem


def test_resume_trains_longer_on_request(run: Path, tmp_path: Path, shared_data_folder: Path) -> None:
    """Two epochs and then a third end in the weights of three."""
    import shutil

    from safetensors.torch import load_file

    longer = tmp_path / "longer"
    shutil.copytree(run, longer)
    assert main(["train", "--resume", str(longer), "--epochs", "3"]) == 0
    whole = tmp_path / "whole"
    cache = ["--cache-dir", str(tmp_path / "cache")]
    settings = [*SETTINGS[:4], "3", *SETTINGS[5:]]
    assert main(["train", str(shared_data_folder), "--out", str(whole), *cache, *settings]) == 0
    found, wanted = load_file(longer / "last.safetensors"), load_file(whole / "last.safetensors")
    assert all((found[name] == wanted[name]).all() for name in wanted)
    assert main(["train", "--resume", str(longer), "--epochs", "1"]) == 2


def test_models_and_summary(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--classes", "3", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["unet-xception"]["parameters"] == 2_058_979
    assert main(["summary", "unet-xception", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["parameters"] == 2_058_979
    assert summary["trainable"] == 2_055_203
    assert main(["summary"]) == 0
    text = capsys.readouterr().out
    assert "2,058,979 parameters: 2,055,203 trainable, 3,776 not" in text
    assert "SeparableConv2d" in text
