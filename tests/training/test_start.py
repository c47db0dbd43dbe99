"""Training that starts from a model file: all its weights, or all but the last layer's."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pixelwise import training
from pixelwise.config import TrainConfig
from pixelwise.errors import ConfigError, ModelFileError
from pixelwise.header import ModelHeader
from pixelwise.model_file import read_header, save_model
from pixelwise.models import MODELS, build_model
from pixelwise.nn.arguments import format_arguments, parse_arguments
from pixelwise.training.start import class_dependent, read_start, settled, take_over
from pixelwise.types import Classes, SizePolicy

ARGUMENTS = {"encoder": "mobilenet_v2", "encoder_arguments": {"alpha": 0.35}}


def _file(path: Path, names: tuple[str, ...], name: str = "unet", seed: int = 5) -> Path:
    network = build_model(
        name, num_classes=len(names), arguments=ARGUMENTS if name == "unet" else {}, seed=seed
    )
    header = ModelHeader(
        architecture=network.architecture,  # pyright: ignore[reportArgumentType]
        classes=Classes(names),
        size_policy=SizePolicy("resize", (64, 64), "scaled"),
        provenance={},
    )
    save_model(path, network, header)
    return path


@pytest.fixture
def same(tmp_path: Path) -> Path:
    """A model file for the classes of the drawn folder."""
    return _file(tmp_path / "same.safetensors", ("ground", "box"))


def _config(init: Path, **settings: object) -> TrainConfig:
    # The learning rate is too small to move a float32 weight, so what training began with can be seen.
    base = TrainConfig(
        init=str(init), size=(64, 64), epochs=1, batch_size=4, optimizer="sgd", lr=1e-30, freeze_bn="all"
    )
    return dataclasses.replace(base, **settings)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name", MODELS)
def test_pairs_make_the_arguments_they_were_made_of(name: str) -> None:
    with torch.device("meta"):
        arguments = dict(build_model(name, num_classes=2).architecture.arguments)  # pyright: ignore
        pairs = format_arguments(arguments)
        again = build_model(name, num_classes=2, arguments=parse_arguments(pairs))
    assert dict(again.architecture.arguments) == arguments  # pyright: ignore
    assert format_arguments(parse_arguments(pairs)) == pairs


def test_text_that_looks_like_json_stays_text() -> None:
    arguments = {"a": "8", "b": 8, "c": "true", "d": True, "e": "plain", "f": None, "g": [1, 2]}
    assert parse_arguments(format_arguments(arguments)) == arguments


def test_all_weights_where_the_classes_are_the_same(
    shared_data_folder: Path, same: Path, tmp_path: Path
) -> None:
    run = training.train(shared_data_folder, _config(same), out=tmp_path / "run")
    before, after = load_file(same), load_file(run.best)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    header = read_header(run.best)
    assert header.architecture == read_header(same).architecture
    written = json.loads((run.folder / "config.json").read_text())["train"]
    assert (written["init"], written["model"]) == (str(same), "unet")


@pytest.mark.parametrize("names", [("box", "ground"), ("ground", "box", "sky")], ids=["order", "number"])
def test_other_classes_get_a_new_last_layer(
    names: tuple[str, ...], shared_data_folder: Path, tmp_path: Path
) -> None:
    file = _file(tmp_path / "other.safetensors", names)
    run = training.train(shared_data_folder, _config(file), out=tmp_path / "run")
    before, after = load_file(file), load_file(run.best)
    assert before.keys() == after.keys()
    differ = {n for n in before if before[n].shape != after[n].shape or not torch.equal(before[n], after[n])}
    architecture = read_header(file).architecture
    # A fresh bias of zeros cannot be told from one that was taken over; the kernel can.
    assert differ
    assert differ <= class_dependent(architecture)
    assert any(name.endswith("weight") for name in differ)


def test_the_sentence_names_what_starts_anew(tmp_path: Path) -> None:
    file = _file(tmp_path / "other.safetensors", ("ground", "box", "sky"))
    start = read_start(settled(TrainConfig(init=str(file))))
    assert start is not None
    network = build_model("unet", num_classes=2, arguments=ARGUMENTS)
    sentence = take_over(network, start, Classes(("ground", "box")))
    assert all(name in sentence for name in class_dependent(start.network.architecture))  # pyright: ignore
    assert "ground, box, sky" in sentence


@pytest.mark.parametrize("name", MODELS)
def test_what_depends_on_the_classes_is_little(name: str) -> None:
    with torch.device("meta"):
        architecture = build_model(name, num_classes=2).architecture
    fresh = class_dependent(architecture)  # pyright: ignore[reportArgumentType]
    assert fresh
    assert not any(tensor.startswith("encoder.") for tensor in fresh)


def test_a_run_that_was_interrupted_needs_the_file_no_more(
    shared_data_folder: Path, same: Path, tmp_path: Path
) -> None:
    run = training.train(shared_data_folder, _config(same), out=tmp_path / "run")
    same.unlink()
    longer = training.resume(run.folder, epochs=2)
    assert [row.epoch for row in longer.history] == [1, 2]


def test_a_file_that_changed_before_the_first_step_is_refused(
    shared_data_folder: Path, same: Path, tmp_path: Path
) -> None:
    run = training.train(shared_data_folder, _config(same), out=tmp_path / "run")
    (run.folder / "checkpoint.safetensors").unlink()  # as if killed before the first one was written
    _file(same, ("ground", "box"), seed=6)
    with pytest.raises(Exception, match="changed since the run began"):
        training.resume(run.folder)
    _file(same, ("ground", "box"), name="unet-xception")
    with pytest.raises(ModelFileError, match="another network"):
        training.resume(run.folder)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "segnet"}, "holds a unet, so --model cannot be segnet"),
        ({"model_args": ("encoder.alpha=1.0",)}, "cannot be encoder.alpha=1.0"),
        ({"model_args": ("depth",)}, "NAME=VALUE"),
    ],
)
def test_what_contradicts_the_file(settings: dict[str, object], message: str, same: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        settled(dataclasses.replace(TrainConfig(init=str(same)), **settings))  # pyright: ignore


def test_what_agrees_with_the_file(same: Path) -> None:
    config = settled(TrainConfig(init=str(same), model="unet", model_args=("encoder.alpha=0.35",)))
    assert settled(config) == config
    assert "encoder=mobilenet_v2" in config.model_args


def test_init_beside_weights() -> None:
    with pytest.raises(ConfigError, match="exclude each other"):
        TrainConfig(init="a.safetensors", weights="imagenet")


def test_no_such_file(tmp_path: Path, shared_data_folder: Path) -> None:
    with pytest.raises(ModelFileError, match="no such model file"):
        training.train(shared_data_folder, _config(tmp_path / "missing.safetensors"), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
