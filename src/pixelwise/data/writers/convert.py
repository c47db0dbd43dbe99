"""One data set written as another: its pictures, masks, class names and splits in a layout of choice.

Knows the writers' interface and the samples; what a layout looks like is its writer's business. Nothing is
lost: reading the result gives the same pictures, classes, ids and splits, to the pixel. It appears whole or
not at all: it grows under another name beside its place and is renamed when all of it is there.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pixelwise.address import plain_url, url_of
from pixelwise.data.dataset import Dataset
from pixelwise.data.reader import Reader
from pixelwise.data.shards.object_store import STORES, ObjectStore
from pixelwise.data.writers.coco import CocoWriter
from pixelwise.data.writers.labelme import LabelMeWriter
from pixelwise.data.writers.masks import FolderWriter, VocWriter
from pixelwise.data.writers.samples import broken_note, good_samples, put_picture
from pixelwise.data.writers.send import send_shards
from pixelwise.data.writers.shards import DEFAULT_SHARD_MIB, write_shards
from pixelwise.errors import ConfigError, DataError
from pixelwise.progress import Progress
from pixelwise.types import Classes

_SPLITS = {"training": "train", "valid": "val", "validation": "val", "testing": "test"}
"""Other names of the usual splits; every reader knows the usual ones."""


class Writer(Protocol):
    """Writes the labels of a layout; the pictures are put where it says."""

    def picture_path(self, name: str, split: str, ending: str) -> Path:
        """Where a sample's picture goes."""
        ...

    def add(self, name: str, split: str, picture: Path, mask: npt.NDArray[np.uint8]) -> None:
        """Writes the labels of a sample whose picture lies at `picture`; called in the samples' order."""
        ...

    def finish(self, splits: Mapping[str, Sequence[str]]) -> None:
        """Writes what concerns all samples; `splits` has their names."""
        ...


SHARDS = "shards"

WRITERS: dict[str, Callable[[Path, Classes, bool], Writer]] = {
    "folder": FolderWriter,
    "voc": VocWriter,
    "coco": CocoWriter,
    "labelme": LabelMeWriter,
}

LAYOUTS = (*WRITERS, SHARDS)
"""What can be written; shards keep names, order and splits of any kind, and have a writer of their own."""


@dataclass(frozen=True)
class Converted:
    """What was written.

    Attributes:
        folder: Where; a text where it is a URL.
        pictures: How many.
        notes: Sentences about what could not be carried over.
    """

    folder: Path | str
    pictures: int
    notes: tuple[str, ...]


