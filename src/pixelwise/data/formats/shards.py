"""Reader `shards`: tar files of pictures and masks, as WebDataset has them, read in place.

    index.jsonl + train-00000.tar, train-00001.tar … + val-00000.tar …   as `convert --to shards` writes them
    any .tar files with NAME.jpg and NAME.mask.png beside each other     as others write them

With an index opening reads that alone, every sample is checked against it when it is read, and the set may
lie on a server. Without one the headers of all tars are read first. Knows this layout; the bytes come from
`pixelwise.data.shards`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from pixelwise.address import member_url, plain_url, url_of
from pixelwise.config import DataConfig
from pixelwise.data.entries import Entries, Entry
from pixelwise.data.found_classes import decide_classes
from pixelwise.data.io import RawMask, read_mask_values, read_picture, read_picture_at
from pixelwise.data.listing import left_out_note, list_files, subfolders
from pixelwise.data.mapping import build_table, parse_map
from pixelwise.data.reader import LabelledPictures, Picture, Stored
from pixelwise.data.shards.gather import Gathered, gather
from pixelwise.data.shards.http import Http
from pixelwise.data.shards.index import INDEX_FILE, Index, is_index, read_index
from pixelwise.data.shards.object_store import ObjectStore
from pixelwise.data.shards.remote import RemoteSource
from pixelwise.data.shards.source import FolderSource, MissingError, Samples, Source
from pixelwise.data.shards.table import SampleTable
from pixelwise.data.sizes import sizes_differ
from pixelwise.errors import DataError

FORMAT = "shards"
_TAR = ".tar"


@dataclass(frozen=True)
class ShardPictures:
    """Pictures that are members of tar files."""

    samples: Samples

    def full(self, entry: Entry) -> Picture:
        """Decodes it at its own size."""
        path, content = self.samples.picture(entry.name)
        return read_picture(path, content=content)

    def at(self, entry: Entry, size: tuple[int, int]) -> tuple[Picture, tuple[int, int]]:
        """Decodes it no larger than it needs to be."""
        path, content = self.samples.picture(entry.name)
        return read_picture_at(path, size, content=content)

    def stored(self, entry: Entry) -> Stored | None:
        """Its bytes."""
        return Stored(*self.samples.picture(entry.name))


@dataclass(frozen=True)
class ShardMasks:
    """Masks that are members of tar files."""

    samples: Samples
    drawn = False

    def raw(self, index: int, entry: Entry, size: tuple[int, int]) -> RawMask:
        """Decodes the mask, which must have the picture's size."""
        raw = self.read(entry)
        if raw.shape[:2] != tuple(size):
            (picture, pictured), (mask, masked) = self._both(entry)
            raise sizes_differ(picture, mask, (pictured, masked))
        return raw

    def read(self, entry: Entry) -> RawMask:
        """Decodes the mask, whatever its size."""
        path, content = self.samples.mask(entry.name)
        return read_mask_values(path, content=content)

    def _both(self, entry: Entry) -> tuple[tuple[Path, bytes], tuple[Path, bytes]]:
        return self.samples.picture(entry.name), self.samples.mask(entry.name)


def recognises(root: Path) -> bool:
    """Whether there is an index, or a tar right in the folder or in one of its subfolders."""
    return is_index(root / INDEX_FILE) or any(_tars(folder) for folder in (root, *subfolders(root).values()))


