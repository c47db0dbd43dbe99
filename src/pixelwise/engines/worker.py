"""What one worker does: with one model, chunk after chunk, whatever engine hands them over.

Pictures are brought ahead in threads, segmented by the job that one process runs, and sent off in threads.
Knows no engine.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from pixelwise.data.ahead import in_order
from pixelwise.data.formats.labelme_names import LABELS_FILE
from pixelwise.data.io import PICTURE_ENDINGS
from pixelwise.data.writers.labelme import labels_text
from pixelwise.engines import attempts
from pixelwise.engines.attempts import Attempt
from pixelwise.engines.batch import measure_batch
from pixelwise.engines.listing import Item, digest_of_chunk
from pixelwise.engines.parts import Done, Index, Part, Parts
from pixelwise.engines.store import LocalStore, Store, bring, scheme_of
from pixelwise.errors import DataError
from pixelwise.inference.job import Job
from pixelwise.inference.manifest import Record, has_results, is_unchanged
from pixelwise.inference.outputs import Outcome, Outputs
from pixelwise.inference.photos import Photo
from pixelwise.inference.predictor import Predictor

REMOTE_THREADS = 16
"""Pictures that are under way over a network at once: each mostly waits."""


@dataclass(frozen=True)
class Report:
    """How a chunk fared.

    Attributes:
        done: Pictures that were segmented.
        skipped: Pictures whose results were there.
        failed: Why others could not be segmented, by address.
        notes: What people should know.
    """

    done: int
    skipped: int
    failed: Mapping[str, str]
    notes: list[str] = field(default_factory=list[str])


class _Ledger:
    """The job's ledger for one chunk: the job knows local files, and the manifest where they came from."""

    def __init__(self, worker: Worker, identity: str) -> None:
        self._worker, self.identity = worker, identity
        self._items: dict[str, Item] = {}
        self._records: dict[str, Record] = {}

    def expect(self, photo: Photo, item: Item) -> None:
        """Says which picture a local file is."""
        self._items[str(photo.path)] = item

    def add(self, record: Record) -> None:
        """Keeps it until the results are at their place."""
        self._records[record.photo] = record

    def done(self, photo: str, checksum: str, files: Mapping[str, str]) -> Record | None:
        """What an earlier run wrote down of the same picture, where its results are there."""
        before = self._worker.before(self._items[photo].address)
        if before is None or not is_unchanged(before.record, checksum, files):
            return None
        return before.record if self._worker.has_results(before) else None

    def take(self, path: Path) -> tuple[Item, Record | None]:
        """A local file's picture, and its record where it was done now; both are forgotten."""
        return self._items.pop(str(path)), self._records.pop(str(path), None)


