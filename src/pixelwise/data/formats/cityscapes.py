"""Reader `cityscapes`: the street scenes of 50 cities, fine and coarse labels.

    leftImg8bit/SPLIT/CITY/X_leftImg8bit.png
    gtFine/SPLIT/CITY/X_gtFine_labelIds.png, or X_gtFine_labelTrainIds.png, or X_gtFine_polygons.json
    gtCoarse/SPLIT/CITY/X_gtCoarse_…         with --masks gtCoarse

Cordts et al.: The Cityscapes Dataset for Semantic Urban Scene Understanding, CVPR 2016. Raw ids 0..33
become the 19 train ids of the official label table; all others are ignored. A picture without labels is no
sample, nor are labels without a picture, nor the test cities, whose published labels show the camera's own
car and the picture's border only. Knows this layout; `cityscapes_labels` reads what is in the label files.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pixelwise.config import DataConfig
from pixelwise.data.entries import Entries, Entry
from pixelwise.data.formats.cityscapes_labels import CityscapesLabels
from pixelwise.data.formats.published import published, refuse_other_names
from pixelwise.data.found_classes import CLASSES_FILE
from pixelwise.data.io import PICTURE_ENDINGS, picture_size
from pixelwise.data.listing import list_files, subfolders
from pixelwise.data.mapping import LabelTable, parse_map
from pixelwise.data.reader import LabelledPictures
from pixelwise.drawing import IGNORE
from pixelwise.errors import ConfigError, DataError

FORMAT = "cityscapes"
_PICTURES = "leftImg8bit"
_LABELS = ("gtFine", "gtCoarse")
_KINDS = ("labelIds.png", "labelTrainIds.png", "polygons.json")  # the first that is there is taken
_PLACES = ("", "cityscapes", "leftImg8bit_trainvaltest", "gtFine_trainvaltest")
"""Below which folders they are looked for: some programs unpack each archive into a folder of its own."""
_TEST = "test/"
_SEEN = 3


class _Row(NamedTuple):
    name: str
    picture: str
    labels: str


def recognises(root: Path) -> bool:
    """Whether there are leftImg8bit/ and gtFine/ or gtCoarse/, and no classes of the user's own."""
    folders = _folders(root)
    return (
        _PICTURES in folders
        and any(name in folders for name in _LABELS)
        and not ((root / folders[_PICTURES]).parent / CLASSES_FILE).is_file()
    )


def open_cityscapes(root: Path, config: DataConfig) -> LabelledPictures:
    """Pairs pictures and labels by city and frame; the folders are the splits.

    Raises:
        DataError: The layout is another, or no picture has labels.
        ConfigError: A mapping to a class that does not exist, or classes that the data set does not have.
    """
    published_table = published(FORMAT)
    classes = published_table.classes
    refuse_other_names(FORMAT, config, classes)
    folders = _folders(root)
    kind = _which(root, config, [name for name in _LABELS if name in folders])
    if _PICTURES not in folders:
        raise DataError(
            f"{root}: format cityscapes needs {_PICTURES}/ beside {kind}/; unpack both archives here"
        )
    table = LabelTable(len(classes), {**published_table.values, **parse_map(config.map)})
    entries = Entries(root)
    rows, left_out = _pair(root, folders, kind, entries)
    kept = rows if _tells_classes(root, rows, table) else [row for row in rows if not _is_test(row)]
    if not kept:
        raise DataError(
            f"{root}: none of the pictures in {_PICTURES}/ has labels of classes in {kind}/; expected "
            f"{kind}/SPLIT/CITY/X_{kind}_labelIds.png beside {_PICTURES}/SPLIT/CITY/X_{_PICTURES}.png"
        )
    other = next((name for name in _LABELS if name in folders and name != kind), None)
    blank = len(rows) - len(kept)
    notes = (
        f"format cityscapes: {len(kept):,} pictures with labels in {kind}/",
        "the 19 classes of the official evaluation; all others are ignored",
        *((f"{blank:,} pictures in test/ are left out: their labels hold no class",) if blank else ()),
        *left_out,
        *((f"{other}/ is there too: --masks {other} reads it",) if other else ()),
    )
    for row in kept:
        entries.add(*row)
    return LabelledPictures(
        FORMAT, root, classes, table, entries, _splits(kept), notes, CityscapesLabels(published_table)
    )


