"""The recipes' runner: a small run from training to published file; the middle of three seeds by hand."""

from __future__ import annotations

import dataclasses
import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

import pixelwise as pw
from pixelwise.config import DataConfig, TrainConfig
from pixelwise.model_file import read_header

FOLDER = Path(__file__).resolve().parents[1] / "recipes"
NAMES = ("pets_seed", "pets", "camvid_scratch", "camvid", "camvid_realtime", "portrait")


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The runner, writing beside the test instead of into the project."""
    monkeypatch.syspath_prepend(FOLDER)
    module = importlib.import_module("recipe")
    monkeypatch.setattr(module, "HERE", tmp_path / "recipes")
    monkeypatch.setattr(module, "MODELS", tmp_path / "models")
    (tmp_path / "recipes").mkdir()
    yield module
    for name in ("recipe", *NAMES):
        sys.modules.pop(name, None)


def test_pets_differs_from_its_baseline_in_training_only(recipe: Any) -> None:
    seed, pets = (importlib.import_module(name).RECIPE.config for name in ("pets_seed", "pets"))
    for name in ("model", "model_args", "weights", "size", "epochs", "steps", "batch_size", "data", "seed"):
        assert getattr(seed, name) == getattr(pets, name), name


def test_every_recipe_has_its_protocol(recipe: Any) -> None:
    recipes = {name: importlib.import_module(name).RECIPE for name in NAMES}
    assert [r.promise for r in recipes.values()] == [None, None, 0.65, 0.73, 0.68, 0.92]
    assert [r.name for r in recipes.values()] == [name.replace("_", "-") for name in NAMES]
    assert [bool(r.config.weights) for r in recipes.values()] == [False, False, False, True, True, True]
    assert recipes["camvid"].config.model == "deeplabv3plus"
    assert recipes["camvid_realtime"].config.model == "lraspp"
    assert (FOLDER.parent / recipes["camvid_realtime"].config.weights).is_file()
    assert recipes["portrait"].config.model == "unet"
    sizes = [r.config.size for r in recipes.values()]
    assert sizes == [(160, 160), (160, 160), (360, 480), (360, 480), (360, 480), (256, 256)]


def test_a_recipe_from_training_to_its_published_file(
    recipe: Any, shared_data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = TrainConfig(size=(32, 32), epochs=2, batch_size=4, ema=0.5, data=DataConfig(val_last=3))
    one = recipe.Recipe(name="one", config=config, figure="mIoU", promise=0.999)
    placed = one.on_this_machine(weights=None, cache_dir=tmp_path / "cache")
    out = tmp_path / "runs"
    result = recipe.measure(one, placed, 0, shared_data_folder, out / "seed-0")
    recipe.publish(one, [result], out)
    written = json.loads((tmp_path / "recipes" / "results" / "one.json").read_text())
    assert json.loads(capsys.readouterr().out) == {k: v for k, v in written.items() if k != "runs"}
    assert not written["kept"]

    published = tmp_path / "models" / "one.safetensors"
    (run,) = written["runs"]
    assert run["model_file"]["bytes"] == published.stat().st_size
    # The number is that of the rounded file, which says where it came from, but of no machine's folders.
    metrics = pw.load(published).evaluate(shared_data_folder, config=config.data)
    assert written["value"] == run["figures"]["mIoU"]["value"] == metrics.miou
    provenance = read_header(published).provenance
    assert provenance["recipe"] == "one"
    assert provenance["epoch"] == run["best_epoch"]
    text = json.dumps([written, dict(provenance)])
    assert str(tmp_path) not in text
    assert str(shared_data_folder) not in text
    # Asked again, a finished run is only measured: the same numbers.
    assert recipe.measure(one, placed, 0, shared_data_folder, out / "seed-0") == result


def test_a_recipe_of_two_stages(recipe: Any, shared_data_folder: Path, tmp_path: Path) -> None:
    config = TrainConfig(size=(32, 32), epochs=1, batch_size=4, data=DataConfig(val_last=3))
    then = dataclasses.replace(config, epochs=2, loss="ce + dice")
    two = recipe.Recipe(name="two", config=config, then=then, figure="mIoU", promise=None)
    placed = two.on_this_machine(weights=None, cache_dir=tmp_path / "cache")
    out = tmp_path / "runs" / "seed-3"
    result = recipe.measure(two, placed, 3, shared_data_folder, out)
    first = result["first"]
    assert (first["epochs"], result["epochs"]) == (1, 2)
    assert (first["settings"]["loss"], result["settings"]["loss"]) == ("ce", "ce + dice")
    assert first["settings"]["seed"] == result["settings"]["seed"] == 3
    assert result["settings"]["init"] == ""  # a place on this machine
    started = json.loads((out / "config.json").read_text())["train"]["init"]
    assert Path(started) == out / "first" / "model.safetensors"
    # The published file says what both stages were, and which file the second one began with.
    provenance = read_header(out / "model.safetensors").provenance
    assert provenance["weights_sha256"] == first["model_file"]["sha256"]
    assert provenance["first"] == read_header(Path(started)).provenance
    assert str(tmp_path) not in json.dumps([result, dict(provenance)])
    # What is done is not done again.
    before = Path(started).stat().st_mtime_ns
    assert recipe.measure(two, placed, 3, shared_data_folder, out) == result
    assert Path(started).stat().st_mtime_ns == before


def test_the_middle_of_three_seeds(recipe: Any) -> None:
    one = recipe.Recipe(name="one", config=TrainConfig(), figure="IoU of pet", promise=0.5)
    results = [
        {"seed": seed, "figures": {"IoU of pet": {"value": value, "interval": [value - 0.1, value + 0.1]}}}
        for seed, value in enumerate((0.75, 0.25, 0.5))
    ]
    found = recipe.summary(one, results)
    assert (found["value"], found["seed"], found["kept"]) == (0.5, 2, True)
    assert (found["interval"], found["spread"]) == ([0.4, 0.6], [0.25, 0.75])
    assert recipe.summary(one, results[:2])["value"] == 0.25  # of two the lower one
