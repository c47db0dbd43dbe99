"""One chunk's way through a worker: pictures are brought ahead in threads, segmented, sent off in threads.

At a chunk's beginning the network waits for its first pictures, and at its end the last results are written
without it, so a worker has two lanes: one computes while the other begins or ends. Knows no engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath

from pixelwise.address import scheme_of
from pixelwise.data.ahead import in_order
from pixelwise.data.formats.labelme_names import LABELS_FILE
from pixelwise.data.io import PICTURE_ENDINGS
from pixelwise.data.writers.labelme import labels_text
from pixelwise.engines.earlier import Earlier
from pixelwise.engines.listing import Item
from pixelwise.engines.parts import Done, Part
from pixelwise.engines.store import LocalStore, Store, bring
from pixelwise.errors import DataError
from pixelwise.inference.job import Job
from pixelwise.inference.manifest import Record, is_unchanged
from pixelwise.inference.outputs import Outcome, Outputs
from pixelwise.inference.photos import Photo
from pixelwise.inference.predictor import Predictor

REMOTE_THREADS = 16
"""Pictures that are under way over a network at once: each mostly waits."""

_over_a_network = partial(in_order, workers=REMOTE_THREADS)


class _Ledger:
    """The job's ledger for one lane: the job knows local files, and the manifest where they came from."""

    def __init__(self, earlier: Earlier) -> None:
        self._earlier, self.identity = earlier, earlier.identity
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
        before = self._earlier.done(self._items[photo].address)
        if before is None or not is_unchanged(before.record, checksum, files):
            return None
        return before.record if self._earlier.has_results(before) else None

    def take(self, path: Path) -> tuple[Item, Record | None]:
        """A local file's picture, and its record where it was done now; both are forgotten."""
        return self._items.pop(str(path)), self._records.pop(str(path), None)


class Lane:
    """Segments one chunk at a time.

    Args:
        predictor: Segments a picture.
        outputs: What is written; its folder does not count.
        store: Where it is written.
        earlier: What was done before.
        folder: For pictures from elsewhere and results for elsewhere, for a while; this lane's alone.
        threads: That read, and as many that write; those that wait for a network come on top.
        on_note: Hears what people should know.
        on_first: Called when a picture is there and before it is computed.
    """

    def __init__(
        self,
        predictor: Predictor,
        outputs: Outputs,
        store: Store,
        earlier: Earlier,
        *,
        folder: Path,
        threads: int,
        on_note: Callable[[str], None],
        on_first: Callable[[], None],
    ) -> None:
        self._store, self._earlier, self._on_first = store, earlier, on_first
        self._inbox = folder / "in"
        self._inbox.mkdir(parents=True)
        self._local = isinstance(store, LocalStore)
        self._outputs = replace(
            outputs, folder=store.folder if isinstance(store, LocalStore) else folder / "out"
        )
        self._classes = predictor.classes
        self._ledger = _Ledger(earlier)
        self._job = Job(predictor, self._outputs, self._ledger, workers=threads, on_note=on_note)
        self._labels: set[str] = set()

    def segment(self, chunk: list[Item]) -> tuple[Part, int]:
        """What became of a chunk's pictures, and how many need not have been done again.

        Raises:
            DataError: Results cannot be written.
        """
        part, skipped = Part([], {}), 0

        def photos() -> Iterator[Photo]:
            nonlocal skipped
            numbered = list(enumerate(chunk))
            remote = any(scheme_of(item.address) for item in chunk)
            brought = _over_a_network(self._brought, numbered) if remote else map(self._brought, numbered)
            for item, got in zip(chunk, brought, strict=True):
                if isinstance(got, DataError):
                    part.failed[item.address] = str(got)
                elif isinstance(got, Done):
                    skipped += 1
                else:
                    self._ledger.expect(got, item)
                    self._on_first()
                    yield got

        outcomes = self._job.run(photos())
        results = map(self._sent, outcomes) if self._local else _over_a_network(self._sent, outcomes)
        for address, sent in results:
            if isinstance(sent, str):
                part.failed[address] = sent
            elif sent is None:
                skipped += 1
            else:
                part.done.append(sent)
        return part, skipped

    def _brought(self, numbered: tuple[int, Item]) -> Photo | Done | DataError:
        """A picture as a local file; or that its store says it is as it was when it was done."""
        number, item = numbered
        scheme = scheme_of(item.address)
        if scheme in ("", "file"):
            return Photo(Path(item.address.removeprefix("file://")), item.name)
        before = self._earlier.done(item.address) if item.stamp else None
        if before is not None and before.stamp == item.stamp:
            photo = Photo(Path(f"x{_ending(item)}"), item.name)
            if dict(before.record.files) == self._outputs.files(photo) and self._earlier.has_results(before):
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
                self._store.write(labels, labels_text(self._classes))
                self._labels.add(labels)


def _ending(item: Item) -> str:
    """Of a picture's file; a URL may have a query behind it, or none."""
    ending = PurePosixPath(item.address.partition("?")[0]).suffix.lower()
    return ending if ending in PICTURE_ENDINGS else ".jpg"
