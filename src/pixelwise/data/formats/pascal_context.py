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

from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from pixelwise.config import DataConfig
from pixelwise.data.background import BACKGROUND
from pixelwise.data.codec import MAX_PIXELS
from pixelwise.data.entries import Entries, Entry
from pixelwise.data.formats.published import published, rows
from pixelwise.data.formats.voc import flat_masks
from pixelwise.data.found_classes import names_its_own
from pixelwise.data.io import RawMask, read_header, read_mask_values
from pixelwise.data.listing import list_files, list_pictures, subfolders
from pixelwise.data.lists import split_by_lists
from pixelwise.data.mapping import LabelTable, count_values, parse_map
from pixelwise.data.reader import LabelledPictures, MaskFiles
from pixelwise.drawing import IGNORE, Colour, voc_colour
from pixelwise.errors import ConfigError, DataError
from pixelwise.types import Classes, size_text

FORMAT = "pascal_context"
_MASKS = ("SegmentationClassContext", "trainval")
_PICTURES = ("JPEGImages", "VOCdevkit/VOC2010/JPEGImages")
_LISTS = ("train", "val", "trainval")
_LABELS = 459
_VARIABLE = "LabelMap"


def recognises(root: Path) -> bool:
    """Whether the masks' folder is there, or VOC's pictures lie beside masks in Context's colours."""
    folders = subfolders(root)
    if _MASKS[0] in folders:
        return True
    if "trainval" in folders:
        first = next((p for p in islice(folders["trainval"].iterdir(), 64) if p.suffix == ".mat"), None)
        return first is not None and any((root / name).is_dir() for name in _PICTURES)
    return _in_colours(root)


def open_pascal_context(root: Path, config: DataConfig) -> LabelledPictures:
    """Finds the picture of each mask; the lists become the splits.

    Raises:
        DataError: The layout is another, or a mask has no picture.
        ConfigError: A mapping to a class that does not exist, or classes that the data set does not have.
    """
    with_background = _names_background(config)
    classes, table = _classes(with_background, config)
    known = Classes((BACKGROUND, *published(FORMAT).classes.names))
    if names_its_own(config, known):
        raise ConfigError("pascal_context has 59 classes, and background; choose among them")
    entries, layout = _entries(root)
    lists = root / "ImageSets" / "SegmentationContext"
    files = {name: lists / f"{name}.txt" for name in _LISTS if (lists / f"{name}.txt").is_file()}
    splits, missing = split_by_lists(files, entries.places())
    ignored = "60 classes with background" if with_background else "59 classes; background is ignored"
    notes = (f"format pascal_context: {len(entries):,} pictures with masks {layout}", ignored, *missing)
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
            raise DataError(
                f"{entry.labels} is {size_text(labels.shape)} but its picture {entry.image} is "
                f"{size_text(size)}; "
                "pair the right files"
            )
        return np.take(_of_459(), labels)


def read_label_map(path: Path) -> npt.NDArray[np.uint16]:
    """The 459 labels `(H, W) uint16` of a .mat file; 0 is unlabelled.

    Raises:
        DataError: The file is missing or damaged, holds no such map, or scipy is not installed.
    """
    try:
        import scipy.io  # pyright: ignore[reportMissingTypeStubs]
    except ImportError as error:
        raise DataError(f"{path}: .mat files need scipy: pip install 'pixelwise[mat]'") from error
    if not path.is_file():
        raise DataError(f"{path}: there is no such file; check the path")
    matlab: Any = scipy.io
    try:
        shapes: dict[str, tuple[int, ...]] = {name: shape for name, shape, _ in matlab.whosmat(str(path))}
        shape = shapes.get(_VARIABLE, ())
        small = len(shape) == 2 and 0 < shape[0] * shape[1] <= MAX_PIXELS
        found: Any = matlab.loadmat(str(path), variable_names=[_VARIABLE])[_VARIABLE] if small else None
    except Exception as error:  # foreign bytes: the parser may raise nearly anything
        raise DataError(
            f"{path}: this is no MATLAB file that can be read ({str(error)[:80]}); files of version 7.3 must "
            "be saved anew with -v7, damaged ones downloaded again"
        ) from error
    if not isinstance(found, np.ndarray) or not _are_labels(cast("npt.NDArray[Any]", found), shape):
        raise DataError(
            f"{path}: it holds no {_VARIABLE} of a picture's size with labels 0 to {_LABELS}; download it "
            "again"
        )
    return cast("npt.NDArray[Any]", found).astype(np.uint16)


def _are_labels(array: npt.NDArray[Any], shape: tuple[int, ...]) -> bool:
    if array.dtype.kind not in "uif" or array.shape != shape:
        return False
    return bool(((array >= 0) & (array <= _LABELS) & (array == np.floor(array))).all())


def _of_459() -> npt.NDArray[np.uint8]:
    lookup = np.zeros(_LABELS + 1, np.uint8)
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
    merged = (name.strip() for text in config.merge for name in text.partition("=")[0].split(","))
    return BACKGROUND in {*config.classes, config.binary, *merged}


def _entries(root: Path) -> tuple[Entries, str]:
    entries = Entries(root)
    folders = subfolders(root)
    where = next((name for name in _MASKS if name in folders), None)
    if where is None:
        pictures, _ = list_files(root, {".jpg", ".jpeg"})
        masks, _ = list_files(root, {".png", ".mat"})
        of_stem = {path.rpartition(".")[0]: path for path in pictures}
        place = "beside them"
    else:
        base = next((root / name for name in _PICTURES if (root / name).is_dir()), None)
        if base is None:
            raise DataError(
                f"{root}: there are masks in {where}/ but no JPEGImages/; unpack PASCAL VOC 2010 here"
            )
        listing = list_pictures(base)
        of_stem = {stem: str(listing.path(stem)) for stem in listing.files}
        masks = [f"{where}/{path}" for path in list_files(folders[where], {".png", ".mat"})[0]]
        place = f"in {where}/"
    stems = [path.rpartition(".")[0].removeprefix(f"{where}/" if where else "") for path in masks]
    lonely = [path for path, stem in zip(masks, stems, strict=True) if stem not in of_stem]
    if lonely or not masks:
        what = f"{len(lonely):,} of {len(masks):,} masks have no picture ({', '.join(lonely[:3])})"
        raise DataError(
            f"{root}: {what if lonely else 'there is no mask'}; expected X.jpg for each X.png or X.mat: "
            "unpack PASCAL "
            "VOC 2010 beside the labels"
        )
    for path, stem in zip(masks, stems, strict=True):
        entries.add(stem, of_stem[stem], path)
    return entries, place


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
