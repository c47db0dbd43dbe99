"""Reader `voc`: PASCAL VOC's segmentation, and data sets laid out like it with its lists.

    JPEGImages/NAME.jpg    SegmentationClass/NAME.png    ImageSets/Segmentation/train.txt, val.txt …
    2007_000032.jpg + 2007_000032.png …                  a few of the challenge's pictures in one folder

Everingham et al.: The PASCAL Visual Object Classes Challenge, IJCV 2010. Masks are palette pictures whose
values are the classes 0 to 20, and 255 along the borders of objects, which is ignored; masks that were saved
as RGB are read by the same palette. Most pictures of the archive have no mask, so a sample is what has one.
Knows this layout; without the lists two such folders are the reader `folder`'s.
"""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

from pixelwise.config import DataConfig
from pixelwise.data.entries import Entries
from pixelwise.data.found_classes import CLASSES_FILE, decide_classes, names_its_own
from pixelwise.data.io import read_palette
from pixelwise.data.listing import leave_labels_out, list_pictures, passed_over_note, subfolders
from pixelwise.data.lists import split_by_lists
from pixelwise.data.mapping import LabelTable, build_table, parse_map
from pixelwise.data.reader import LabelledPictures
from pixelwise.drawing import IGNORE, voc_colour
from pixelwise.errors import DataError
from pixelwise.types import Classes

FORMAT = "voc"
NAMES = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train"),
    "tvmonitor",
)
_LISTS = ("train", "val", "trainval", "test")
_FEW = 4000
_PICTURE = re.compile(r"20\d\d_\d{6}\.(jpg|png)$")
"""How the challenge's pictures are called."""
_ROOTS = ("", "VOCdevkit/VOC2012", "VOC2012", "VOCdevkit/VOC2007", "VOC2007")
CLASSES = Classes(NAMES, tuple(voc_colour(index) for index in range(len(NAMES))))
VOID = voc_colour(IGNORE)


def recognises(root: Path) -> bool:
    """Whether the three folders are there, here or below; or VOC's pictures lie beside its palette masks."""
    subfolders(root)
    if _base(root) is not None:
        return True
    flat = flat_masks(root)
    return bool(flat) and all(_has_palette(path) for path in flat[:4])


def open_voc(root: Path, config: DataConfig) -> LabelledPictures:
    """Finds the picture of each mask; the lists become the splits.

    Raises:
        DataError: The layout is another, or a mask has no picture.
        ConfigError: A mapping to a class that does not exist.
    """
    subfolders(root)
    base = _base(root)
    if base is not None:
        entries, said = _in_folders(base, config.skip_unpaired)
    elif flat_masks(root):
        base = root
        entries, said = _side_by_side(root, config.skip_unpaired)
    else:
        raise DataError(
            f"{root}: format voc needs JPEGImages/, SegmentationClass/ and ImageSets/Segmentation/; for "
            "other folders leave --format away"
        )
    lists = base / "ImageSets" / "Segmentation"
    splits, missing = split_by_lists(
        {name: lists / f"{name}.txt" for name in _LISTS if (lists / f"{name}.txt").is_file()},
        entries.places(),
    )
    classes, table, origin = _classes(base, entries, config)
    notes = (*said, *origin, *missing)
    return LabelledPictures(FORMAT, root, classes, table, entries, splits, notes)


def flat_masks(root: Path) -> list[Path]:
    """Some masks of a folder in which VOC's pictures and their masks lie side by side; none of any other."""
    try:
        names = {path.name for path in islice(root.iterdir(), _FEW) if _PICTURE.match(path.name)}
    except OSError:
        return []
    stems = (name.removesuffix(".png") for name in names if name.endswith(".png"))
    return sorted(root / f"{stem}.png" for stem in stems if f"{stem}.jpg" in names)


def _side_by_side(root: Path, skip_unpaired: bool) -> tuple[Entries, tuple[str, ...]]:
    names = {path.name for path in root.iterdir() if _PICTURE.match(path.name)}
    stems = sorted(name.removesuffix(".png") for name in names if name.endswith(".png"))
    photos = {name.removesuffix(".jpg") for name in names if name.endswith(".jpg")}
    lonely = [f"{stem}.png" for stem in stems if stem not in photos]
    entries = Entries(root)
    said = leave_labels_out(
        entries,
        [root / name for name in lonely],
        _lonely_text(root, lonely, len(stems)),
        total=len(stems),
        skip_unpaired=skip_unpaired,
    )
    for stem in stems:
        if stem in photos:
            entries.add(stem, f"{stem}.jpg", f"{stem}.png")
    without = len(photos) - len(entries)
    return entries, (
        f"format voc: {len(entries):,} pictures with masks beside them",
        *said,
        *((f"{without:,} pictures without a mask are left out",) if without else ()),
    )


def _in_folders(base: Path, skip_unpaired: bool) -> tuple[Entries, tuple[str, ...]]:
    photos, masks = list_pictures(base / "JPEGImages"), list_pictures(base / "SegmentationClass")
    lonely = [f"{stem}{ending}" for stem, ending in masks.files.items() if stem not in photos.files]
    entries = Entries(base)
    said = leave_labels_out(
        entries,
        [masks.folder / name for name in lonely],
        _lonely_text(masks.folder, lonely, len(masks.files)),
        total=len(masks.files),
        skip_unpaired=skip_unpaired,
    )
    for stem in masks.files:
        if stem in photos.files:
            entries.add(stem, photos.path(stem), masks.path(stem))
    without = len(photos.files) - len(entries)
    return entries, (
        f"format voc: {len(entries):,} pictures with masks in JPEGImages/ + SegmentationClass/",
        *said,
        *((f"{without:,} pictures without a mask are left out",) if without else ()),
        *passed_over_note([photos, masks]),
    )


def _lonely_text(folder: Path, lonely: list[str], count: int) -> str:
    return (
        f"{folder}: {len(lonely):,} of {count:,} masks have no picture ({', '.join(lonely[:3])}"
        f"{', …' if len(lonely) > 3 else ''}); unpack the archive wholly, or remove them"
    )


def _has_palette(path: Path) -> bool:
    try:
        return read_palette(path)[: len(CLASSES)] == list(CLASSES.colours)
    except DataError:
        return False


def _classes(base: Path, entries: Entries, config: DataConfig) -> tuple[Classes, LabelTable, tuple[str, ...]]:
    """The challenge's classes, unless the user names others: many data sets borrow the layout."""
    if names_its_own(config, CLASSES) or (base / CLASSES_FILE).is_file():
        return decide_classes(base, entries, config)
    colours = {colour: index for index, colour in enumerate(CLASSES.colours)}
    table = build_table(len(CLASSES), parse_map(config.map), {**colours, VOID: IGNORE})
    return CLASSES, table, ("the 21 classes of PASCAL VOC, 255 is ignored",)


def _base(root: Path) -> Path | None:
    parts = ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation")
    found = (root / name for name in _ROOTS)
    return next((base for base in found if all((base / part).is_dir() for part in parts)), None)
