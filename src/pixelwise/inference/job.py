"""Many photos to files: in their order, a bounded number at a time, and on from where a run was stopped.

One photo that cannot be read is reported and the others go on. Knows no terminal.
"""

from __future__ import annotations

import itertools
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pixelwise.data.ahead import in_order
from pixelwise.data.raster import ArraySource, RasterSource, RowSource, goes_by_rows, sink_ending
from pixelwise.errors import ConfigError, DataError
from pixelwise.files import replacing
from pixelwise.inference.manifest import Manifest, Record, checksum_of
from pixelwise.inference.photos import Photo, read_input
from pixelwise.inference.predictor import Input, Predictor
from pixelwise.inference.seams import measure_seams, seam_windows
from pixelwise.inference.sizing import Way
from pixelwise.inference.streamed import segment_file
from pixelwise.progress import Progress
from pixelwise.segmentation import Segmentation
from pixelwise.types import size_text

EASY_OUTLINE = 1.0
"""Pixels by which an outline for LabelMe may be off: a point for every pixel cannot be corrected by hand."""


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What is written of each photo.

    Attributes:
        folder: Below which the results lie, in a folder for each kind.
        overlays: The photo under the class colours, beside the mask.
        probabilities: Of every class, as NumPy float16.
        labelme: A json of polygons that LabelMe opens, beside a copy of the photo.
        cutout: The class whose pixels are cut out of the photo; none where empty.
    """

    folder: Path
    overlays: bool = True
    probabilities: bool = False
    labelme: bool = False
    cutout: str = ""

    @property
    def need_photo(self) -> bool:
        """Whether the photo is needed at its own size."""
        return self.overlays or bool(self.cutout)

    def files(self, photo: Photo) -> dict[str, str]:
        """The results' paths relative to the folder, by kind."""
        return {kind: f"{folder}/{photo.name}{ending}" for kind, folder, ending in self._kinds(photo)}

    def folders(self) -> dict[str, Path]:
        """Where the results of each kind lie."""
        kinds = self._kinds(Photo(Path(), ""))
        return {kind: self.folder / folder for kind, folder, _ in kinds if kind != "labelme_photo"}

    def _kinds(self, photo: Photo) -> list[tuple[str, str, str]]:
        """Kind, folder and ending of each result."""
        wanted = [
            (True, "mask", "masks", ".png"),
            (self.overlays, "overlay", "overlays", ".jpg"),
            (self.probabilities, "probabilities", "probabilities", ".npz"),
            (self.labelme, "labelme_photo", "labelme", photo.path.suffix),
            (self.labelme, "labelme", "labelme", ".json"),
            (bool(self.cutout), "cutout", "cutouts", ".png"),
        ]
        return [(kind, folder, ending) for want, kind, folder, ending in wanted if want]

    def to_json(self) -> dict[str, Any]:
        """What decides the results, as plain values."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "folder"}

    def write(self, kind: str, photo: Photo, segmentation: Segmentation, path: Path) -> None:
        """One of the results, in the order of `files`."""
        if kind == "mask":
            segmentation.save(path)
        elif kind == "overlay":
            segmentation.overlay().save(path, quality=92)
        elif kind == "probabilities":
            np.savez_compressed(path, probabilities=np.float16(segmentation.probabilities))
        elif kind == "labelme_photo":
            shutil.copyfile(photo.path, path)  # LabelMe wants it beside the json, and training too
        elif kind == "labelme":
            beside = self.folder / self.files(photo)["labelme_photo"]
            segmentation.save_labelme(path, picture=beside, tolerance=EASY_OUTLINE)
        else:
            self._cutout(segmentation).save(path)

    def _cutout(self, segmentation: Segmentation) -> Image.Image:
        if segmentation.area()[self.cutout] == 0:
            height, width = segmentation.labels.shape
            return Image.new("RGBA", (width, height))
        return segmentation.cutout(self.cutout)


@dataclass(frozen=True)
class Outcome:
    """How one photo fared.

    Attributes:
        photo: Which.
        error: Why it has no results; None where it has.
        files: Their paths, by kind.
        area: The share of the photo that each class covers.
        skipped: Whether they were there already.
    """

    photo: Photo
    error: str | None = None
    files: Mapping[str, Path] = field(default_factory=dict[str, Path])
    area: Mapping[str, float] = field(default_factory=dict[str, float])
    skipped: bool = False


class Job:
    """Photos to be segmented into files.

    Args:
        predictor: Segments them.
        outputs: What is written.
        manifest: Where it is written down.
        resume: Whether a picture that is written by rows goes on where it was stopped.
        workers: Threads that read, and as many that write.
        on_note: Hears what people should know, e.g. how pictures are sized, and why.
        on_rows: Hears how far a picture is that is written by rows: (its name, rows done, rows in all).
    """

    def __init__(
        self,
        predictor: Predictor,
        outputs: Outputs,
        manifest: Manifest,
        *,
        resume: bool = False,
        workers: int = 2,
        on_note: Callable[[str], None] = lambda text: None,
        on_rows: Progress = lambda text, done, total: None,
    ) -> None:
        self.predictor, self.outputs, self.manifest = predictor, outputs, manifest
        self.resume, self.workers = resume, workers
        self._on_note, self._on_rows = on_note, on_rows
        self._told: set[Way] = set()

    def run(self, photos: Sequence[Photo]) -> Iterator[Outcome]:
        """Segments them.

        Yields:
            How each fared, in their order.

        Raises:
            DataError: The results cannot be written. Those that were yielded are there.
        """
        for by_rows, some in itertools.groupby(photos, lambda photo: goes_by_rows(photo.path)):
            if by_rows:
                yield from map(self._by_rows, some)
                continue
            for outcome, record in in_order(self._written, self._segmented(some), workers=self.workers):
                if record is not None:
                    self.manifest.add(record)
                yield outcome

    def _by_rows(self, photo: Photo) -> Outcome:
        """A picture that is read and written by rows: its label map, and an overview of it."""
        config = self.predictor.config
        try:
            checksum = checksum_of(photo.path)
            source = RasterSource(photo.path, bands=config.bands, value_range=config.value_range)
            try:
                outcome, record = self._from_source(photo, checksum, source)
            finally:
                source.close()
        except (ConfigError, DataError) as error:
            return Outcome(photo, error=str(error))
        except OSError as error:
            return Outcome(photo, error=f"{photo.path}: {error.strerror or error}")
        if record is not None:
            self.manifest.add(record)
        return outcome

    def _from_source(self, photo: Photo, checksum: str, source: RowSource) -> tuple[Outcome, Record | None]:
        paths = {"mask": f"masks/{photo.name}{sink_ending(source)}"}
        if self.outputs.overlays:
            paths["overlay"] = f"overlays/{photo.name}.jpg"
        files = {kind: self.outputs.folder / path for kind, path in paths.items()}
        done = self.manifest.done(str(photo.path), checksum, paths)
        if done is not None:
            return Outcome(photo, files=files, area=done.area, skipped=True), None
        written = segment_file(
            self.predictor,
            source,
            files["mask"],
            identity=f"{self.manifest.identity} {checksum}",
            resume=self.resume,
            on_rows=lambda rows, total: self._on_rows(f"rows of {photo.name}", rows, total),
            on_note=lambda text: self._on_note(f"{photo.name}: {text}"),
        )
        if written.seams is not None:
            self._on_note(f"{photo.name}: {written.seams}")
        if self.outputs.overlays:
            with replacing(files["overlay"]) as temporary:
                written.overview.overlay().save(temporary, quality=92)
        checksums = {kind: checksum_of(path) for kind, path in files.items()}
        record = Record(str(photo.path), checksum, paths, checksums, written.area)
        return Outcome(photo, files=files, area=written.area), record

    def _segmented(self, photos: Iterable[Photo]) -> Iterator[_Segmented]:
        """Each photo with what became of it, in their order."""
        waiting: deque[_Read] = deque()

        def inputs() -> Iterator[Input]:
            for read in in_order(self._read, photos, workers=self.workers):
                waiting.append(read)
                if not isinstance(read.content, DataError | Record):
                    yield read.content

        answers = self.predictor.predict_many(
            inputs(), confidence=False, probabilities=self._needs_probabilities
        )
        for segmentation in answers:
            while isinstance(waiting[0].content, DataError | Record):
                read = waiting.popleft()
                yield _Segmented(read, None)
            read = waiting.popleft()
            self._tell(read.photo, segmentation)
            yield _Segmented(read, segmentation)
        for read in waiting:
            yield _Segmented(read, None)

    def _tell(self, photo: Photo, segmentation: Segmentation) -> None:
        """How pictures are sized, once for each way; of the first that is cut, what the cutting changes."""
        height, width = segmentation.labels.shape
        way = self.predictor.way((height, width))
        if way in self._told:
            return
        self._told.add(way)
        self._on_note(f"{way.mode}, because {way.why} ({photo.name}: {size_text((height, width))})")
        if way.mode == "tile" and segmentation.image is not None:
            windows = seam_windows((height, width), self.predictor.config)
            source = ArraySource(segmentation.image)
            labels = segmentation.labels
            self._on_note(
                f"{photo.name}: {measure_seams(self.predictor, source, windows, lambda w: labels[w.slices])}"
            )

    @property
    def _needs_probabilities(self) -> bool:
        return self.outputs.probabilities or bool(self.outputs.cutout)

    def _read(self, photo: Photo) -> _Read:
        try:
            checksum = checksum_of(photo.path)
            done = self.manifest.done(str(photo.path), checksum, self.outputs.files(photo))
            if done is not None:
                return _Read(photo, checksum, done)
            content = read_input(photo.path, self.predictor, whole=self.outputs.need_photo)
        except DataError as error:
            return _Read(photo, "", error)
        except OSError as error:
            return _Read(photo, "", DataError(f"{photo.path}: {error.strerror or error}"))
        return _Read(photo, checksum, content)

    def _written(self, answered: _Segmented) -> tuple[Outcome, Record | None]:
        read, segmentation = answered.read, answered.segmentation
        photo, folder = read.photo, self.outputs.folder
        if isinstance(read.content, DataError):
            return Outcome(photo, error=str(read.content)), None
        paths = self.outputs.files(photo)
        files = {kind: folder / path for kind, path in paths.items()}
        if isinstance(read.content, Record):
            return Outcome(photo, files=files, area=read.content.area, skipped=True), None
        if segmentation is None:
            raise RuntimeError(f"{photo.path} was read and has no segmentation")
        for kind, path in files.items():
            # A crash leaves what was there before; what a power cut leaves, its checksum finds out.
            with replacing(path, durable=False) as temporary:
                self.outputs.write(kind, photo, segmentation, temporary)
        checksums = {kind: checksum_of(path) for kind, path in files.items()}
        area = segmentation.area()
        record = Record(str(photo.path), read.checksum, paths, checksums, area)
        return Outcome(photo, files=files, area=area), record


@dataclass(frozen=True, eq=False)
class _Read:
    photo: Photo
    checksum: str
    content: Input | DataError | Record


@dataclass(frozen=True, eq=False)
class _Segmented:
    read: _Read
    segmentation: Segmentation | None
