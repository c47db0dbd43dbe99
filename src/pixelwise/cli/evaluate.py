"""`pixelwise evaluate`: how good a model is on labelled pictures."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from pixelwise.config import DataConfig

if TYPE_CHECKING:
    from pixelwise.bootstrap import Interval


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
    backend: Literal["auto", "torch", "onnxruntime", "openvino", "tensorrt"] | None = None
    """What computes; where not given torch for a run's model file, for an export its usual runtime; tensorrt
    needs a GPU; auto takes the fastest that is installed and remembers what it measured."""
    half: bool = False
    """Compute in 16-bit numbers, where processor or GPU do: up to three times as fast, few pixels differ."""
    compile: bool = False
    """Compile torch's work; takes a minute, and pays on GPUs at most."""
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
        from pixelwise.loading import load

        segmenter = load(
            self.model,
            device=self.device,
            backend=self.backend,
            half=self.half,
            compiled=self.compile,
            many=True,
        )
        with Display() as display:
            if segmenter.choice is not None:
                display.note(str(segmenter.choice))
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
            "miou_interval": _ends(result.miou_interval),
            "iou_intervals": [_ends(interval) for interval in result.iou_intervals],
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
            if result.miou_interval is not None:
                low, high = (100 * end for end in _ends(result.miou_interval) or ())
                print(
                    f"mIoU would lie in {low:.2f} to {high:.2f} for 95% of such sets of pictures (bootstrap)"
                )
        return 0


def _ends(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]
