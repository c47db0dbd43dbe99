"""Reader `ade20k`: the MIT Scene Parsing benchmark, and the full data set brought to its 150 classes.

    images/training/X.jpg + annotations/training/X.png (validation likewise, or without these folders)
    images/ADE/training/CATEGORY/SCENE/X.jpg + X_seg.png     the full data set of 2021
    images/training/LETTER/SCENE/X.jpg + X_seg.png           and that of 2016

Zhou et al.: Scene Parsing through ADE20K Dataset, CVPR 2017. The benchmark's masks hold 1..150, and 0 for
everything else, which is ignored. In the full data set red and green of a pixel make one of some 3,000
class indices; those that the benchmark's authors map to the 150 are trained, all others ignored. Knows
these layouts.
"""

from __future__ import annotations

import os
import re
from itertools import islice
from pathlib import Path

import numpy as np

from pixelwise.config import DataConfig
from pixelwise.data.entries import Entries, Entry
from pixelwise.data.formats.published import published, refuse_other_names, rows
from pixelwise.data.found_classes import CLASSES_FILE
from pixelwise.data.listing import list_pictures, pair, passed_over_note, subfolders
from pixelwise.data.mapping import LabelTable, parse_map
from pixelwise.data.reader import LabelledPictures, MaskFiles, RawMask
from pixelwise.drawing import IGNORE
from pixelwise.errors import DataError

FORMAT = "ade20k"
_PREFIX = "ADE_"
_NAME = re.compile(r"ADE_(train|val|frame|test)_\w+\.(jpg|jpeg|png)$", re.IGNORECASE)
_SPLITS = {"training": "train", "validation": "val", "train": "train", "val": "val"}
_SEGMENTED = "_seg.png"
_INDICES = 256 * 26  # red is ten times the class index' upper byte, so 25 is the largest
_DEPTH = 5  # images/ADE/training/CATEGORY/SCENE/
_ROOTS = ("", "ADEChallengeData2016", "ADE20K_2021_17_01", "ADE20K_2016_07_26")


def recognises(root: Path) -> bool:
    """Whether there are ADE20K's pictures in images/, and no classes of the user's own."""
    base = _base(root)
    return base is not None and not (base / CLASSES_FILE).is_file()


def open_ade20k(root: Path, config: DataConfig) -> LabelledPictures:
    """Pairs pictures and masks; training and validation are the splits.

    Raises:
        DataError: The layout is another, or a picture has no mask or the reverse.
        ConfigError: A mapping to a class that does not exist, or classes that the data set does not have.
    """
    table = published(FORMAT)
    refuse_other_names(FORMAT, config, table.classes)
    base = _base(root)
    if base is None:
        raise DataError(
            f"{root}: format ade20k needs images/ with ADE_train_*.jpg, and annotations/ or *{_SEGMENTED} "
            "beside the pictures; for other folders leave --format away"
        )
    pairs = parse_map(config.map)
    if (base / "annotations").is_dir():
        numbered = LabelTable(len(table.classes), {**table.values, **pairs})
        return _benchmark(root, base, numbered, skip_unpaired=config.skip_unpaired)
    known = {int(row["full"]): table.values[int(row["raw"])] for row in rows("ade20k_full")}
    others = dict.fromkeys(range(_INDICES), IGNORE)
    return _full(root, base, LabelTable(len(table.classes), {**others, **known, **pairs}))


