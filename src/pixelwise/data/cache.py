"""A data set made ready for the network: every sample checked, at one size, on disk where that can be.

Knows readers, sizes and the store; nothing of batches, epochs and devices.

The cache is keyed by content: the digest of every picture and mask, the table of raw values, whether masks
are fitted, the size, and a version of this code. Whatever changes what would be decoded changes the key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import platformdirs

from pixelwise.config import DataConfig
from pixelwise.data.codec import UnreadableError
from pixelwise.data.dataset import Dataset
from pixelwise.data.fingerprint import combine, digest_files
from pixelwise.data.mendable import SKIP_BROKEN, MendableError
from pixelwise.data.prepared import CachedSource, DecodingSource, Prepared, PreparedDataset
from pixelwise.data.reader import Reader
from pixelwise.data.store import VERSION, Arrays, DamagedEntryError, EntryWriter, Store, entry_bytes
from pixelwise.data.verify import Checked, check_samples, refuse
from pixelwise.errors import DataError
from pixelwise.progress import Progress


def prepare(
    dataset: Dataset, size: tuple[int, int], config: DataConfig, *, progress: Progress | None = None
) -> PreparedDataset:
    """Checks every sample of the split and makes it ready at `size`; decodes nothing that the cache has.

    Args:
        dataset: What `open_dataset` gave.
        size: `(height, width)` for the network.
        config: Its `cache`, `cache_dir`, `skip_broken` and `workers` count here.
        progress: Told how far the work is.

    Raises:
        DataError: Samples cannot be used; the first are named, all are counted. Unreadable ones are left
            out under `skip_broken`, unless a side of the split would be empty.
    """
    reader = dataset.reader
    used = sorted({*dataset.split.train, *dataset.split.val})
    root = config.cache_dir or Path(platformdirs.user_cache_dir("pixelwise"))
    digests = _digests(reader, used, config, root, progress)
    work = _Work(reader, used, size, config, progress)
    arrays = _through_cache(work, Store(root / "pictures"), digests) if config.cache else None
    if arrays is None and not work.counts:
        work.run(None)
    return _assemble(dataset, work, arrays, digests)


@dataclass(eq=False)
class _Work:
    """The pass over the samples and what it found; one object, as the cache may have to be done without."""

    reader: Reader
    used: Sequence[int]
    size: tuple[int, int]
    config: DataConfig
    progress: Progress | None
    counts: list[npt.NDArray[np.int64]] = field(default_factory=list[npt.NDArray[np.int64]])
    broken: dict[int, str] = field(default_factory=dict[int, str])
    notes: list[str] = field(default_factory=list[str])

    def run(self, writer: EntryWriter | None) -> bool:
        """Decodes and checks all samples; whether all were written too.

        Raises:
            DataError: Samples are at fault in a way that skipping does not mend; nothing is left written.
        """
        faults: list[Checked] = []
        samples = check_samples(self.reader, self.used, workers=self.config.workers, size=self.size)
        try:
            for item in samples:
                self.counts.append(item.counts)
                if item.error is not None:
                    faults.append(item)
                if isinstance(item.error, UnreadableError):
                    self.broken[item.index] = str(item.error)
                writer = self._write(writer, item)
                if self.progress is not None:
                    self.progress("preparing pictures", len(self.counts), len(self.used))
            final = [item for item in faults if not isinstance(item.error, UnreadableError)]
            refuse(final if self.config.skip_broken else faults, self.reader, len(self.used))
        except BaseException:
            if writer is not None:
                writer.abandon()
            raise
        return writer is not None and self._commit(writer)

    def _write(self, writer: EntryWriter | None, item: Checked) -> EntryWriter | None:
        if writer is None:
            return None
        try:
            if item.error is None:
                writer.add(item.image, item.mask, item.counts)
            else:
                writer.add_broken(str(item.error))
        except OSError as error:
            self.give_up(error)
            writer.abandon()
            return None
        return writer

    def _commit(self, writer: EntryWriter) -> bool:
        try:
            writer.commit()
        except OSError as error:
            self.give_up(error)
            writer.abandon()
            return False
        return True

    def give_up(self, error: OSError) -> None:
        """Goes on without the cache, and says so."""
        self.notes.append(
            f"the cache could not be written ({error.strerror or error}), so pictures are decoded anew in "
            "every epoch; make room, or name another folder with --cache-dir"
        )


def _through_cache(work: _Work, store: Store, digests: Sequence[Sequence[str]]) -> Arrays | None:
    """The cached arrays, filled first where they are missing or damaged; None if there can be no cache."""
    key = _key(work, digests)
    count = len(work.used)
    arrays = _find(work, store, key)
    if arrays is not None and (work.config.skip_broken or not arrays.broken):
        work.counts = list(arrays.counts)
        work.broken = {work.used[place]: reason for place, reason in arrays.broken.items()}
        work.notes.append(f"{count:,} prepared pictures come from the cache in {store.folder(key)}")
        return arrays
    if arrays is not None:
        reasons = [arrays.broken[place] for place in sorted(arrays.broken)]
        raise MendableError(_broken_text(reasons, count), SKIP_BROKEN)
    try:
        writer = EntryWriter(store, key, count, work.size)
    except OSError as error:
        work.give_up(error)
        return None
    if not work.run(writer):
        return None
    store.prune()
    megabytes = entry_bytes(count, work.size) / 1e6
    work.notes.append(f"{count:,} prepared pictures are kept in {store.folder(key)} ({megabytes:,.0f} MB)")
    return _find(work, store, key)


def _find(work: _Work, store: Store, key: str) -> Arrays | None:
    try:
        return store.find(key, len(work.used), work.size)
    except DamagedEntryError as error:
        work.notes.append(f"the cache is damaged ({error}) and is made anew")
        store.discard(key)
        return None


def _assemble(
    dataset: Dataset, work: _Work, arrays: Arrays | None, digests: Sequence[Sequence[str]]
) -> PreparedDataset:
    """Both sides without the broken samples."""
    reader, size = dataset.reader, work.size
    places = np.full(len(reader), -1, np.int64)
    places[work.used] = np.arange(len(work.used))
    source = (
        DecodingSource(reader, size) if arrays is None else CachedSource(arrays.images, arrays.masks, places)
    )
    split = dataset.split.without(set(work.broken))
    counts = np.stack(work.counts)

    def side(indices: tuple[int, ...], name: str) -> Prepared:
        if not indices:
            raise DataError(f"{reader.root}: no {name} picture is left; choose another split")
        own = np.array(indices, np.int64)
        pixels = counts[places[own], : len(reader.classes)].sum(axis=0)
        return Prepared(own, size, arrays is not None, pixels, source)

    skipped = tuple(work.broken[index] for index in sorted(work.broken))
    notes = [*work.notes, *_skipped_note(skipped)]
    names = [reader.entries[index].name for index in work.used]
    train, val = side(split.train, "training"), side(split.val, "validation")
    return PreparedDataset(train, val, combine(names, digests), tuple(notes), skipped)


def _digests(
    reader: Reader, used: Sequence[int], config: DataConfig, root: Path, progress: Progress | None
) -> list[tuple[str, ...]]:
    """The digests of each used sample's files: picture, labels, and those that all labels depend on."""
    entries = [reader.entries[index] for index in used]
    place = hashlib.sha256(str(reader.root.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    # Samples may share a file, as those of one json do.
    files = list(dict.fromkeys([*(path for e in entries for path in (e.image, e.labels)), *reader.shared]))
    unknown = [path for path in files if path not in reader.known]
    found = digest_files(
        unknown,
        workers=config.workers,
        record=root / "digests" / f"{place}.json" if config.cache else None,
        progress=None if progress is None else lambda done, total: progress("reading files", done, total),
    )
    digest = {**reader.known, **dict(zip(unknown, found, strict=True))}
    shared = [digest[path] for path in reader.shared]
    return [(digest[entry.image], digest[entry.labels], *shared) for entry in entries]


def _key(work: _Work, digests: Sequence[Sequence[str]]) -> str:
    """What the cached arrays depend on: the samples' content in their order, how it is read, and the size."""
    content = [VERSION, list(work.size), work.reader.table.digest(), [list(pair) for pair in digests]]
    content += ["fit_masks"] if work.reader.fit_masks else []  # without, keys stay what they were
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _broken_text(reasons: Sequence[str], total: int) -> str:
    more = f"; and {len(reasons) - 5:,} more samples" if len(reasons) > 5 else ""
    listed = "; ".join(reasons[:5])
    count = f"{len(reasons):,} of {total:,} samples"
    return f"{count} cannot be read: {listed}{more}; --skip-broken leaves them out"


def _skipped_note(skipped: Sequence[str]) -> tuple[str, ...]:
    if not skipped:
        return ()
    more = f"; and {len(skipped) - 10:,} more" if len(skipped) > 10 else ""
    return (f"{len(skipped):,} samples were left out: {'; '.join(skipped[:10])}{more}",)


__all__ = ["Prepared", "PreparedDataset", "prepare"]
