"""`pixelwise predict`: masks and overlays of photos."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tyro.conf import Positional

from pixelwise.cli.compute import Compute, facts
from pixelwise.config import DataConfig, PredictConfig, RayConfig
from pixelwise.errors import ConfigError, DataError

if TYPE_CHECKING:
    from pixelwise.cli.terminal import Display
    from pixelwise.engines.ray_data import Summary
    from pixelwise.inference.outputs import Outcome, Outputs
    from pixelwise.inference.photos import Photo
    from pixelwise.segmenter import Segmenter


USUAL_BATCH = 8


@dataclass(frozen=True, kw_only=True)
class Predict:
    """Segment photos of any size: a label PNG at each photo's size, and an overlay with a legend.

    A picture that is too large to be held, or that has coordinates, is read and written a few rows at a time,
    tile by tile. With --compare the source is a labelled data set, and each sheet shows picture, truth and
    prediction side by side, worst pictures first. With --engine ray the source is one folder, or a list of
    paths or URLs (.txt, one a line), and lies like the results here, at s3:// or at gs://.
    """

    model: Positional[Path]
    """Model file of a run, e.g. run/best.safetensors."""
    photos: Positional[tuple[str, ...]]
    """Picture files, folders or quoted patterns; with --compare the folder of a labelled data set."""
    out: str = "predictions"
    """Folder for the results: masks/, overlays/, probabilities/, labelme/, cutouts/, compare/."""
    engine: Literal["process", "ray"] = "process"
    """What spreads the work: process, nothing does; ray, Ray Data does, over cores and machines."""
    resume: bool = False
    """Go on with what the folder has: photos that are done and have not changed are skipped."""
    overlays: bool = True
    """Write overlays too; they take as long as a small network."""
    probabilities: bool = False
    """Also write the probability of every class as NumPy float16 arrays (K, H, W)."""
    labelme: bool = False
    """Also write photos with LabelMe jsons: correct them in LabelMe, and train on that folder again."""
    coco: bool = False
    """Also write coco.json, the exact masks of all photos."""
    cutout: str = ""
    """Also cut the pixels of this class out of each photo, with a soft edge, as PNG with transparency."""
    compare: bool = False
    """Compare with the truth of a labelled data set."""
    split: str = "val"
    """With --compare: which pictures; train, val, all, or one of the data set's own."""
    worst: int = 24
    """With --compare: how many sheets, from the worst picture on."""
    batch_size: int | None = None
    """Photos per call of the network; 8 where not given, with --engine ray what is measured to be best."""
    json: bool = False
    """Print the result for machines."""
    compute: Compute = field(default_factory=Compute)
    prediction: PredictConfig = field(default_factory=PredictConfig)
    config: DataConfig = field(default_factory=DataConfig)
    ray: RayConfig = field(default_factory=RayConfig)

    def run(self) -> int:
        """Predicts; 0, or 2 if a photo could not be read (the others are done all the same)."""
        if not self.photos:
            raise ConfigError("predict needs photos: pixelwise predict MODEL PHOTO...")
        batch_size = USUAL_BATCH if self.batch_size is None else self.batch_size
        if batch_size < 1 or self.worst < 1:
            raise ConfigError("batch-size and worst must be at least 1")
        if self.engine == "ray":
            return self._on_ray()
        from pixelwise import torch_runtime

        torch_runtime.keep_large_blocks()

        from pixelwise.cli.terminal import Display
        from pixelwise.data.raster import goes_by_rows
        from pixelwise.inference.photos import find_photos

        photos = [] if self.compare else find_photos(self.photos)
        # A picture by rows is as many tiles as photos.
        many = self.compare or len(photos) > batch_size or any(goes_by_rows(p.path) for p in photos)
        segmenter = self.compute.load(self.model, self.prediction, batch_size=batch_size, many=many)
        with Display() as display:
            for fact in facts(segmenter):
                display.note(fact)
            if self.compare:
                return self._compare(segmenter, display)
            return self._photos(photos, segmenter, display)

    def _compare(self, segmenter: Segmenter, display: Display) -> int:
        from pixelwise.cli.compare import Comparison

        if len(self.photos) != 1:
            raise ConfigError("--compare takes the folder of one labelled data set")
        self._make_folders("compare")
        comparison = Comparison(
            data=Path(self.photos[0]),
            split=self.split,
            worst=self.worst,
            folder=Path(self.out) / "compare",
            config=self.config,
            json=self.json,
        )
        return comparison.run(segmenter, display)

    def _photos(self, photos: list[Photo], segmenter: Segmenter, display: Display) -> int:
        from pixelwise.cli.terminal import complain, print_json
        from pixelwise.inference.coco import COCO_FILE, write_coco
        from pixelwise.inference.job import Job
        from pixelwise.inference.manifest import Manifest

        out, outputs = Path(self.out), self._outputs()
        if self.cutout:
            segmenter.classes.id_of(self.cutout)  # an unknown name is told before hours of work
        self._make_folders("masks")
        manifest = Manifest(out, self._identity(outputs), resume=self.resume)
        job = Job(
            segmenter.predictor,
            outputs,
            manifest,
            resume=self.resume,
            workers=self.config.workers,
            on_note=display.note,
            on_rows=display.work,
        )
        outcomes: list[Outcome] = []
        try:
            for outcome in job.run(photos):
                if outcome.error is not None:
                    complain(outcome.error)
                outcomes.append(outcome)
                display.work("predicting", len(outcomes), len(photos))
        finally:
            manifest.close()
        if self.coco:
            for name in write_coco(out / COCO_FILE, outcomes, segmenter.classes):
                display.note(f"{name} is too large for {COCO_FILE}, and left out there")
        failed = [str(outcome.photo.path) for outcome in outcomes if outcome.error is not None]
        done = [outcome for outcome in outcomes if outcome.error is None]
        if self.json:
            photos_done = [_document(outcome) for outcome in done]
            print_json({"out": self.out, "photos": photos_done, "failed": failed})
        else:
            before = sum(outcome.skipped for outcome in done)
            skipped = f", {before} of them done before" if before else ""
            print(f"{len(done)} of {len(photos)} photos{skipped}")
            for kind, folder in outputs.folders().items():
                print(f"{kind:<13} {folder}")
            if self.coco:
                print(f"{'coco':<13} {out / COCO_FILE}")
        return 2 if failed else 0

    def _on_ray(self) -> int:
        """Predicts on a cluster."""
        if self.compare or self.coco:
            raise ConfigError("--compare and --coco need all pictures in one process: leave out --engine ray")
        if len(self.photos) != 1:
            raise ConfigError("--engine ray takes one source: a folder, or a list (.txt) of paths or URLs")
        from pixelwise.cli.terminal import Display, complain
        from pixelwise.engines import ray_data
        from pixelwise.engines.task import Task

        outputs = self._outputs()
        task = Task(
            model=self.model,
            source=self.photos[0],
            outputs=outputs,
            out=self.out,
            prediction=self.prediction,
            device=self.compute.device,
            backend=self.compute.backend,
            half=self.compute.half,
            compiled=self.compute.compile,
            batch_size=self.batch_size,
            threads=self.config.workers,
            identity=self._identity(outputs),
        )
        with Display() as display:
            summary = ray_data.predict(
                task,
                self.ray,
                resume=self.resume,
                on_note=display.note,
                on_done=lambda now: display.work("predicting", now.total, now.total),
            )
        for address, why in summary.failed.items():
            complain(why if address in why else f"{address}: {why}")
        self._say_of_ray(summary)
        return 2 if summary.failures else 0

    def _say_of_ray(self, summary: Summary) -> None:
        from pixelwise.cli.terminal import complain, print_json

        if self.json:
            counts = {"done": summary.done, "skipped": summary.skipped, "failures": summary.failures}
            print_json({"out": self.out, **counts, "failed": list(summary.failed)})
            return
        if summary.failures > len(summary.failed):
            complain(f"{summary.failures - len(summary.failed)} more failed: the manifest names them")
        before = f", {summary.skipped} of them done before" if summary.skipped else ""
        print(f"{summary.done + summary.skipped} of {summary.total} photos{before}")
        print(f"{'results':<13} {self.out}")

    def _outputs(self) -> Outputs:
        from pixelwise.inference.outputs import Outputs

        return Outputs(
            folder=Path(self.out),
            overlays=self.overlays,
            probabilities=self.probabilities,
            labelme=self.labelme,
            cutout=self.cutout,
        )

    def _identity(self, outputs: Outputs) -> dict[str, Any]:
        """What decides the results besides the photos; a job that goes on must be the same."""
        from pixelwise.exported import model_checksum

        return {
            "model": model_checksum(self.model),
            "settings": asdict(self.prediction),
            "outputs": outputs.to_json(),
            "backend": self.compute.backend,
            "half": self.compute.half,
        }

    def _make_folders(self, *names: str) -> None:
        for name in names:
            try:
                (Path(self.out) / name).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise DataError(
                    f"{self.out} cannot be written ({error.strerror}): choose another folder with --out"
                ) from error


def _document(outcome: Outcome) -> dict[str, Any]:
    """What `--json` says of a photo."""
    files = {kind: str(path) for kind, path in outcome.files.items()}
    return {"photo": str(outcome.photo.path), **files, "area": outcome.area, "skipped": outcome.skipped}
