"""Reader `coco_stuff`: COCO's pictures with every pixel labelled, as PNGs; 171 classes, or 92.

    train2017/X.jpg (or images/train2017/) + stuffthingmaps_trainval2017/train2017/X.png     171 classes
    train2017/X.jpg + annotations/stuff_train2017_pixelmaps/X.png      91 of stuff, and other

Caesar, Uijlings, Ferrari: COCO-Stuff, CVPR 2018. In the first kind a value is an id less one, and 255 is
unlabelled; 11 of the 182 ids were never used. In the second a value is an id, 92 to 182, or 183 for all
things, and 0 is unlabelled. Knows this layout.
"""

from __future__ import annotations

from pathlib import Path

from pixelwise.config import DataConfig
from pixelwise.data.entries import Entries
from pixelwise.data.formats.published import published
from pixelwise.data.found_classes import names_its_own
from pixelwise.data.listing import leave_labels_out, list_pictures, subfolders
from pixelwise.data.mapping import LabelTable, parse_map
from pixelwise.data.reader import LabelledPictures
from pixelwise.drawing import IGNORE, default_colours
from pixelwise.errors import ConfigError, DataError
from pixelwise.types import Classes

FORMAT = "coco_stuff"
_SPLITS = ("train", "val")
_MAPS = ("stuffthingmaps_trainval2017", "stuffthingmaps", "annotations/stuffthingmaps_trainval2017")
_PIXELMAPS = ("annotations/stuff_{}2017_pixelmaps", "stuff_{}2017_pixelmaps")
_PICTURES = ("{}2017", "images/{}2017", "{}", "images/{}")
_OTHER = 183
_FIRST_STUFF = 92


def recognises(root: Path) -> bool:
    """Whether the folders of one of the two kinds of maps are there."""
    subfolders(root)
    return bool(_layout(root)[1])


def open_coco_stuff(root: Path, config: DataConfig) -> LabelledPictures:
    """Finds the picture of each map; the folders are the splits.

    Raises:
        DataError: The layout is another, or a map has no picture.
        ConfigError: A mapping to a class that does not exist, or classes that the data set does not have.
    """
    with_things, folders = _layout(root)
    if not folders:
        raise DataError(
            f"{root}: format coco_stuff needs {_MAPS[0]}/train2017/ or "
            "annotations/stuff_train2017_pixelmaps/, and "
            "the pictures in train2017/; unpack the archives here"
        )
    classes, values = _things_and_stuff() if with_things else _stuff()
    if names_its_own(config, classes):
        raise ConfigError(f"coco_stuff has {len(classes)} classes of its own; choose among them")
    entries = Entries(root)
    splits: dict[str, tuple[int, ...]] = {}
    said: list[str] = []
    for split, (pictures, maps) in folders.items():
        photos, masks = list_pictures(pictures), list_pictures(maps)
        lonely = [stem for stem in masks.files if stem not in photos.files]
        first = f" ({lonely[0]}.png)" if lonely else ""
        said += leave_labels_out(
            entries,
            [masks.path(stem) for stem in lonely],
            f"{maps}: {len(lonely):,} of {len(masks.files):,} maps have no picture in {pictures}/{first}; "
            "unpack the pictures wholly",
            total=len(masks.files),
            skip_unpaired=config.skip_unpaired,
        )
        begun = len(entries)
        for stem in masks.files:
            if stem in photos.files:
                entries.add(f"{split}/{stem}", photos.path(stem), masks.path(stem))
        splits[split] = tuple(range(begun, len(entries)))
        for stem in sorted(photos.files.keys() - masks.files.keys()):
            entries.unpaired.pictures.append(photos.path(stem))
    without = len(entries.unpaired.pictures)
    notes = (
        f"format coco_stuff: {len(entries):,} pictures, {len(classes)} classes; unlabelled pixels are "
        "ignored",
        *((f"{without:,} pictures without a map are left out",) if without else ()),
        *said,
    )
    table = LabelTable(len(classes), {**values, **parse_map(config.map)})
    return LabelledPictures(FORMAT, root, classes, table, entries, splits, notes)


def _things_and_stuff() -> tuple[Classes, dict[int, int]]:
    """All 171; a value is an id less one."""
    table = published(FORMAT)
    return table.classes, {**{raw - 1: target for raw, target in table.values.items() if raw}, IGNORE: IGNORE}


def _stuff() -> tuple[Classes, dict[int, int]]:
    """The 91 of stuff and `other` for all things; a value is an id."""
    table = published(FORMAT)
    ids = [raw for raw in sorted(table.values) if raw >= _FIRST_STUFF]
    by_id = {raw: name for name, raw in table.names.items()}
    names = (*(by_id[raw] for raw in ids), "other")
    values = {raw: place for place, raw in enumerate([*ids, _OTHER])}
    return Classes(names, default_colours(len(names))), {**values, 0: IGNORE}


def _layout(root: Path) -> tuple[bool, dict[str, tuple[Path, Path]]]:
    """Whether the maps have things too, and for each split the folders of pictures and maps."""
    for with_things, patterns in (
        (True, [f"{base}/{{}}2017" for base in _MAPS]),
        (False, list(_PIXELMAPS)),
    ):
        found: dict[str, tuple[Path, Path]] = {}
        for split in _SPLITS:
            maps = next((root / p.format(split) for p in patterns if (root / p.format(split)).is_dir()), None)
            pictures = next(
                (root / p.format(split) for p in _PICTURES if (root / p.format(split)).is_dir()), None
            )
            if maps is not None and pictures is not None:
                found[split] = pictures, maps
        if found:
            return with_things, found
    return False, {}