class Worker:
    """Segments chunks of pictures.

    Attributes:
        folder: Where pictures from elsewhere and results for elsewhere lie for a while; removed in the end.

    Args:
        predictor: Segments a picture.
        outputs: What is written; its folder does not count.
        store: Where it is written.
        parts: Where it is written down.
        index: What was done before.
        threads: That read, and as many that write.
        measures: Measure how many pictures are computed at once, before the first chunk.
    """

    def __init__(
        self,
        predictor: Predictor,
        outputs: Outputs,
        store: Store,
        parts: Parts,
        index: Index,
        *,
        threads: int,
        measures: bool,
    ) -> None:
        self._store, self._parts, self._index = store, parts, index
        self._notes: list[str] = []
        self._temporary = tempfile.TemporaryDirectory(prefix="pixelwise-worker-")
        self.folder = Path(self._temporary.name)
        self._inbox = self.folder / "in"
        self._inbox.mkdir()
        self._local = isinstance(store, LocalStore)
        folder = store.folder if isinstance(store, LocalStore) else self.folder / "out"
        outputs = replace(outputs, folder=folder)
        self._ledger = _Ledger(self, parts.identity)
        self._job = Job(predictor, outputs, self._ledger, workers=threads, on_note=self._notes.append)
        self._outputs, self._predictor, self._threads = outputs, predictor, threads
        self._measures = measures
        self._labels: set[str] = set()
        if outputs.labelme and not self._local:
            store.write(f"labelme/{LABELS_FILE}", labels_text(predictor.classes))

    def run(self, chunk: list[Item]) -> Report:
        """Segments a chunk.

        Raises:
            DataError: Results cannot be written.
        """
        chunk = list({item.address: item for item in chunk}.values())  # a list may name a picture twice
        digest = digest_of_chunk(chunk)
        there = self._parts.read(self._parts.name(digest))
        if there is not None:  # a worker did it and died before it said so
            skipped = len(chunk) - len(there.done) - len(there.failed)
            return Report(len(there.done), skipped, there.failed)
        attempt = attempts.begin(self._store, self._parts.name(digest))
        part, skipped = self._one_by_one(chunk, attempt) if attempt.careful else self._segmented(chunk)
        if part.done or part.failed:
            self._parts.write(digest, part)
        attempts.end(self._store, attempt)
        notes, self._notes[:] = list(self._notes), []
        return Report(len(part.done), skipped, part.failed, notes)

    def before(self, address: str) -> Done | None:
        """What an earlier run wrote down of a picture."""
        name = self._index.part_of(address)
        return self._parts.done_in(name).get(address) if name is not None else None

    def has_results(self, done: Done) -> bool:
        """Whether they lie there: locally byte for byte, in an object store by their sizes."""
        if isinstance(self._store, LocalStore):
            return has_results(done.record, self._store.folder)
        return all(self._store.size(path) == done.sizes.get(kind) for kind, path in done.record.files.items())

    def _one_by_one(self, chunk: list[Item], attempt: Attempt) -> tuple[Part, int]:
        """A chunk that ended its worker again and again, without the pictures that did it."""
        whole, skipped = Part([], {}), 0
        for item in chunk:
            if attempt.is_blamed(item.address):
                whole.failed[item.address] = f"{item.address}: {attempts.ENDED}"
                continue
            attempts.mark(self._store, attempt, at=item.address)
            part, some = self._segmented([item])
            whole.done.extend(part.done)
            whole.failed.update(part.failed)
            skipped += some
        return whole, skipped

    def _segmented(self, chunk: list[Item]) -> tuple[Part, int]:
        part, skipped = Part([], {}), 0

        def photos() -> Iterator[Photo]:
            nonlocal skipped
            threads = REMOTE_THREADS if any(scheme_of(item.address) for item in chunk) else self._threads
            for number, got in enumerate(in_order(self._brought, list(enumerate(chunk)), workers=threads)):
                address = chunk[number].address
                if isinstance(got, DataError):
                    part.failed[address] = str(got)
                elif isinstance(got, Done):
                    skipped += 1
                else:
                    self._ledger.expect(got, chunk[number])
                    if self._measures:
                        self._measures = False
                        self._measure()
                    yield got

        threads = self._threads if self._local else REMOTE_THREADS
        for address, sent in in_order(self._sent, self._job.run(photos()), workers=threads):
            if isinstance(sent, str):
                part.failed[address] = sent
            elif sent is None:
                skipped += 1
            else:
                part.done.append(sent)
        return part, skipped

    def _measure(self) -> None:
        choice = measure_batch(self._predictor)
        self._predictor.batch_size = choice.size
        self._notes.append(str(choice))

    def _brought(self, numbered: tuple[int, Item]) -> Photo | Done | DataError:
        """A picture as a local file; or that its store says it is as it was when it was done."""
        number, item = numbered
        scheme = scheme_of(item.address)
        if scheme in ("", "file"):
            return Photo(Path(item.address.removeprefix("file://")), item.name)
        before = self.before(item.address) if item.stamp else None
        if before is not None and before.stamp == item.stamp:
            photo = Photo(Path(f"x{_ending(item)}"), item.name)
            if dict(before.record.files) == self._outputs.files(photo) and self.has_results(before):
                return before
        path = self._inbox / f"{number}{_ending(item)}"
        try:
            bring(item.address, path)
        except DataError as error:
            path.unlink(missing_ok=True)
            return error
        return Photo(path, item.name)

    def _sent(self, outcome: Outcome) -> tuple[str, Done | str | None]:
        """A picture's results at their place: what to write down; why there are none; None if skipped."""
        path = outcome.photo.path
        item, record = self._ledger.take(path)
        address = item.address
        if path.parent == self._inbox:
            path.unlink(missing_ok=True)
        if outcome.error is not None:
            return address, outcome.error.replace(str(path), address)
        if outcome.skipped or record is None:
            return address, None
        sizes = {kind: file.stat().st_size for kind, file in outcome.files.items()}
        if not self._local:
            self._send(outcome, record)
        return address, Done(replace(record, photo=address), sizes, item.stamp)

    def _send(self, outcome: Outcome, record: Record) -> None:
        """Puts a picture's results into the store."""
        for kind, file in outcome.files.items():
            self._store.put(file, record.files[kind])
            file.unlink()
        if "labelme" in outcome.files:  # each of its folders has the classes too, and can be trained on
            labels = f"{PurePosixPath(record.files['labelme']).parent}/{LABELS_FILE}"
            if labels not in self._labels:
                self._store.write(labels, labels_text(self._predictor.classes))
                self._labels.add(labels)


def _ending(item: Item) -> str:
    """Of a picture's file; a URL may have a query behind it, or none."""
    ending = PurePosixPath(item.address.partition("?")[0]).suffix.lower()
    return ending if ending in PICTURE_ENDINGS else ".jpg"
