"""Every network from the command line: trained on a few pictures, loaded, used on a photo of another size."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import pixelwise as pw
from pixelwise.cli import main
from pixelwise.models import MODELS, build_model

pytestmark = pytest.mark.usefixtures("quick_curves")

REAL = Path(__file__).resolve().parents[3] / "shared" / "weights" / "mobilenet_v2-b0353104.pth"

CASES = {
    "unet-xception": [],
    "mobilenet-segnet": ["alpha=0.25"],
    "segnet": [],
    "fcn-32s": ["head=light"],
    "fcn-16s": ["head=light", "encoder=mobilenet_v1", "encoder.alpha=0.25"],
    "fcn-8s": ["head=light", "encoder=mobilenet_v2", "encoder.alpha=0.5"],
    "unet": ["width=8", "padding=valid"],
    "fpn": ["width=32", "head_width=32", "encoder.alpha=0.25"],
    "upernet": ["width=16", "encoder.alpha=0.25"],
    "deeplabv3plus": ["output_stride=16", "encoder.alpha=0.35"],
    "segformer-b0": ["encoder.alpha=0.5"],
    "segformer-b1": ["encoder.alpha=0.25"],
    "segformer-b2": ["encoder.alpha=0.125"],
    "eomt-s": ["alpha=0.125", "depth=4"],
    "eomt-b": ["alpha=0.0625", "depth=3", "registers=4"],
    "lraspp": ["encoder=mobilenet_v3_small", "encoder.alpha=0.5"],
    "pidnet-s": ["width=8"],
}


def train(data: Path, folder: Path, name: str, arguments: list[str], *more: str) -> int:
    command = ["train", str(data), "--model", name, "--out", str(folder / "run"), "--val-last", "3"]
    command += ["--size", "32", "48", "--epochs", "1", "--batch-size", "4", "--lr", "1e-4"]
    command += ["--cache-dir", str(folder / "cache"), *more]
    return main([*command, "--model-args", *arguments] if arguments else command)


def test_no_network_is_forgotten() -> None:
    assert set(CASES) == set(MODELS)


@pytest.mark.parametrize("name", CASES)
def test_a_network_trains_and_its_file_is_all_it_takes(
    name: str, shared_data_folder: Path, tmp_path: Path
) -> None:
    assert train(shared_data_folder, tmp_path, name, CASES[name]) == 0
    model = pw.load(tmp_path / "run" / "best.safetensors")
    assert model.network.architecture.name == name  # pyright: ignore[reportAttributeAccessIssue]
    photo = np.random.default_rng(0).integers(0, 256, (37, 51, 3), dtype=np.uint8)
    seg = model.predict(photo, probabilities=True)
    assert seg.labels.shape == (37, 51)
    assert seg.probabilities is not None
    np.testing.assert_allclose(seg.probabilities.sum(axis=0), 1, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["fcn-8s", "deeplabv3plus", "segformer-b0", "pidnet-s"])
def test_neither_dropout_nor_heads_for_training_spoil_a_resume(
    name: str, shared_data_folder: Path, tmp_path: Path
) -> None:
    for folder, epochs in (("whole", "2"), ("parts", "1")):
        (tmp_path / folder).mkdir()
        torch.manual_seed(len(folder))  # what the global generator does must not matter
        assert train(shared_data_folder, tmp_path / folder, name, CASES[name], "--epochs", epochs) == 0
    torch.manual_seed(99)
    assert main(["train", "--resume", str(tmp_path / "parts" / "run"), "--epochs", "2"]) == 0
    for file in ("last.safetensors", "checkpoint.safetensors"):  # the latter with the heads and the optimiser
        whole, parts = (load_file(tmp_path / f / "run" / file) for f in ("whole", "parts"))
        assert whole.keys() == parts.keys()
        assert all(torch.equal(tensor, parts[key]) for key, tensor in whole.items())


def test_heads_for_training_are_taught_and_stay_out_of_the_file(
    shared_data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, expression in enumerate(("5*edge(width=2)", "edge + edge_ce")):
        (tmp_path / str(number)).mkdir()
        more = ["--extra-loss", expression]
        assert train(shared_data_folder, tmp_path / str(number), "pidnet-s", CASES["pidnet-s"], *more) == 0
    first, second = (load_file(tmp_path / n / "run" / "checkpoint.safetensors") for n in "01")
    taught = [key for key in first if "auxiliary.boundary.1.conv.weight" in key]
    assert taught
    assert not any(torch.equal(first[key], second[key]) for key in taught)
    best = tmp_path / "0" / "run" / "best.safetensors"
    assert pw.load(best).header.architecture.arguments["auxiliary"] is False
    assert not any("auxiliary" in key for key in load_file(best))
    # It begins again from the file, then without the heads.
    (tmp_path / "again").mkdir()
    assert train(shared_data_folder, tmp_path / "again", "pidnet-s", [], "--init", str(best)) == 0
    capsys.readouterr()
    more = ["--extra-loss", "edge_ce"]
    assert train(shared_data_folder, tmp_path / "no", "pidnet-s", CASES["pidnet-s"], *more) == 2
    assert "teaches nothing to the boundary head of pidnet-s" in " ".join(capsys.readouterr().err.split())


def test_what_is_counted_of_a_network_is_what_predicts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--classes", "11", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    statistics = 2 * sum(  # means and variances of all batch normalisations
        module.num_features
        for name, module in build_model("pidnet-s", num_classes=11).named_modules()
        if isinstance(module, torch.nn.BatchNorm2d) and not name.startswith("auxiliary")
    )
    assert rows["pidnet-s"]["parameters"] == 7_624_683 + statistics
    assert main(["summary", "pidnet-s", "--classes", "11", "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert table["parameters"] == rows["pidnet-s"]["parameters"]
    assert sum(row["parameters"] for row in table["rows"]) == table["parameters"]


@pytest.mark.skipif(not REAL.is_file(), reason="the real weights are not beside the checkout")
def test_pretrained_weights_from_the_command_line(shared_data_folder: Path, tmp_path: Path) -> None:
    assert train(shared_data_folder, tmp_path, "deeplabv3plus", [], "--weights", str(REAL)) == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["train"]["weights"] == str(REAL.resolve())
    model = pw.load(tmp_path / "run" / "best.safetensors")
    arguments = model.network.architecture.arguments  # pyright: ignore[reportAttributeAccessIssue]
    assert arguments["normalisation"] == "imagenet"  # pyright: ignore
    assert arguments["encoder_arguments"]["arithmetic"] == "torch"  # pyright: ignore
    # Three small steps from the published weights, and not from drawn ones.
    kernel = torch.load(REAL, weights_only=True)["features.0.0.weight"]
    assert (model.network.encoder.stem.conv.weight - kernel).abs().max() < 0.01  # pyright: ignore


@pytest.mark.skipif(not REAL.is_file(), reason="the real weights are not beside the checkout")
def test_a_run_resumes_without_the_weights_that_it_began_with(
    shared_data_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copy(REAL, tmp_path / "weights.pth")
    monkeypatch.chdir(tmp_path)  # given by a relative path
    for folder, epochs in (("whole", "2"), ("parts", "1")):
        (tmp_path / folder).mkdir()
        more = ["--weights", "weights.pth", "--epochs", epochs]
        assert train(shared_data_folder, tmp_path / folder, "deeplabv3plus", [], *more) == 0
    run = tmp_path / "parts" / "run"
    assert len(json.loads((run / "provenance.json").read_text())["weights_sha256"]) == 64
    (tmp_path / "weights.pth").unlink()
    monkeypatch.chdir("/")
    assert main(["train", "--resume", str(run), "--epochs", "2"]) == 0
    whole, parts = (load_file(tmp_path / f / "run" / "last.safetensors") for f in ("whole", "parts"))
    assert all(torch.equal(tensor, parts[key]) for key, tensor in whole.items())
    # Without a checkpoint it begins again, and then it needs the very same weights.
    (run / "checkpoint.safetensors").unlink()
    capsys.readouterr()
    assert main(["train", "--resume", str(run)]) == 2
    assert "no such weights" in " ".join(capsys.readouterr().err.split())
    weights = torch.load(REAL, weights_only=True)
    torch.save(
        {**weights, "features.0.0.weight": weights["features.0.0.weight"] + 1}, tmp_path / "weights.pth"
    )
    assert main(["train", "--resume", str(run)]) == 2
    assert "the pretrained weights changed since the run began" in " ".join(capsys.readouterr().err.split())


def test_a_wrong_argument_is_told_before_any_picture_is_read(
    shared_data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, argument, said in (
        ("unet", "depth=3", "unet has no argument depth; it has padding, upsampling, "),
        ("unet", "padding", "an argument of the network is NAME=VALUE, got 'padding'"),
        ("fcn-8s", "encoder=resnet", "there is no encoder 'resnet'; there are mit_b0, "),
    ):
        assert train(shared_data_folder, tmp_path, name, [argument]) == 2
        error = capsys.readouterr().err
        assert said in " ".join(error.split())
        assert "pictures" not in error
    assert not (tmp_path / "run").exists()
