"""What all recipes share: train, measure the best model once, write the numbers down.

A recipe is a file beside this one with a `RECIPE`: data, settings, and the number that it promises.

    python recipes/pets.py ../shared/data/cats --out runs/pets

trains (or goes on, where a run was interrupted), rounds the kernels of the best model to float16, evaluates
that file on the validation pictures at their own size with a 95% bootstrap interval over pictures, and
writes `recipes/results/NAME.json` and `models/NAME.safetensors`. With `--seeds 3` it does so for three seeds,
adds their spread, and keeps the file of the middle one. Validation pictures choose the best epoch and nothing
else. A recipe of two stages (`then`) does all of that for the first one too, in the folder `first`, and
starts the second from its rounded file.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import shutil
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelwise import torch_runtime
from pixelwise.config import TrainConfig

if TYPE_CHECKING:
    from pixelwise.report.history import HistoryRow

HERE = Path(__file__).resolve().parent
MODELS = HERE.parent / "models"

MODEL = "model.safetensors"
"""The rounded model, in the folder of its run."""

FIRST, NUMBERS = "first", "numbers.json"
"""The folder of a first stage in that of its seed, and what was measured of it."""

LARGEST_MODEL = 10_000_000
"""Bytes of a model file that is kept with the project."""

PROVENANCE = (
    "data_hash",
    "format",
    "split",
    "train_pictures",
    "val_pictures",
    "classes",
    "train_pixels",
    "architecture",
    "weights_sha256",
    "seed",
    "precision",
    "threads",
    "started",
    "versions",
    "machine",
    "git",
    "epoch",
    "model",
    "validation",
    "validation_loss",
)
"""What a published model file says of its run: all but paths and the command, which are of one machine."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a number is got.

    Attributes:
        name: Of its files.
        config: All settings of the training.
        then: Those of a second one, which starts from what the first has trained.
        figure: What is promised, e.g. `mIoU` or `IoU of person`.
        promise: The least that it must be, in 0..1; None for a baseline.
    """

    name: str
    config: TrainConfig
    figure: str
    promise: float | None
    then: TrainConfig | None = None

    def on_this_machine(self, *, weights: str | None, cache_dir: Path | None) -> Recipe:
        """With the places of files, which are of one machine."""
        config = self.config if weights is None else dataclasses.replace(self.config, weights=weights)
        then = self.then and _cached_in(self.then, cache_dir)
        return dataclasses.replace(self, config=_cached_in(config, cache_dir), then=then)


def _cached_in(config: TrainConfig, folder: Path | None) -> TrainConfig:
    if folder is None:
        return config
    return dataclasses.replace(config, data=dataclasses.replace(config.data, cache_dir=folder))


def main(recipe: Recipe) -> None:
    """The command line of a recipe."""
    parser = argparse.ArgumentParser(description=f"the recipe {recipe.name}")
    parser.add_argument("data", type=Path, help="folder of the labelled pictures")
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds, from 0")
    parser.add_argument("--weights", default=None, help="file of pretrained weights, for recipes with them")
    parser.add_argument("--cache-dir", type=Path, default=None)
    arguments = parser.parse_args()
    placed = recipe.on_this_machine(weights=arguments.weights, cache_dir=arguments.cache_dir)
    torch_runtime.keep_large_blocks()
    results = [
        measure(recipe, placed, seed, arguments.data, arguments.out / f"seed-{seed}")
        for seed in range(arguments.seeds)
    ]
    publish(recipe, results, arguments.out)


def publish(recipe: Recipe, results: list[dict[str, Any]], out: Path) -> None:
    """Writes the numbers of all seeds, and the model of the middle one where it is small enough."""
    document = summary(recipe, results)
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    (folder / f"{recipe.name}.json").write_text(json.dumps(document, indent=2) + "\n")
    model = out / f"seed-{document['seed']}" / MODEL
    if model.stat().st_size <= LARGEST_MODEL:
        MODELS.mkdir(exist_ok=True)
        shutil.copyfile(model, MODELS / f"{recipe.name}.safetensors")
    print(json.dumps({key: value for key, value in document.items() if key != "runs"}, indent=2))


def measure(recipe: Recipe, placed: Recipe, seed: int, data: Path, out: Path) -> dict[str, Any]:
    """Trains one seed to its end and measures its best model; the first of two stages beside, as `first`.

    Args:
        recipe: As it is published.
        placed: The same with the places of this machine's files.
        seed: The seed.
        data: The labelled pictures.
        out: Folder of the run, or of the last one.
    """
    config = dataclasses.replace(placed.config, seed=seed)
    if recipe.then is None or placed.then is None:
        return _measure(recipe.name, recipe.config, config, data, out)
    first, numbers = out / FIRST, out / FIRST / NUMBERS
    if not numbers.exists():  # written last, so the model file is there too
        found = _measure(recipe.name, recipe.config, config, data, first)
        numbers.write_text(json.dumps(found, indent=2) + "\n")
    then = dataclasses.replace(placed.then, seed=seed, init=str(first / MODEL))
    result = _measure(recipe.name, recipe.then, then, data, out)
    return {**result, "first": json.loads(numbers.read_text())}


def _measure(name: str, public: TrainConfig, config: TrainConfig, data: Path, out: Path) -> dict[str, Any]:
    """Trains one stage to its end and measures it; `public` are its settings without places."""
    from pixelwise import training
    from pixelwise.cli.terminal import Display

    with Display() as display:
        if (out / "config.json").exists():
            run = training.resume(out, listener=display)
        else:
            run = training.train(data, config, out=out, listener=display)
    public = dataclasses.replace(public, seed=config.seed)
    return describe(name, public, config, data, run.best, run.history)


def describe(
    name: str, public: TrainConfig, config: TrainConfig, data: Path, best: Path, history: Sequence[HistoryRow]
) -> dict[str, Any]:
    """Rounds a run's best model, writes it beside as `model.safetensors`, and measures that file."""
    from pixelwise import plain
    from pixelwise.data import open_dataset
    from pixelwise.evaluation import evaluate
    from pixelwise.loading import load
    from pixelwise.model_file import read_header

    segmenter = load(best)
    provenance = {
        **{key: segmenter.provenance[key] for key in PROVENANCE},
        "train": plain.to_json(public),
        "recipe": name,
    }
    if config.init:
        provenance["first"] = dict(read_header(Path(config.init)).provenance)
    segmenter.header = dataclasses.replace(segmenter.header, provenance=provenance)
    path = best.with_name(MODEL)
    segmenter.save(path, half=True)
    segmenter = load(path)
    dataset = open_dataset(data, config.data)
    result = evaluate(segmenter.predictor, dataset.reader, dataset.indices("val"))
    figures = {"mIoU": (result.metrics.miou, result.miou_interval)}
    for of, iou, interval in zip(
        result.metrics.classes, result.metrics.iou, result.iou_intervals, strict=True
    ):
        figures[f"IoU of {of}"] = iou, interval
    content = path.read_bytes()
    return {
        "seed": config.seed,
        "figures": {
            figure: {
                "value": value,
                "interval": None if interval is None else [interval.low, interval.high],
            }
            for figure, (value, interval) in figures.items()
        },
        "pixel_accuracy": result.metrics.pixel_accuracy,
        "pictures": result.pictures,
        "best_epoch": provenance["epoch"],
        "best_model": provenance["model"],
        "epochs": history[-1].epoch,
        "steps": history[-1].step,
        "training_seconds": sum(row.seconds for row in history),
        "images_per_second": statistics.median(row.images_per_second for row in history),
        "wait_share": statistics.median(row.wait_share for row in history),
        "model_file": {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()},
        "parameters": sum(p.numel() for p in segmenter.network.parameters()),
        "settings": provenance["train"],
        **{
            key: provenance[key]
            for key in ("split", "data_hash", "machine", "versions", "git", "threads", "precision")
        },
    }


def summary(recipe: Recipe, results: list[dict[str, Any]]) -> dict[str, Any]:
    """The promised figure over the seeds, and whether the promise is kept."""
    values = [result["figures"][recipe.figure]["value"] for result in results]
    middle = values.index(sorted(values)[(len(values) - 1) // 2])  # of two the lower
    return {
        "recipe": recipe.name,
        "figure": recipe.figure,
        "value": values[middle],
        "interval": results[middle]["figures"][recipe.figure]["interval"],
        "spread": [min(values), max(values)],
        "seed": results[middle]["seed"],
        "promise": recipe.promise,
        "kept": None if recipe.promise is None else values[middle] >= recipe.promise,
        "runs": results,
    }