def convert(
    dataset: Dataset,
    target: Path | str,
    layout: str,
    *,
    shard_mib: int = DEFAULT_SHARD_MIB,
    progress: Progress | None = None,
) -> Converted:
    """Writes a data set in another layout.

    Pictures are copied byte by byte, except those that an orientation tag turns and those that are embedded
    in a json: they are written upright as PNG.

    Args:
        dataset: What `open_dataset` gave, with whatever `--merge` and the like made of its classes.
        target: A folder that does not exist yet, or is empty; for `shards` also `s3://` or `gs://`.
        layout: `folder`, `voc`, `coco`, `labelme` or `shards`.
        shard_mib: About how many MiB a tar file of `shards` has.
        progress: Told how far the work is.

    Raises:
        BackendError: The package for an object store is missing.
        ConfigError: There is no such layout or size, or the folder holds something already.
        DataError: A sample is at fault, or the disk is full; nothing is left behind.
    """
    if layout not in LAYOUTS:
        raise ConfigError(f"there is no layout {layout!r} to write; there are {', '.join(LAYOUTS)}")
    if shard_mib < 1:
        raise ConfigError(f"--shard-size is in MiB and at least 1, got {shard_mib}")
    url = url_of(target)
    if url is not None:
        return _to_store(dataset, url, layout, limit=shard_mib << 20, progress=progress)
    root = Path(target).expanduser()
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise ConfigError(f"{root} is there already; choose a new folder")
    part = root.with_name(f".{root.name}.{os.getpid()}.part")
    try:
        part.mkdir(parents=True)
        if layout == SHARDS:
            count, notes = write_shards(dataset, part, limit=shard_mib << 20, progress=progress)
        else:
            count, notes = _write(dataset, part, layout, progress)
        if root.exists():
            root.rmdir()
        part.rename(root)
    except OSError as error:
        raise DataError(
            f"{root} cannot be written ({error.strerror or error}); make room or choose another folder"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Converted(root, count, notes)


def _to_store(dataset: Dataset, url: str, layout: str, *, limit: int, progress: Progress | None) -> Converted:
    """Shards sent off one by one, so that this disk holds one of each split at most."""
    scheme = url.partition("://")[0]
    if layout != SHARDS or scheme not in STORES:
        raise ConfigError(
            f"{plain_url(url)}: only --to shards can be written to a URL, and only to an object store "
            f"({', '.join(f'{name}://' for name in STORES)}); choose a folder"
        )
    count, notes = send_shards(dataset, url, ObjectStore(scheme), limit=limit, progress=progress)
    return Converted(url, count, notes)


def _write(
    dataset: Dataset, root: Path, layout: str, progress: Progress | None
) -> tuple[int, tuple[str, ...]]:
    """The number of pictures written, and notes."""
    reader = dataset.reader
    split_of, notes = _splits(reader)
    names = _plain_names(_without_splits(reader.entries.names, reader.splits))
    writer = WRITERS[layout](root, reader.classes, bool(split_of))
    splits: dict[str, list[str]] = {split: [] for split in dict.fromkeys(split_of.values())}
    broken: list[str] = []
    for index, sample in good_samples(dataset, broken):
        name, split = names[index], split_of.get(index, "")
        picture = put_picture(reader, index, sample, partial(writer.picture_path, name, split))
        writer.add(name, split, picture, sample.mask)
        if split_of:
            splits[split].append(name)
        if progress is not None:
            progress("converting", index + 1, len(reader))
    writer.finish(splits)
    return len(reader) - len(broken), (*notes, *broken_note(broken))


def _without_splits(names: Sequence[str], splits: Mapping[str, object]) -> Sequence[str]:
    """Names without the folder of their split, if they differ without it too."""
    folders = {*splits, *_SPLITS, *_SPLITS.values()}
    short = [
        rest if rest and first in folders else name
        for name in names
        for first, _, rest in (name.partition("/"),)
    ]
    return short if len(set(short)) == len(names) else names


def _splits(reader: Reader) -> tuple[dict[int, str], tuple[str, ...]]:
    """Each sample's split, where the data set's own splits put every sample into just one; else nothing."""
    chosen: dict[int, str] = {}
    for name, indices in reader.splits.items():
        if name == "trainval" and "train" in reader.splits:
            continue  # the union of two others
        for index in indices:
            if index in chosen:
                return {}, (f"{reader.entries.names[index]} is in two splits, so none is carried over",)
            chosen[index] = _SPLITS.get(name, name)
    if chosen and len(chosen) < len(reader):
        count = len(reader) - len(chosen)
        return {}, (f"{count:,} pictures are in no split, so none is carried over",)
    return chosen, ()


def _plain_names(names: Sequence[str]) -> list[str]:
    """File names that every tool can read: no folders, no blanks; different ones stay different."""
    taken: set[str] = set()
    plain: list[str] = []
    for name in names:
        base = re.sub(r"[\s/\\]+", "_", name)
        chosen, number = base, 1
        while chosen.lower() in taken:  # some disks don't tell capitals apart
            number += 1
            chosen = f"{base}_{number}"
        taken.add(chosen.lower())
        plain.append(chosen)
    return plain


__all__ = ["LAYOUTS", "WRITERS", "Converted", "Writer", "convert"]