def _pair(
    root: Path, folders: dict[str, str], kind: str, entries: Entries
) -> tuple[list[_Row], tuple[str, ...]]:
    """The pictures that have labels, in the order of their paths, and sentences about the rest.

    The rest is noted as unpaired, but for the pictures of splits that have no labels at all, as
    `train_extra` has no fine ones.
    """
    pictures, _ = list_files(root / folders[_PICTURES], PICTURE_ENDINGS)
    labels = _labels(root / folders[kind], kind)
    splits = {name.partition("/")[0] for name in labels}
    rows: list[_Row] = []
    for picture in pictures:
        name = picture.rpartition(".")[0].removesuffix(f"_{_PICTURES}")
        ending = labels.pop(name, None)
        if ending is not None:
            file = f"{folders[kind]}/{name}_{kind}_{ending}"
            rows.append(_Row(name, f"{folders[_PICTURES]}/{picture}", file))
        elif name.partition("/")[0] in splits:
            entries.unpaired.pictures.append(f"{folders[_PICTURES]}/{picture}")
    for name in sorted(labels):
        entries.unpaired.labels.append(f"{folders[kind]}/{name}_{kind}_{labels[name]}")
    without = len(pictures) - len(rows)
    return rows, (
        *((f"{without:,} pictures without labels are left out",) if without else ()),
        *((f"{len(labels):,} labels without a picture are left out",) if labels else ()),
    )


def _tells_classes(root: Path, rows: list[_Row], table: LabelTable) -> bool:
    """Whether the labels of test/ hold classes: the official ones don't, the first few masks tell."""
    first = [row for row in rows if _is_test(row)][:_SEEN]
    labels = CityscapesLabels(published(FORMAT))
    for index, row in enumerate(first):
        entry = Entry(row.name, root / row.picture, root / row.labels)
        try:
            ids = table.apply(labels.raw(index, entry, picture_size(entry.image)), entry.labels)
        except DataError:
            return True  # whoever reads the sample says what is wrong with it
        if bool((ids != IGNORE).any()):
            return True
    return not first


def _is_test(row: _Row) -> bool:
    return row.name.startswith(_TEST)


def _splits(rows: list[_Row]) -> dict[str, tuple[int, ...]]:
    found: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        split, slash, _ = row.name.partition("/")
        if slash:
            found.setdefault(split, []).append(index)
    return {split: tuple(indices) for split, indices in found.items()}


def _labels(folder: Path, kind: str) -> dict[str, str]:
    """Frame -> the kind of label file that is taken for it."""
    found: dict[str, str] = {}
    paths, _ = list_files(folder, {".png", ".json"})
    for ending in reversed(_KINDS):
        suffix = f"_{kind}_{ending}"
        found |= {path.removesuffix(suffix): ending for path in paths if path.endswith(suffix)}
    return found


def _folders(root: Path) -> dict[str, str]:
    """Which of the three folders are there, and where below the root."""
    there = subfolders(root)
    found: dict[str, str] = {}
    for place in _PLACES:
        if place and place not in there:
            continue
        for name in (_PICTURES, *_LABELS):
            path = f"{place}/{name}" if place else name
            if (root / path).is_dir():
                found.setdefault(name, path)
    return found


def _which(root: Path, config: DataConfig, there: list[str]) -> str:
    """The folder of the labels: as `--masks` says, else the fine ones."""
    if config.images not in ("", _PICTURES):
        raise ConfigError(
            f"cityscapes has its pictures in {_PICTURES}/, but --images says {config.images}; leave --images "
            "away, or read any two folders with --format folder"
        )
    if config.masks:
        if config.masks not in there:
            raise DataError(
                f"{root}: there is no {config.masks}/; there is {' and '.join(there) or 'no label folder'}: "
                "choose one with --masks, or read any two folders with --format folder"
            )
        return config.masks
    if not there:
        raise DataError(f"{root}: format cityscapes needs gtFine/ or gtCoarse/; unpack the labels here")
    return there[0]
