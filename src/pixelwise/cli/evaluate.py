"""`pixelwise evaluate`: how good a model is on labelled pictures."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from pixelwise.address import named
from pixelwise.cli.compute import Compute, facts
from pixelwise.config import DataConfig, PredictConfig

if TYPE_CHECKING:
    from pixelwise.bootstrap import Interval
    from pixelwise.cli.terminal import Display
    from pixelwise.evaluation import Evaluation
    from pixelwise.segmenter import Segmenter


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
    boundary: bool = False
    """Measure the outlines too: precision, recall and F of each class's boundary."""
    json: bool = False
    """Print the result for machines."""
    out: Path | None = None
    """Also write the result into this JSON file."""
    compute: Compute = field(default_factory=Compute)
    prediction: PredictConfig = field(default_factory=PredictConfig)
    config: DataConfig = field(default_factory=DataConfig)

    def run(self) -> int:
        """Measures and prints; 0."""
        from pixelwise import torch_runtime

        torch_runtime.keep_large_blocks()

        from pixelwise.cli.results import print_boundary, print_metrics
        from pixelwise.cli.terminal import Display, print_json, write_json

        segmenter = self.compute.load(self.model, self.prediction, many=True)
        with Display() as display:
            for fact in facts(segmenter):
                display.note(fact)
            result, plain = self._measure(segmenter, display)
        document = {
            "model": str(self.model),
            "data": named(self.data),
            "split": self.split,
            "resolution": self.resolution,
            "pictures": result.pictures,
            "miou_interval": _ends(result.miou_interval),
            "iou_intervals": [_ends(interval) for interval in result.iou_intervals],
            "settings": asdict(self.prediction),
            **result.metrics.to_json(),
        }
        if result.boundary is not None:
            document["boundary"] = result.boundary.to_json()
        if plain is not None and plain.boundary is not None:
            document["unrefined"] = {"miou": plain.metrics.miou, "boundary_f": plain.boundary.mean_f_score}
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
            if result.boundary is not None:
                print_boundary(result.boundary)
            if plain is not None:
                print(verdict(self.prediction.refine, plain, result))
        return 0

    def _measure(self, segmenter: Segmenter, display: Display) -> tuple[Evaluation, Evaluation | None]:
        """What was asked for, and where masks are refined the same without."""
        from pixelwise.data import open_dataset
        from pixelwise.evaluation import evaluate

        dataset = open_dataset(self.data, self.config)
        for note in dataset.notes:
            display.note(note)
        refines = self.prediction.refine != "none"

        def measured(how: PredictConfig, text: str) -> Evaluation:
            segmenter.predictor.config = how
            return evaluate(
                segmenter.predictor,
                dataset.reader,
                dataset.indices(self.split),
                resolution=self.resolution,
                workers=self.config.workers,
                boundary=self.boundary or refines,
                on_picture=lambda done, total: display.work(text, done, total),
            )

        plain = measured(replace(self.prediction, refine="none"), "unrefined") if refines else None
        result = measured(self.prediction, "evaluating")
        for way in segmenter.predictor.ways:
            display.note(str(way))
        return result, plain


def verdict(refine: str, plain: Evaluation, refined: Evaluation) -> str:
    """Whether refinement helps this model, in a sentence: mIoU must not fall, and boundary F must rise."""
    if plain.boundary is None or refined.boundary is None:
        raise ValueError("a verdict needs the boundaries of both")
    before, after = 100 * (plain.metrics.miou or 0.0), 100 * (refined.metrics.miou or 0.0)
    outline, outline_after = (
        100 * (scores.mean_f_score or 0.0) for scores in (plain.boundary, refined.boundary)
    )
    figures = f"mIoU {before:.2f} -> {after:.2f}%, boundary F {outline:.2f} -> {outline_after:.2f}%"
    if after < before:
        return f"--refine {refine} does harm here: {figures}. Leave it out"
    if outline_after <= outline:
        return f"--refine {refine} gains nothing here: {figures}. Leave it out"
    return f"--refine {refine} helps here: {figures}"


def _ends(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]