def open_shards(root: Path, config: DataConfig) -> LabelledPictures:
    """Reads the index, or the headers of the tars where there is none.

    Raises:
        BackendError: The URL is one of an object store whose package is not installed.
        DataError: A shard is missing or damaged, or the index is; members don't pair; no classes.
        ConfigError: A mapping or a class list that cannot be.
    """
    url = url_of(root)
    if url is not None:
        return _on_server(url, config)
    if (root / INDEX_FILE).is_file():
        source = FolderSource(root)
        index = read_index(root / INDEX_FILE, str(root / INDEX_FILE))
        for shard in index.table.shards:
            source.check(shard)
        return _indexed(root, index, source, config, path=root / INDEX_FILE)
    subfolders(root)  # says what is wrong with a folder that is none
    tars, _ = list_files(root, {_TAR})
    if not tars:
        raise DataError(
            f"{root}: format shards needs .tar files, or an {INDEX_FILE} beside them, and has none; "
            "pixelwise convert --to shards writes them"
        )
    return _gathered(root, gather(root, tars, skip_unpaired=config.skip_unpaired), config)


def _on_server(url: str, config: DataConfig) -> LabelledPictures:
    """The set below a URL: its index is kept in the cache folder, its shards stay where they are."""
    scheme = url.partition(":")[0]
    transport = Http() if scheme.startswith("http") else ObjectStore(scheme)
    folder = config.cache_dir or Path(platformdirs.user_cache_dir("pixelwise"))
    path = folder / "remote" / hashlib.sha256(url.encode()).hexdigest()[:32] / INDEX_FILE
    try:
        transport.copy(member_url(url, INDEX_FILE), path)
    except MissingError as error:
        raise DataError(
            f"{error}; a set on a server needs the {INDEX_FILE} that pixelwise convert --to shards writes"
        ) from error
    index = read_index(path, plain_url(member_url(url, INDEX_FILE)))
    root = Path(plain_url(url))
    return _indexed(root, index, RemoteSource(url, transport), config, path=path)


def _indexed(root: Path, index: Index, source: Source, config: DataConfig, *, path: Path) -> LabelledPictures:
    """The set that an index lists; what it depends on is the index's file, `path`, and what that says."""
    samples = Samples(root, index.table, source)
    known = {root / shard.name: shard.sha256 for shard in index.table.shards}
    return LabelledPictures(
        *(FORMAT, root, index.classes, build_table(len(index.classes), parse_map(config.map))),
        *(_entries(root, index.table), index.splits, (_note(index.table, f"listed in {INDEX_FILE}"),)),
        labels=ShardMasks(samples),
        pictures=ShardPictures(samples),
        shared=(path,),
        known=known,
    )


def _gathered(root: Path, found: Gathered, config: DataConfig) -> LabelledPictures:
    entries = _entries(root, found.table)
    samples = Samples(root, found.table, FolderSource(root))
    masks = ShardMasks(samples)
    for name in found.lonely:
        entries.unpaired.pictures.append(name)
    classes, table, said = decide_classes(root, entries, config, read=masks.read)
    notes = (_note(found.table, "found in their headers"), *said, *_left_out(found))
    return LabelledPictures(
        *(FORMAT, root, classes, table, entries, found.splits, notes),
        labels=masks,
        pictures=ShardPictures(samples),
    )


def _entries(root: Path, table: SampleTable) -> Entries:
    """The samples; their file is the tar.

    Raises:
        DataError: There is none.
    """
    if not len(table):
        raise DataError(
            f"{root}: there is no sample in the {len(table.shards):,} shards; expected members NAME.jpg and "
            "NAME.mask.png beside each other"
        )
    entries = Entries(root)
    for place, name in enumerate(table.names):
        sample = table[place]
        shard = table.shards[sample.shard].name
        entries.add(name, shard, shard, member=sample.mask.name)
    return entries


def _note(table: SampleTable, said: str) -> str:
    return f"format shards: {len(table):,} pictures with masks in {len(table.shards):,} tar files, {said}"


def _left_out(found: Gathered) -> Iterator[str]:
    yield from left_out_note("members without their other half", found.lonely)
    if found.passed_over:
        yield f"{found.passed_over:,} members are neither pictures nor masks and are passed over"


def _tars(folder: Path) -> bool:
    try:
        return any(path.suffix.lower() == _TAR and path.is_file() for path in folder.iterdir())
    except OSError:
        return False