class ClassIndices:
    """Red and green of `_seg.png` as the full data set's class index."""

    drawn = False

    def raw(self, index: int, entry: Entry, size: tuple[int, int]) -> RawMask:
        """Class indices `(H, W) uint16`, 0 where nothing is labelled."""
        colours = MaskFiles().raw(index, entry, size)
        if colours.ndim != 3:
            raise DataError(
                f"{entry.labels}: the full ADE20K has its class indices in red and green, but this is a "
                "picture of one channel; unpack the archive again"
            )
        return (colours[..., 0] // 10).astype(np.uint16) * 256 + colours[..., 1]


def _benchmark(root: Path, base: Path, table: LabelTable, *, skip_unpaired: bool) -> LabelledPictures:
    entries = Entries(root)
    pictures, masks = list_pictures(base / "images"), list_pictures(base / "annotations")
    said = pair(entries, pictures, masks, skip_unpaired=skip_unpaired)
    notes = (
        f"format ade20k: {len(entries):,} pictures of MIT Scene Parsing, 150 classes; 0 (other) is ignored",
        *said,
        *passed_over_note([pictures, masks]),
    )
    return LabelledPictures(FORMAT, root, published(FORMAT).classes, table, entries, _splits(entries), notes)


def _full(root: Path, base: Path, table: LabelTable) -> LabelledPictures:
    pictures, masks = _files(base / "images")
    entries = Entries(root)
    prefix = base / "images"
    for path in pictures:
        stem = path.rpartition(".")[0]
        if stem in masks:
            masks.remove(stem)
            entries.add(stem, prefix / path, prefix / f"{stem}{_SEGMENTED}")
        else:
            entries.unpaired.pictures.append(prefix / path)
    for stem in sorted(masks):
        entries.unpaired.labels.append(prefix / f"{stem}{_SEGMENTED}")
    if not entries:
        raise DataError(f"{prefix}: no picture has its X{_SEGMENTED} beside it; unpack the archive again")
    without = len(pictures) - len(entries)
    notes = (
        f"format ade20k: {len(entries):,} pictures of the full data set, brought to the 150 classes of MIT "
        "Scene Parsing; all others are ignored",
        *((f"{without:,} pictures without X{_SEGMENTED} are left out",) if without else ()),
        *((f"{len(masks):,} X{_SEGMENTED} without a picture are left out",) if masks else ()),
    )
    classes = published(FORMAT).classes
    return LabelledPictures(FORMAT, root, classes, table, entries, _splits(entries), notes, ClassIndices())


def _files(folder: Path) -> tuple[list[str], set[str]]:
    """The pictures below a folder, sorted, and the stems of the masks.

    The folders in which a picture's objects lie, each a file of its own, are never entered: there are
    many times as many of these.
    """
    pictures: list[str] = []
    masks: set[str] = set()

    def refuse(error: OSError) -> None:
        raise DataError(
            f"{error.filename}: the folder cannot be read ({error.strerror}); check its permissions"
        ) from error

    for directory, names, files in os.walk(folder, onerror=refuse):
        names[:] = [name for name in names if not name.startswith((".", _PREFIX))]
        inner = os.path.relpath(directory, folder).replace(os.sep, "/")
        prefix = "" if inner == "." else f"{inner}/"
        for name in files:
            if name.startswith("."):
                continue
            if name.lower().endswith(".jpg"):
                pictures.append(prefix + name)
            elif name.endswith(_SEGMENTED):
                masks.add(prefix + name.removesuffix(_SEGMENTED))
    return sorted(pictures), masks


def _splits(entries: Entries) -> dict[str, tuple[int, ...]]:
    """By a folder on the way, else by the file's name (ADE_train_…, ADE_val_…)."""
    found: dict[str, list[int]] = {}
    for index, name in enumerate(entries.names):
        *folders, file = name.split("/")
        words = [*folders, *file.split("_")[1:2]]
        split = next((_SPLITS[word] for word in words if word in _SPLITS), "")
        if split:
            found.setdefault(split, []).append(index)
    return {split: tuple(indices) for split, indices in found.items()}


def _base(root: Path) -> Path | None:
    """The folder that holds images/ with pictures called as ADE20K's are, and their masks."""
    folders = subfolders(root)
    for name in _ROOTS:
        base = root / name if name in folders or not name else None
        if base is None or not (base / "images").is_dir():
            continue
        named = _first_named(base / "images")
        if named and ((base / "annotations").is_dir() or any(_has_mask(path) for path in named)):
            return base
    return None


def _first_named(folder: Path) -> list[Path]:
    """Those among the first files, a few folders down, that are called like ADE20K's."""
    here = folder
    for _ in range(_DEPTH):
        try:
            found = sorted(islice(here.iterdir(), 64))
        except OSError:
            return []
        named = [path for path in found if _NAME.match(path.name)]
        inner = [path for path in found if path.is_dir() and not path.name.startswith(".")]
        if named or not inner:
            return named
        here = inner[0]
    return []


def _has_mask(path: Path) -> bool:
    return path.name.endswith(_SEGMENTED) or path.with_name(f"{path.stem}{_SEGMENTED}").is_file()
