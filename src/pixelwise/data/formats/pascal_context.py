"""Reader `pascal_context`: PASCAL VOC 2010's pictures with every pixel labelled, 59 classes.

    JPEGImages/X.jpg + SegmentationClassContext/X.png, with ImageSets/SegmentationContext/train.txt, val.txt
    JPEGImages/X.jpg (or VOCdevkit/VOC2010/JPEGImages/) + trainval/X.mat      as published
    X.jpg + X.png                                                             in one folder

Mottaghi et al.: The Role of Context for Object Detection and Semantic Segmentation in the Wild, CVPR 2014.
A mask holds ids 1..59, or the colours that PASCAL VOC's palette gives them in the order of the authors'
59_labels.txt; 0 is background and ignored, unless a flag names the class `background`: then it is the first
of 60. The published .mat files hold 459 labels, of which the 59 are the frequent ones and the others
background. Knows these layouts.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pixelwise.config import DataConfig
from pixelwise.data.background import BACKGROUND
from pixelwise.data.entries import Entries, Entry
from pixelwise.data.formats.pascal_context_maps import LABELS, read_label_map
from pixelwise.data.formats.published import published, refuse_other_names, rows
from pixelwise.data.formats.voc import flat_masks
from pixelwise.data.found_classes import CLASSES_FILE
from pixelwise.data.io import Header, RawMask, read_header, read_mask_values
from pixelwise.data.listing import leave_labels_out, list_files, subfolders
from pixelwise.data.lists import split_by_lists
from pixelwise.data.mapping import LabelTable, count_values, parse_map
from pixelwise.data.reader import LabelledPictures, MaskFiles
from pixelwise.data.sizes import SizesDifferError
from pixelwise.drawing import IGNORE, Colour, voc_colour
from pixelwise.errors import DataError
from pixelwise.types import Classes, size_text

FORMAT = "pascal_context"
_MASKS = ("SegmentationClassContext", "trainval")
_ROOTS = ("", "VOCdevkit/VOC2010", "VOC2010")
_PICTURES = "JPEGImages"
_LISTS = ("train", "val", "trainval")


def recognises(root: Path) -> bool:
    """Whether the masks' folder is there, or VOC's pictures lie beside masks in Context's colours.

    Where the user has put classes of his own beside them, it is another data set.
    """
    subfolders(root)
    if (root / CLASSES_FILE).is_file():
        return False
    found = _masks_folder(root)
    return _in_colours(root) if found is None else _pictures_folder(root, found) is not None


def open_pascal_context(root: Path, config: DataConfig) -> LabelledPictures:
    """Finds the picture of each mask; the lists become the splits.

    Raises:
        DataError: The layout is another, or a mask has no picture.
        ConfigError: A mapping to a class that does not exist, or classes that the data set does not have.
    """
    with_background = _names_background(config)
    classes, table = _classes(with_background, config)
    refuse_other_names(FORMAT, config, Classes((BACKGROUND, *published(FORMAT).classes.names)))
    entries, layout, said = _entries(root, config.skip_unpaired)
    lists = (root / (_masks_folder(root) or "x")).parent / "ImageSets" / "SegmentationContext"
    files = {name: lists / f"{name}.txt" for name in _LISTS if (lists / f"{name}.txt").is_file()}
    splits, missing = split_by_lists(files, entries.places())
    ignored = "60 classes with background" if with_background else "59 classes; background is ignored"
    notes = (
        f"format pascal_context: {len(entries):,} pictures with masks {layout}",
        ignored,
        *said,
        *missing,
    )
    return LabelledPictures(FORMAT, root, classes, table, entries, splits, notes, ContextLabels())


class ContextLabels:
    """Mask files as they are, and the label maps of .mat files as ids of the 59."""

    drawn = False

    def raw(self, index: int, entry: Entry, size: tuple[int, int]) -> RawMask:
        """Ids 0..59 `(H, W)`, or colours `(H, W, 3)`."""
        if entry.labels.suffix != ".mat":
            return MaskFiles().raw(index, entry, size)
        labels = read_label_map(entry.labels)
        if labels.shape != tuple(size):
            said = Header(labels.shape, 1, "MAT", "")
            raise SizesDifferError(
                f"{entry.labels} is {size_text(labels.shape)} but its picture {entry.image} is "
                f"{size_text(size)}; pair the right files",
                *(read_header(entry.image), said),
            )
        return np.take(_of_459(), labels)


@cache
def _of_459() -> npt.NDArray[np.uint8]:
    """Label of the 459 -> id of the 59, 0 for the others."""
    lookup = np.zeros(LABELS + 1, np.uint8)
    for row in rows("pascal_context_459"):
        lookup[int(row["label"])] = int(row["raw"])
    return lookup


def _palette() -> dict[Colour, int]:
    return {
        (int(row["red"]), int(row["green"]), int(row["blue"])): int(row["raw"])
        for row in rows("pascal_context_colours")
    }


def _classes(with_background: bool, config: DataConfig) -> tuple[Classes, LabelTable]:
    table = published(FORMAT)
    classes, values = table.classes, dict(table.values)
    if with_background:
        classes = Classes((BACKGROUND, *classes.names), ((0, 0, 0), *classes.colours))
        values = {raw: raw for raw in range(len(classes))}
    values = {**values, IGNORE: IGNORE}
    colours = {colour: values[raw] for colour, raw in _palette().items()}
    return classes, LabelTable(len(classes), {**values, **parse_map(config.map)}, colours)


def _names_background(config: DataConfig) -> bool:
    """Whether a flag names the class `background`, which is there only then."""
    merged = (name.strip() for text in config.merge for name in re.split("[,=]", text))
    return BACKGROUND in {*config.classes, *config.ignore, config.binary, *merged}


def _entries(root: Path, skip_unpaired: bool) -> tuple[Entries, str, tuple[str, ...]]:
    """The samples, where their masks lie, and what was left out."""
    subfolders(root)
    where = _masks_folder(root)
    base = root if where is None else _pictures_folder(root, where)
    if base is None:
        raise DataError(
            f"{root}: there are masks in {where}/ but no {_PICTURES}/; unpack PASCAL VOC 2010 here"
        )
    pictures = _by_stem(base, {".jpg", ".jpeg"})
    masks = _by_stem(root / (where or ""), {".png", ".mat"})
    lonely = [file for stem, file in masks.items() if stem not in pictures]
    what = f"{len(lonely):,} of {len(masks):,} masks have no picture ({', '.join(lonely[:3])})"
    text = (
        f"{root}: {what if lonely else 'there is no mask'}; expected X.jpg for each X.png or X.mat: "
        "unpack PASCAL VOC 2010 beside the labels"
    )
    if not masks:
        raise DataError(text)
    entries = Entries(root)
    folder = root / (where or "")
    said = leave_labels_out(
        entries, [folder / file for file in lonely], text, total=len(masks), skip_unpaired=skip_unpaired
    )
    for stem, file in masks.items():
        if stem in pictures:
            entries.add(stem, base / pictures[stem], folder / file)
    return entries, f"in {where}/" if where else "beside them", said


def _by_stem(folder: Path, endings: set[str]) -> dict[str, str]:
    """Stem -> file, for the files below a folder with one of the endings; no stem twice."""
    found: dict[str, str] = {}
    for path in list_files(folder, endings)[0]:
        stem = path.rpartition(".")[0]
        if found.setdefault(stem, path) != path:
            raise DataError(
                f"{folder}: {found[stem]} and {path} are of the same picture; remove or move away one of them"
            )
    return found


def _masks_folder(root: Path) -> str | None:
    """The folder of the masks, relative to the root; none where they lie beside the pictures."""
    for place in _ROOTS:
        ids, maps = (root / place / name for name in _MASKS)
        if ids.is_dir():
            return ids.relative_to(root).as_posix()
        if maps.is_dir() and _has_map(maps):
            return maps.relative_to(root).as_posix()
    return None


def _has_map(folder: Path) -> bool:
    try:
        return any(path.suffix == ".mat" for path in islice(folder.iterdir(), 64))
    except OSError:
        return False


def _pictures_folder(root: Path, masks: str) -> Path | None:
    """JPEGImages beside the masks, or in the archive unpacked below the root."""
    places = ((root / masks).parent, *(root / place for place in _ROOTS))
    return next((place / _PICTURES for place in places if (place / _PICTURES).is_dir()), None)


def _in_colours(root: Path) -> bool:
    """Whether a flat folder of VOC's pictures has RGB masks with colours that only Context uses."""
    palette = _palette()
    of_voc = {voc_colour(index) for index in range(21)}
    beyond = False
    for path in flat_masks(root)[:4]:
        try:
            if read_header(path).mode != "RGB":
                return False
            colours = set(count_values(read_mask_values(path)))
        except DataError:
            return False
        if not colours <= palette.keys():
            return False
        beyond |= not colours <= of_voc
    return beyond
