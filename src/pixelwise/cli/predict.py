"""`pixelwise predict`: masks and overlays of photos."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tyro.conf import Positional

from pixelwise.config import DataConfig
from pixelwise.errors import ConfigError, DataError

if TYPE_CHECKING:
    from pixelwise.cli.terminal import Display
    from pixelwise.inference import Input
    from pixelwise.inference.photos import Photo
    from pixelwise.segmentation import Segmentation
    from pixelwise.segmenter import Segmenter


OVERVIEW = 6
"""Pictures on the overview sheet."""


@dataclass(frozen=True, kw_only=True)
class Predict:
    """Segment photos: a label PNG at each photo's size, and an overlay with a legend.

    With --compare the source is a labelled data set, and each sheet shows picture, truth and prediction side
    by side, worst pictures first.
    """

    model: Positional[Path]
    """Model file of a run, e.g. run/best.safetensors."""
    photos: Positional[tuple[str, ...]]
    """Picture files, folders or quoted patterns; with --compare the folder of a labelled data set."""
    out: Path = Path("predictions")
    """Folder for the results: masks/, overlays/, probabilities/, compare/."""
    overlays: bool = True
    """Write overlays too; they take as long as a small network."""
    probabilities: bool = False
    """Also write the probability of every class as NumPy float16 arrays (K, H, W)."""
    compare: bool = False
    """Compare with the truth of a labelled data set."""
    split: str = "val"
    """With --compare: which pictures; train, val, all, or one of the data set's own."""
    worst: int = 24
    """With --compare: how many sheets, from the worst picture on."""
    batch_size: int = 8
    """Photos per call of the network."""
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
    config: DataConfig = field(default_factory=DataConfig)

    def run(self) -> int:
        """Predicts; 0, or 2 if a photo could not be read (the others are done all the same)."""
        if not self.photos:
            raise ConfigError("predict needs photos: pixelwise predict MODEL PHOTO...")
        if self.batch_size < 1 or self.worst < 1:
            raise ConfigError("batch-size and worst must be at least 1")
        from pixelwise import torch_runtime

        torch_runtime.keep_large_blocks()

        from pixelwise.cli.terminal import Display
        from pixelwise.inference.photos import find_photos
        from pixelwise.loading import load

        photos = [] if self.compare else find_photos(self.photos)
        segmenter = load(
            self.model,
            device=self.device,
            backend=self.backend,
            half=self.half,
            compiled=self.compile,
            batch_size=self.batch_size,
            many=self.compare or len(photos) > self.batch_size,
        )
        with Display() as display:
            if segmenter.choice is not None:
                display.note(str(segmenter.choice))
            return (
                self._compare(segmenter, display)
                if self.compare
                else self._photos(photos, segmenter, display)
            )

    def _photos(self, photos: list[Photo], segmenter: Segmenter, display: Display) -> int:
        from pixelwise.cli.terminal import complain, print_json
        from pixelwise.data.ahead import in_order
        from pixelwise.inference.photos import read_photos

        self._make_folders(
            "masks",
            *(["overlays"] if self.overlays else []),
            *(["probabilities"] if self.probabilities else []),
        )
        failed: list[str] = []
        waiting: list[Photo] = []
        results: list[dict[str, Any]] = []

        def images() -> Iterator[Input]:
            for photo, pixels in read_photos(
                photos,
                segmenter.predictor.size_policy,
                whole=self.overlays,
                workers=self.config.workers,
            ):
                if isinstance(pixels, DataError):
                    complain(str(pixels))
                    failed.append(str(photo.path))
                else:
                    waiting.append(photo)
                    yield pixels

        answered = segmenter.predictor.predict_many(
            images(), confidence=False, probabilities=self.probabilities
        )
        # Written by threads while the network computes the next; `waiting` is read where it is filled.
        pairs = ((waiting.pop(0), segmentation) for segmentation in answered)
        for result in in_order(self._write, pairs, workers=self.config.workers):
            results.append(result)
            display.work("predicting", len(results) + len(failed), len(photos))
        if self.json:
            print_json({"out": str(self.out), "photos": results, "failed": failed})
        else:
            print(f"{len(results)} of {len(photos)} photos")
            print(f"masks     {self.out / 'masks'}")
            if self.overlays:
                print(f"overlays  {self.out / 'overlays'}")
        return 2 if failed else 0

    def _write(self, answered: tuple[Photo, Segmentation]) -> dict[str, Any]:
        """The files of one photo; returns what `--json` says of it."""
        photo, segmentation = answered
        mask = self.out / "masks" / f"{photo.name}.png"
        files = {"photo": str(photo.path), "mask": str(mask)}
        mask.parent.mkdir(parents=True, exist_ok=True)
        segmentation.save(mask)
        if self.overlays:
            overlay = self.out / "overlays" / f"{photo.name}.jpg"
            overlay.parent.mkdir(parents=True, exist_ok=True)
            segmentation.overlay().save(overlay, quality=92)
            files["overlay"] = str(overlay)
        if segmentation.probabilities is not None:
            import numpy as np

            target = self.out / "probabilities" / f"{photo.name}.npz"
            target.parent.mkdir(parents=True, exist_ok=True)
            np.savez_compressed(target, probabilities=segmentation.probabilities.astype(np.float16))
            files["probabilities"] = str(target)
        return {**files, "area": segmentation.area()}

    def _compare(self, segmenter: Segmenter, display: Display) -> int:
        from pixelwise.cli.results import print_metrics
        from pixelwise.cli.terminal import print_json
        from pixelwise.data import open_dataset
        from pixelwise.evaluation import evaluate, predictions
        from pixelwise.report.sheet import SheetRow, sheet

        if len(self.photos) != 1:
            raise ConfigError("--compare takes the folder of one labelled data set")
        dataset = open_dataset(Path(self.photos[0]), self.config)
        for note in dataset.notes:
            display.note(note)
        self._make_folders("compare")
        result = evaluate(
            segmenter.predictor,
            dataset.reader,
            dataset.indices(self.split),
            worst=self.worst,
            workers=self.config.workers,
            on_picture=lambda done, total: display.work("evaluating", done, total),
        )
        ranked = [picture.index for picture in result.worst]
        sheets: list[str] = []
        overview: list[SheetRow] = []
        # Predicted a second time: keeping every picture of a large set for the few that are drawn would not
        # fit.
        again = predictions(segmenter.predictor, dataset.reader, ranked, workers=self.config.workers)
        for rank, (_, sample, segmentation) in enumerate(again, start=1):
            target = self.out / "compare" / f"{rank:03d}-{sample.name.replace('/', '_')}.png"
            row = SheetRow(sample=sample, labels=segmentation.labels, miou=result.worst[rank - 1].miou)
            sheet([row], segmenter.classes, panel=320).save(target)
            sheets.append(str(target))
            if rank <= OVERVIEW:
                overview.append(row)
            display.work("drawing", rank, len(ranked))
        if overview:
            sheet(overview, segmenter.classes).save(self.out / "compare" / "worst.png")
        if self.json:
            print_json({"out": str(self.out), "sheets": sheets, **result.metrics.to_json()})
        else:
            title = f"{result.pictures} pictures ({self.split}), at each photo's size"
            print_metrics(result.metrics, title=title)
            print(f"sheets  {self.out / 'compare' / 'worst.png'}, and one per picture beside it, worst first")
        return 0

    def _make_folders(self, *names: str) -> None:
        for name in names:
            try:
                (self.out / name).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise DataError(
                    f"{self.out} cannot be written ({error.strerror}): choose another folder with --out"
                ) from error
