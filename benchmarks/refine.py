"""Do refined masks fit better? mIoU, boundary F and seconds a picture, plain and with each refinement.

    python benchmarks/refine.py --model models/pets.safetensors --data ../shared/data/cats --val-last 195
    python benchmarks/refine.py --model models/camvid.safetensors --data ../shared/data/camvid --size 120 160
    python benchmarks/refine.py … --split train --pictures 60 --refine guided:radius=2 crf:appearance=2

A setting is a name and what differs from its defaults, which were chosen on pictures to train on, and are
measured here on validation. `--size` makes masks coarse: the network gets its pictures smaller than it was
trained with. Seconds are those of the refinement, from the network's probabilities to labels, in one thread.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from machine import command, spread, write_result

import pixelwise as pw
from pixelwise.boundary_score import BoundaryCounts, boundary_scores
from pixelwise.config import DataConfig
from pixelwise.data import open_dataset
from pixelwise.evaluation import check_classes
from pixelwise.inference import Predictor, Sized
from pixelwise.inference.enlarge import FloatArray, UInt8Array, decide
from pixelwise.inference.refine import REFINEMENTS, Refinement, decide_refined
from pixelwise.metrics import ConfusionMatrix, scores
from pixelwise.types import Classes, Sample


class Tally:
    """What one way of deciding scores over the set."""

    def __init__(self, classes: Classes, refinement: Refinement | None) -> None:
        self.classes, self.refinement = classes, refinement
        self.confusion = ConfusionMatrix(len(classes))
        self.boundaries = BoundaryCounts(len(classes))
        self.seconds: list[float] = []
        self.by_picture: list[float | None] = []

    def add(self, probabilities: FloatArray, sample: Sample) -> None:
        """Decides one picture and compares it with its mask."""
        begin = time.perf_counter()
        if self.refinement is None:
            labels, _ = decide(probabilities, (sample.mask.shape[0], sample.mask.shape[1]))
        else:
            labels, _ = decide_refined(self.refinement, probabilities, sample.image)
        self.seconds.append(time.perf_counter() - begin)
        self.confusion.update(labels, sample.mask)
        self.boundaries.update(labels, sample.mask)
        single = BoundaryCounts(len(self.classes))
        single.update(labels, sample.mask)
        self.by_picture.append(boundary_scores(single, self.classes).mean_f_score)

    def result(self, plain: Tally) -> dict[str, Any]:
        """The figures, beside those of plain masks."""
        metrics = scores(self.confusion.counts, self.classes)
        boundaries = boundary_scores(self.boundaries, self.classes)
        pairs = [
            (a, b)
            for a, b in zip(self.by_picture, plain.by_picture, strict=True)
            if a is not None and b is not None
        ]
        return {
            "miou": metrics.miou,
            "boundary_f": boundaries.mean_f_score,
            "iou": metrics.iou,
            "boundary_f_of_classes": boundaries.f_score,
            "pixel_accuracy": metrics.pixel_accuracy,
            "pictures_with_better_boundaries": sum(a > b for a, b in pairs),
            "pictures_with_worse_boundaries": sum(a < b for a, b in pairs),
            "seconds_per_picture": spread(self.seconds),
        }


def main() -> None:
    """Measures one model on one set and writes the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="val")
    parser.add_argument("--val-last", type=int)
    parser.add_argument("--classes", nargs="+", default=[], help="as for `pixelwise train`")
    parser.add_argument("--map", nargs="+", default=[], help="as for `pixelwise train`")
    parser.add_argument(
        "--size", type=int, nargs=2, help="height and width for the network, where not its own"
    )
    parser.add_argument(
        "--pictures", type=int, help="so many of the split, drawn with seed 0; all if not given"
    )
    parser.add_argument("--refine", nargs="+", default=["guided", "crf"], help="NAME[:FIELD=VALUE,…]")
    parser.add_argument("--out", type=Path, help="the JSON; results/refine-MODEL-DATE.json if not given")
    arguments = parser.parse_args()

    predictor = pw.load(arguments.model).predictor
    policy = predictor.size_policy
    if arguments.size:
        policy = dataclasses.replace(policy, size=tuple(arguments.size))
        predictor = Predictor(predictor.backend, predictor.classes, policy)
    tallies = {"plain": Tally(predictor.classes, None)}
    tallies |= {text: Tally(predictor.classes, parse(text)) for text in arguments.refine}
    pictures = 0
    for probabilities, sample in scored(predictor, arguments):
        pictures += 1
        for tally in tallies.values():
            tally.add(probabilities, sample)
        print(f"\r{pictures} pictures", end="", flush=True)
    results = {name: tally.result(tallies["plain"]) for name, tally in tallies.items()}
    print_table(results)
    write_result(
        f"refine-{arguments.model.stem}",
        out=arguments.out,
        question="do refined masks fit better than plain ones?",
        command=command(),
        model=arguments.model.stem,
        size=policy.size,
        split=arguments.split,
        pictures=pictures,
        settings={text: str(tally.refinement) for text, tally in tallies.items()},
        results=results,
    )


def parse(text: str) -> Refinement:
    """A refinement from `guided:radius=2,epsilon=1e-4`."""
    name, _, fields = text.partition(":")
    if name not in REFINEMENTS:
        raise SystemExit(f"--refine takes {' or '.join(REFINEMENTS)}, got {name!r}")
    kind = REFINEMENTS[name]
    types = {field.name: type(field.default) for field in dataclasses.fields(kind)}
    given = (item.partition("=") for item in fields.split(",") if item)
    return kind(**{key: types[key](value) for key, _, value in given})


def scored(predictor: Predictor, arguments: argparse.Namespace) -> Iterator[tuple[FloatArray, Sample]]:
    """Each picture of the split with the network's probabilities."""
    config = DataConfig(
        val_last=arguments.val_last, classes=tuple(arguments.classes), map=tuple(arguments.map)
    )
    dataset = open_dataset(arguments.data, config)
    check_classes(predictor.classes, dataset.classes)
    indices = dataset.indices(arguments.split)
    if arguments.pictures is not None and arguments.pictures < len(indices):
        drawn = np.random.default_rng(0).choice(len(indices), arguments.pictures, replace=False)
        indices = [indices[place] for place in sorted(drawn)]
    policy = predictor.size_policy
    for index in indices:
        sample = dataset.reader[index]
        taken: UInt8Array | Sized = sample.image
        if policy.mode == "resize" and policy.decoding == "scaled":
            small = dataset.reader.for_network(index, policy.size)[0]
            taken = Sized(small, (sample.mask.shape[0], sample.mask.shape[1]), sample.image)
        ((_, probabilities),) = predictor.scores([taken])
        yield probabilities, sample


def print_table(results: dict[str, dict[str, Any]]) -> None:
    """One line a setting."""
    width = max(map(len, results))
    print(f"\n{'':{width}}   mIoU  boundary F  better/worse  s a picture")
    for name, row in results.items():
        versus = f"{row['pictures_with_better_boundaries']}/{row['pictures_with_worse_boundaries']}"
        seconds = row["seconds_per_picture"]["median"]
        print(
            f"{name:{width}}  {row['miou']:.4f}      {row['boundary_f']:.4f}  {versus:>12}  {seconds:11.3f}"
        )


if __name__ == "__main__":
    main()
