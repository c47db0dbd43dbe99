"""Many photos to files: in their order, a bounded number at a time, and on from where a run was stopped.

One photo that cannot be read is reported and the others go on. Knows no terminal.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from pixelwise.data.ahead import in_order
from pixelwise.data.formats.labelme_names import LABELS_FILE
from pixelwise.data.raster import ArraySource, RasterSource, RowSource, goes_by_rows, sink_ending
from pixelwise.data.writers.labelme import labels_text
from pixelwise.errors import ConfigError, DataError
from pixelwise.files import remove_leftovers, replacing, sha256_of, write_whole
from pixelwise.inference.enlarge import check_room
from pixelwise.inference.inputs import Input, own_size
from pixelwise.inference.manifest import Ledger, Record
from pixelwise.inference.outputs import Outcome, Outputs
from pixelwise.inference.photos import Photo, read_input
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.seams import measure_seams, seam_windows
from pixelwise.inference.sizing import Way
from pixelwise.inference.streamed import segment_file
from pixelwise.progress import Progress
from pixelwise.segmentation import Segmentation
from pixelwise.types import size_text


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
        manifest: Ledger,
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

    def run(self, photos: Iterable[Photo]) -> Iterator[Outcome]:
        """Segments them.

        Yields:
            How each fared, in their order.

        Raises:
            DataError: The results cannot be written. Those that were yielded are there.
        """
        if self.outputs.labelme:  # photos of sub-folders too are trained on from here
            labels = self.outputs.folder / "labelme" / LABELS_FILE
            write_whole(labels, labels_text(self.predictor.classes))
        if self.resume:
            for folder in self.outputs.folders().values():
                remove_leftovers(folder)
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
            checksum = sha256_of(photo.path)
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
        if self.outputs.beyond_overview:
            self._on_note(f"{photo.name}: it is read by rows, so its mask and an overview are written alone")
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
        checksums = {kind: sha256_of(path) for kind, path in files.items()}
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
        self._on_note(f"{way} ({photo.name}: {size_text((height, width))})")
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
            checksum = sha256_of(photo.path)
            done = self.manifest.done(str(photo.path), checksum, self.outputs.files(photo))
            if done is not None:
                return _Read(photo, checksum, done)
            content = read_input(photo.path, self.predictor, whole=self.outputs.need_photo)
            if self._needs_probabilities:
                check_room(len(self.predictor.classes), own_size(content))
        except DataError as error:
            return _Read(photo, "", error)
        except ConfigError as error:
            return _Read(photo, "", DataError(f"{photo.path}: {error}"))
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
        checksums = {kind: sha256_of(path) for kind, path in files.items()}
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
