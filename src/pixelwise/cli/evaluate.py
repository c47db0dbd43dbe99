"""`pixelwise evaluate`: how good a model is on labelled pictures."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from pixelwise.config import DataConfig


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Measure a model on labelled pictures: IoU, Dice, accuracies, confusion matrix."""

    model: Positional[Path]
    """Model file of a run, e.g. run/best.safetensors."""
    data: Positional[Path]
    """Folder of the labelled pictures."""
    split: str = "val"
    """Which of them: train, val, all, or one of the data set's own, e.g. test."""
    resolution: Literal["photo", "network"] = "photo"
    """Compare at each photo's own size, or at the network's as validation in training does."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""
    json: bool = False
    """Print the result for machines."""
    out: Path | None = None
    """Also write the result into this JSON file."""
    config: DataConfig = field(default_factory=DataConfig)

    def run(self) -> int:
        """Measures and prints; 0."""
        from pixelwise import torch_runtime

        torch_runtime.keep_large_blocks()

        from pixelwise.cli.results import print_metrics
        from pixelwise.cli.terminal import Display, print_json, write_json
        from pixelwise.data import open_dataset
        from pixelwise.evaluation import evaluate
        from pixelwise.segmenter import load

        segmenter = load(self.model, device=self.device)
        with Display() as display:
            dataset = open_dataset(self.data, self.config)
            for note in dataset.notes:
                display.note(note)
            result = evaluate(
                segmenter.predictor,
                dataset.reader,
                dataset.indices(self.split),
                resolution=self.resolution,
                workers=self.config.workers,
                on_picture=lambda done, total: display.work("evaluating", done, total),
            )
        document = {
            "model": str(self.model),
            "data": str(self.data),
            "split": self.split,
            "resolution": self.resolution,
            "pictures": result.pictures,
            **result.metrics.to_json(),
        }
        if self.out is not None:
            write_json(self.out, document)
        if self.json:
            print_json(document)
        else:
            where = "each photo's size" if self.resolution == "photo" else "the network's size"
            title = f"{result.pictures} pictures ({self.split}), at {where}"
            print_metrics(result.metrics, title=title, confusion=True)
        return 0
